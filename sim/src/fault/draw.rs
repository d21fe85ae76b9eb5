//! Scripts from seeds.
//!
//! Invariant: every number is drawn from (seed, site, entity, ordinal), so one more draw somewhere
//! moves nothing elsewhere. A script that is drawn can be survived: at least two fifths of its
//! window are quiet, no disk is lost that is not named as wipeable, and all ends in the window.

use sameriver_runtime::RandomStream;

use super::episode::{Episode, Parameters, Target, Trigger};
use super::family::{FaultFamily, TargetKind};
use super::script::FaultScript;
use super::targets::{Class, Targets, Window};
use crate::node_site::log_between;
use crate::virtual_clock::nanos;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// Faults may last that much of a window, in hundredths.
const BUSY_HUNDREDTHS: u64 = 60;
/// So many crash points are armed one after the other, if none comes twice.
const PLACES_DRAWN: usize = 4;
/// How many scripts of a thousand with some families arm crash points, beside those that draw it.
const ARMED_PER_MILLE: u32 = 500;
/// The longest of the long durations.
const TAIL_MAX: u64 = 120 * SECOND;

impl FaultScript {
    /// Draws a script for a window of a run.
    pub fn draw(seed: u64, class: Class, targets: &Targets, window: Window) -> Self {
        if window.nanos() == 0 {
            return Self::default();
        }
        let drawing = Drawing {
            seed,
            targets,
            window,
        };
        let families = drawing.families(class);
        let most = match class {
            Class::Calm => return Self::default(),
            Class::Solo => 8,
            Class::Swarm => 4,
            Class::Storm => 2,
        };
        let mut budget = Budget::new(window);
        let mut episodes = Vec::new();
        // In rounds: no family eats the window before the others have had their first turn.
        for ordinal in 0..most {
            for family in &families {
                if ordinal < drawing.count(*family, most) {
                    let episode = drawing.episode(*family, ordinal);
                    episodes.extend(budget.admit(episode));
                }
            }
        }
        Self(episodes)
    }
}

struct Drawing<'a> {
    seed: u64,
    targets: &'a Targets,
    window: Window,
}

impl Drawing<'_> {
    fn draws(&self, site: &str, entity: &str, ordinal: u64) -> RandomStream {
        RandomStream::named(self.seed, &format!("fault {site} {entity} {ordinal}"))
    }

    fn has_target(&self, family: FaultFamily) -> bool {
        let nodes = &self.targets.nodes;
        let known = if family == FaultFamily::RestartWiped {
            &self.targets.wipeable
        } else if family == FaultFamily::CrashPoint {
            &self.targets.crash_points
        } else {
            nodes
        };
        match family.target_kind() {
            TargetKind::Node if family == FaultFamily::Zombie => {
                !nodes.is_empty() && !self.targets.timeouts.is_empty()
            }
            TargetKind::Node => !nodes.is_empty() && !known.is_empty(),
            TargetKind::Link => nodes.len() > 1,
            TargetKind::Disk => !self.disks(family).is_empty(),
            TargetKind::Store => self.targets.store,
        }
    }

    fn families(&self, class: Class) -> Vec<FaultFamily> {
        let all = FaultFamily::ALL.into_iter();
        let mut all: Vec<FaultFamily> = all.filter(|family| self.has_target(*family)).collect();
        if all.is_empty() {
            return all;
        }
        let mut draws = self.draws("menu", "", 0);
        let wanted = match class {
            Class::Calm => 0,
            Class::Solo => 1,
            Class::Swarm => index(&mut draws, all.len()) + 1,
            Class::Storm => all.len(),
        };
        let mut chosen = Vec::new();
        while chosen.len() < wanted {
            chosen.push(all.remove(index(&mut draws, all.len())));
        }
        let armed = FaultFamily::CrashPoint;
        if class == Class::Swarm && all.contains(&armed) && draws.chance(ARMED_PER_MILLE) {
            chosen.push(armed);
        }
        chosen
    }

    /// How many episodes of a family there are.
    fn count(&self, family: FaultFamily, most: u64) -> u64 {
        self.draws("count", family.name(), 0).between(1, most)
    }

    fn episode(&self, family: FaultFamily, ordinal: u64) -> Episode {
        let mut draws = self.draws("episode", family.name(), ordinal);
        let target = self.target(family, &mut draws);
        let at = self.trigger(family, &mut draws);
        let mut parameters = parameters(family, &mut draws);
        parameters.salt = (draws.next_u64() >> 32) as u32;
        Episode {
            at,
            family,
            target,
            duration_nanos: self.duration(family, &mut draws),
            parameters,
        }
    }

    fn target(&self, family: FaultFamily, draws: &mut RandomStream) -> Target {
        let nodes = &self.targets.nodes;
        match family.target_kind() {
            TargetKind::Node if family == FaultFamily::RestartWiped => {
                Target::Node(pick(draws, &self.targets.wipeable))
            }
            TargetKind::Node if family == FaultFamily::CrashPoint => Target::Passer,
            TargetKind::Node => Target::Node(pick(draws, nodes)),
            TargetKind::Link => {
                let from = index(draws, nodes.len());
                let step = index(draws, nodes.len() - 1) + 1;
                Target::Link {
                    from: nodes[from].clone(),
                    to: nodes[(from + step) % nodes.len()].clone(),
                }
            }
            TargetKind::Disk => Target::Disk(pick(draws, &self.disks(family))),
            TargetKind::Store => Target::Store,
        }
    }

    /// The disks on which a family is felt: one that is only read has space enough.
    fn disks(&self, family: FaultFamily) -> Vec<String> {
        let of_reads = matches!(family, FaultFamily::DiskEio | FaultFamily::DiskSlow);
        let read = if of_reads {
            self.targets.read_disks.as_slice()
        } else {
            &[]
        };
        [read, &self.targets.disks].concat()
    }

    fn trigger(&self, family: FaultFamily, draws: &mut RandomStream) -> Trigger {
        let Window { start_nanos, .. } = self.window;
        let window = self.window.nanos();
        if family != FaultFamily::CrashPoint {
            return Trigger::Nanos(start_nanos + draws.below(window));
        }
        let from = start_nanos + draws.below(window / 4 * 3 + 1);
        let mut places: Vec<String> = Vec::new();
        for _ in 0..PLACES_DRAWN {
            let place = pick(draws, &self.targets.crash_points);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Trigger::Armed {
            from_nanos: from,
            patience_nanos: draws.between(window / 16, window / 6).max(1),
            places,
            ordinal: if draws.chance(700) {
                1
            } else {
                draws.between(2, 5)
            },
        }
    }

    fn duration(&self, family: FaultFamily, draws: &mut RandomStream) -> u64 {
        let timeouts = &self.targets.timeouts;
        if family == FaultFamily::Zombie {
            let longest = timeouts.iter().max().copied().unwrap_or_default();
            let longest = nanos(longest).max(1);
            return draws.between(longest + longest / 5, longest.saturating_mul(3));
        }
        if family == FaultFamily::ClockDrift {
            return self.window.nanos();
        }
        let mean = mean_duration(family).min(self.window.nanos() / 8).max(1);
        match draws.below(10) {
            0..7 => exponential(draws.next_u64(), mean),
            7 | 8 if !timeouts.is_empty() => {
                let timeout = nanos(timeouts[index(draws, timeouts.len())]).max(2);
                draws.between(timeout / 2, timeout.saturating_mul(2))
            }
            _ => heavy_tail(draws, mean),
        }
    }
}

/// About how long a fault of a family lasts where the window is long enough.
fn mean_duration(family: FaultFamily) -> u64 {
    match family {
        FaultFamily::Pause | FaultFamily::Zombie => SECOND / 2,
        FaultFamily::Crash
        | FaultFamily::RestartWiped
        | FaultFamily::CrashPoint
        | FaultFamily::Clog
        | FaultFamily::DiskEio
        | FaultFamily::BlobErrorBurst => SECOND,
        FaultFamily::CutBoth
        | FaultFamily::CutOneWay
        | FaultFamily::ConnectRefused
        | FaultFamily::ConnectHang
        | FaultFamily::DiskSlow
        | FaultFamily::DiskFsyncLost
        | FaultFamily::BlobUnanswered
        | FaultFamily::BlobSilent => 2 * SECOND,
        FaultFamily::SlowLink
        | FaultFamily::Reset
        | FaultFamily::Latency
        | FaultFamily::DiskEnospc
        | FaultFamily::BlobFull
        | FaultFamily::BlobLatency => 4 * SECOND,
        FaultFamily::ClockJump | FaultFamily::ClockDrift => 10 * SECOND,
    }
}

fn parameters(family: FaultFamily, draws: &mut RandomStream) -> Parameters {
    let mut parameters = Parameters::default();
    match family {
        FaultFamily::Crash
        | FaultFamily::RestartWiped
        | FaultFamily::Pause
        | FaultFamily::Zombie
        | FaultFamily::CrashPoint
        | FaultFamily::CutBoth
        | FaultFamily::CutOneWay
        | FaultFamily::Clog
        | FaultFamily::ConnectRefused
        | FaultFamily::ConnectHang => {}
        FaultFamily::SlowLink => {
            parameters.bytes_per_second = log_between(draws, 8 << 10, 1 << 20);
        }
        FaultFamily::Reset => {
            let at_once = draws.chance(300);
            parameters.after_bytes = if at_once {
                0
            } else {
                log_between(draws, 1, 64 << 10)
            };
        }
        FaultFamily::Latency => {
            parameters.delay_nanos = log_between(draws, MILLI, 300 * MILLI);
            parameters.tail_nanos = log_between(draws, MILLI, 300 * MILLI);
        }
        FaultFamily::DiskSlow => {
            parameters.delay_nanos = log_between(draws, MILLI, 100 * MILLI);
            parameters.tail_nanos = log_between(draws, MILLI, 300 * MILLI);
        }
        FaultFamily::BlobLatency => {
            parameters.delay_nanos = log_between(draws, 10 * MILLI, 500 * MILLI);
            parameters.tail_nanos = log_between(draws, 10 * MILLI, 2 * SECOND);
        }
        FaultFamily::DiskEio
        | FaultFamily::BlobErrorBurst
        | FaultFamily::BlobUnanswered
        | FaultFamily::BlobSilent
        | FaultFamily::BlobFull => {
            parameters.per_mille = share(draws, 50);
        }
        FaultFamily::DiskFsyncLost => parameters.per_mille = share(draws, 200),
        FaultFamily::DiskEnospc => {
            let is_full = draws.chance(400);
            parameters.free_bytes = if is_full {
                0
            } else {
                log_between(draws, 1, 4 << 10)
            };
        }
        FaultFamily::ClockJump => {
            let far = log_between(draws, SECOND, 3_600 * SECOND);
            let far = i64::try_from(far).expect("an hour fits");
            parameters.offset_nanos = if draws.chance(500) { far } else { -far };
        }
        FaultFamily::ClockDrift => {
            let ppm = i32::try_from(draws.between(1, 200)).expect("two hundred fit");
            parameters.drift_ppm = if draws.chance(500) { ppm } else { -ppm };
        }
    }
    parameters
}

/// A share of at least `least` thousandths; a fifth of the shares is everything.
fn share(draws: &mut RandomStream, least: u64) -> u32 {
    let share = if draws.chance(200) {
        1_000
    } else {
        log_between(draws, least, 1_000)
    };
    u32::try_from(share).expect("a thousand fits")
}

fn index(draws: &mut RandomStream, count: usize) -> usize {
    usize::try_from(draws.below(count as u64)).expect("below a count")
}

fn pick(draws: &mut RandomStream, names: &[String]) -> String {
    names[index(draws, names.len())].clone()
}

/// About an exponential spread around `mean`, of integers alone: halves for octaves, evenly inside.
pub(crate) fn exponential(bits: u64, mean: u64) -> u64 {
    let octaves = u64::from(bits.leading_zeros().min(20));
    let inside = bits & 1_023;
    let scaled = u128::from(mean) * u128::from(octaves * 1_024 + inside) * 693 / 1_000 / 1_024;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// A few are very long: an octave more has the chance that a Pareto spread of 1.2 gives it.
fn heavy_tail(draws: &mut RandomStream, least: u64) -> u64 {
    let mut octaves = 0;
    while octaves < 12 && draws.chance(435) {
        octaves += 1;
    }
    let base = least.saturating_mul(1 << octaves);
    (base + draws.below(base)).min(TAIL_MAX)
}

/// Keeps a part of the window quiet.
struct Budget {
    window: Window,
    busy: Vec<(u64, u64)>,
    /// Episodes whose instant nobody knows.
    unplaced: u64,
}

impl Budget {
    fn new(window: Window) -> Self {
        Self {
            window,
            busy: Vec::new(),
            unplaced: 0,
        }
    }

    /// The episode, shortened to what the window can bear, if that is anything.
    fn admit(&mut self, mut episode: Episode) -> Option<Episode> {
        let Trigger::Nanos(at) = episode.at else {
            let bearable = self.left().min(self.window.nanos() / 8);
            episode.duration_nanos = episode.duration_nanos.min(bearable);
            self.unplaced += episode.duration_nanos;
            return (bearable > 0).then_some(episode);
        };
        let rest = self.window.end_nanos.saturating_sub(at);
        episode.duration_nanos = episode.duration_nanos.min(rest);
        if is_mild(episode.family) {
            return Some(episode);
        }
        episode.duration_nanos = episode.duration_nanos.min(self.left());
        if episode.duration_nanos == 0 {
            return None;
        }
        self.busy.push((at, at + episode.duration_nanos));
        Some(episode)
    }

    /// How much longer faults may last.
    fn left(&self) -> u64 {
        let most = self.window.nanos() / 100 * BUSY_HUNDREDTHS;
        most.saturating_sub(covered(&self.busy).saturating_add(self.unplaced))
    }
}

/// Whether it keeps nobody from working.
fn is_mild(family: FaultFamily) -> bool {
    matches!(
        family,
        FaultFamily::ClockJump | FaultFamily::ClockDrift | FaultFamily::Reset
    )
}

/// How long at least one of the spans lasts.
fn covered(spans: &[(u64, u64)]) -> u64 {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let (mut sum, mut reached) = (0, 0);
    for (start, end) in sorted {
        sum += end.saturating_sub(start.max(reached));
        reached = reached.max(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    const WINDOW: Window = Window {
        start_nanos: 5 * SECOND,
        end_nanos: 65 * SECOND,
    };

    fn targets() -> Targets {
        Targets {
            nodes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            wipeable: vec!["b".to_owned()],
            read_disks: vec!["b".to_owned()],
            disks: vec!["a".to_owned(), "volume".to_owned()],
            store: true,
            crash_points: vec!["log.create".to_owned()],
            timeouts: vec![Duration::from_secs(3)],
        }
    }

    fn scripts(class: Class) -> Vec<FaultScript> {
        let draw = |seed| FaultScript::draw(seed, class, &targets(), WINDOW);
        (0..200).map(draw).collect()
    }

    #[test]
    fn every_drawn_script_means_something_and_ends_in_its_window() {
        for class in [Class::Solo, Class::Swarm, Class::Storm] {
            for script in scripts(class) {
                assert_eq!(script.check(), Ok(()));
                assert!(!script.0.is_empty());
                for episode in &script.0 {
                    if let Trigger::Nanos(at) = episode.at {
                        let end = at + episode.duration_nanos;
                        assert!(WINDOW.start_nanos <= at && end <= WINDOW.end_nanos);
                    }
                }
            }
        }
    }

    #[test]
    fn two_fifths_of_every_window_are_quiet() {
        for script in scripts(Class::Storm) {
            let stopping = script.0.iter().filter(|episode| !is_mild(episode.family));
            let spans = stopping.filter_map(|episode| match episode.at {
                Trigger::Nanos(at) => Some((at, at + episode.duration_nanos)),
                Trigger::Pass { .. } | Trigger::Armed { .. } => None,
            });
            let busy = covered(&spans.collect::<Vec<_>>());
            assert!(busy <= WINDOW.nanos() / 100 * BUSY_HUNDREDTHS, "{busy}");
        }
    }

    #[test]
    fn the_classes_differ_in_how_many_families_they_have() {
        let counts = |class| -> BTreeSet<usize> {
            let scripts = scripts(class).into_iter();
            scripts.map(|script| script.families().len()).collect()
        };
        assert_eq!(counts(Class::Calm), BTreeSet::from([0]));
        assert_eq!(counts(Class::Solo), BTreeSet::from([1]));
        assert!(counts(Class::Swarm).len() > 10);
        assert!(counts(Class::Storm).into_iter().all(|count| count > 3));
    }

    #[test]
    fn every_family_is_drawn_by_some_seed() {
        let seen: BTreeSet<_> = scripts(Class::Solo)
            .iter()
            .flat_map(FaultScript::families)
            .collect();
        assert_eq!(seen, BTreeSet::from(FaultFamily::ALL));
    }

    #[test]
    fn only_disks_that_hold_no_sole_copy_are_lost() {
        let all = scripts(Class::Solo).into_iter().flat_map(|script| script.0);
        let wiped = all.filter(|episode| episode.family == FaultFamily::RestartWiped);
        let lost: BTreeSet<Target> = wiped.map(|episode| episode.target).collect();
        assert_eq!(lost, BTreeSet::from([Target::Node("b".to_owned())]));
    }

    #[test]
    fn a_target_more_moves_only_what_is_done_to_it() {
        let mut more = targets();
        more.store = false;
        let draw = |targets| FaultScript::draw(7, Class::Storm, targets, WINDOW);
        let (with, without) = (draw(&targets()), draw(&more));
        let crash = |script: &FaultScript| {
            let mut all = script.0.iter();
            let first = all.find(|episode| episode.family == FaultFamily::Crash);
            first.map(|episode| (episode.at.clone(), episode.target.clone()))
        };
        assert!(crash(&with).is_some() && crash(&with) == crash(&without));
    }

    #[test]
    fn an_exponential_spread_has_its_mean() {
        let mut draws = RandomStream::named(1, "exponential");
        let sum: u64 = (0..10_000)
            .map(|_| exponential(draws.next_u64(), 1_000))
            .sum();
        assert!((9_000_000..11_500_000).contains(&sum), "{sum}");
    }
}
