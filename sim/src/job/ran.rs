//! What was seen of a run, and the verdict of the oracles that every job has.
//!
//! Invariant: everything here was seen from outside or said by probes; the scenario adds what only
//! it can know: its reference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sameriver::{CheckpointMode, Restart, Settings};
use sameriver_cluster::JobEnd;
use sameriver_model::{AttemptNumber, Failure, FailureKind};
use sameriver_runtime::Monotonic;
use xxhash_rust::xxh3::xxh3_64;

use super::settings::keeps_files;
use crate::VOLUME;
use crate::fault::{Effects, FaultScript, TargetKind};
use crate::finding::Finding;
use crate::judge::{
    self, AfterHealing, Compared, CutMode, Deed, Fact, History, Legal, LivenessBounds, Look,
    StoreEvent, StoreFormat, VisibleItem,
};
use crate::life::Generation;
use crate::probe_log::Seen;
use crate::sim_world::{SUPERVISOR, SimWorld};
use crate::tally::{Figures, RunMode};

/// How a file in the making ends.
const IN_PROGRESS: &str = ".inprogress";

/// What the scenario says of its job beyond its output.
#[derive(Clone, Copy, Debug)]
pub struct Promised {
    /// What a snapshot may reflect.
    pub cut: CutMode,
    /// What watermarks may be.
    pub legal: Legal,
}

/// A run that came to its end, or to its limit.
pub struct Ran {
    /// How the job ended, if it did.
    pub end: Option<JobEnd>,
    /// Why the job has given up, if it has.
    pub given_up: Option<Failure>,
    /// How many restarts the job may have before it gives up, if it ever does.
    pub restarts_max: Option<u32>,
    /// How long an attempt waits for task managers before it fails.
    pub registration_timeout: Duration,
    /// What the engine said and the store got.
    pub history: History,
    /// What the store was asked for.
    pub store: Vec<StoreEvent>,
    /// The job's folder in the store, with the `/` behind it.
    pub folder: String,
    /// What was visible, when the job has visible output: how its names begin, and each look.
    pub looks: Option<(String, Vec<Look>)>,
    /// The visible files at the end.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What happened after healing.
    pub after: AfterHealing,
    /// What is allowed to happen then.
    pub bounds: LivenessBounds,
    /// Figures for the summary.
    pub figures: Figures,
}

/// The formats of the storage room.
pub const STORE_FORMAT: StoreFormat = StoreFormat {
    record: |sequence, bytes| {
        let record = sameriver_storage::job_log::decode("record", sequence, bytes);
        record.map_err(|error| error.to_string())
    },
    metadata: |bytes| {
        let metadata = sameriver_storage::metadata::decode("metadata", bytes);
        metadata.map_err(|error| error.to_string())
    },
};

impl Ran {
    /// Lets every oracle of every job look: safety first, then whether the job recovered.
    ///
    /// # Errors
    /// [`Finding`] of the first broken promise.
    pub fn judge(&self, promised: &Promised) -> Result<Vec<Compared>, Finding> {
        let (history, store, folder) = (&self.history, &self.store, &self.folder);
        let finished = self.end == Some(JobEnd::Finished);
        let mut compared = vec![
            // First of all: what the others believe of the store rests on it.
            judge::storage(store)?,
            judge::cut(history, promised.cut)?,
            judge::deposed(history, store, folder, STORE_FORMAT)?,
            judge::commit(history)?,
            judge::watermark(history, promised.legal)?,
            judge::timer(history, finished)?,
            judge::metadata(store, folder, STORE_FORMAT)?,
            judge::restored(history)?,
        ];
        if let Some(given_up) = self.has_given_up() {
            if !self.failed_as_it_had_to() {
                return Err(given_up);
            }
            compared.extend(self.judge_visible()?);
            return Ok(compared);
        }
        compared.push(judge::liveness(&self.after, &self.bounds)?);
        match &self.end {
            Some(JobEnd::Finished) => {}
            Some(end) => return Err(Finding::safety(format!("the job has {end}"))),
            None => return Err(Finding::liveness("no job master gave an outcome")),
        }
        compared.extend(self.judge_visible()?);
        Ok(compared)
    }

    fn judge_visible(&self) -> Result<Option<Compared>, Finding> {
        let Some((below, looks)) = &self.looks else {
            return Ok(None);
        };
        if self.given_up.is_none() {
            return judge::visible(&self.history, looks, below).map(Some);
        }
        // Who commits and loses its power before it can say so is not repeated when the job has
        // given up: those rows are held to the reference alone.
        let said: BTreeSet<&str> = self.history.facts().filter_map(committed).collect();
        let looks: Vec<Look> = looks
            .iter()
            .map(|look| Look {
                at: look.at,
                items: said_of(look, &said),
            })
            .collect();
        judge::visible(&self.history, &looks, below).map(Some)
    }

    /// When each leader wrote its first record of the log and its last, by epoch.
    fn led(&self) -> BTreeMap<u32, (Monotonic, Monotonic)> {
        let mut led = BTreeMap::new();
        for seen in &self.history.sightings {
            if let Fact::Published(record) = &seen.fact {
                let (_, last) = led.entry(record.epoch).or_insert((seen.at, seen.at));
                *last = seen.at;
            }
        }
        led
    }

    /// What sets the run apart from most.
    pub fn modes(&self, settings: &Settings) -> BTreeSet<RunMode> {
        let is_so = [
            (RunMode::OnFiles, keeps_files(settings)),
            (
                RunMode::AtLeastOnce,
                settings.checkpoint_mode == CheckpointMode::AtLeastOnce,
            ),
            (
                RunMode::OtherRestarts,
                settings.restart != Restart::ExponentialDelay,
            ),
            (RunMode::GaveUp, self.failed_as_it_had_to()),
        ];
        let modes = is_so.into_iter().filter(|(_, is_so)| *is_so);
        modes.map(|(mode, _)| mode).collect()
    }

    /// What there is to say of a job that has given up.
    pub fn has_given_up(&self) -> Option<Finding> {
        let failure = self.given_up.as_ref()?;
        let said = format!("the job has failed for good: {failure}");
        Some(Finding::breach(judge::Invariant::Drains, said))
    }

    /// Whether the job has given up since it had all the restarts that its settings allow, under
    /// one leader, by a failure that a fault of this run may have caused; what it has put out until
    /// then must be legal all the same.
    pub fn failed_as_it_had_to(&self) -> bool {
        let (Some(restarts), Some(failure)) = (self.restarts_max, &self.given_up) else {
            return false;
        };
        if !may_come_of(failure.kind, &self.figures.effects) {
            return false;
        }
        let led = self.led();
        let Some((epoch, (first, last))) = led.last_key_value() else {
            return false;
        };
        let granted = self.history.facts().filter(|(_, fact)| match fact {
            Fact::Said(Seen::AttemptStarted { attempt, .. }) => attempt.epoch() == *epoch,
            Fact::Said(_) | Fact::Published(_) => false,
        });
        let granted = granted.count() as u128;
        // An attempt for which nobody registered was never granted; each took about that long, by
        // the clock of its leader.
        let wait = (self.registration_timeout.as_nanos() * 9 / 10).max(1);
        let waited = last.since(*first).as_nanos() / wait;
        granted.saturating_add(waited) > u128::from(restarts)
    }
}

/// Whether faults that took effect explain a failure of this kind; what a fault cannot cause is a
/// mistake, however many there were.
fn may_come_of(kind: FailureKind, effects: &Effects) -> bool {
    let on = |targets: [TargetKind; 2]| {
        let mut families = effects.iter();
        families.any(|(family, _)| targets.contains(&family.target_kind()))
    };
    match kind {
        FailureKind::Disconnected | FailureKind::Cluster => effects.any(),
        FailureKind::InputUnreadable | FailureKind::OutputUnwritable => {
            on([TargetKind::Disk, TargetKind::Store])
        }
        FailureKind::User
        | FailureKind::BadData
        | FailureKind::Limit
        | FailureKind::Internal
        | FailureKind::Superseded
        | FailureKind::OutputTaken => false,
    }
}

fn committed((_, fact): (usize, &Fact)) -> Option<&str> {
    match fact {
        Fact::Said(Seen::Committed { what, .. }) => Some(what),
        Fact::Said(_) | Fact::Published(_) => None,
    }
}

fn said_of(look: &Look, said: &BTreeSet<&str>) -> Vec<VisibleItem> {
    let items = look.items.iter();
    let items = items.filter(|item| said.contains(item.name.as_str()));
    items.cloned().collect()
}

/// Looks at a run from outside while it goes on.
pub(super) struct Watching {
    sim: SimWorld,
    output: Option<String>,
    looks: Vec<Look>,
    after: AfterHealing,
}

impl Watching {
    pub(super) fn new(sim: &SimWorld, output: Option<String>) -> Self {
        Self {
            sim: sim.clone(),
            output,
            looks: Vec::new(),
            after: AfterHealing::default(),
        }
    }

    /// Notes what is visible, if it has changed.
    pub(super) fn look(&mut self) {
        if self.output.is_none() {
            return;
        }
        let items: Vec<VisibleItem> = self
            .visible()
            .into_iter()
            .map(|(name, bytes)| VisibleItem {
                name,
                digest: xxh3_64(&bytes),
            })
            .collect();
        if self.looks.last().is_some_and(|last| last.items == items) {
            return;
        }
        let at = self.sim.now();
        self.looks.push(Look { at, items });
    }

    fn visible(&self) -> BTreeMap<String, Vec<u8>> {
        let Some(folder) = &self.output else {
            return BTreeMap::new();
        };
        let below = format!("{folder}/");
        let files = self.sim.files(VOLUME).all().into_iter();
        let files = files.map(|(path, bytes)| (path.trim_start_matches('/').to_owned(), bytes));
        files
            .filter(|(path, _)| path.starts_with(&below) && !path.ends_with(IN_PROGRESS))
            .collect()
    }

    pub(super) fn healed(&mut self, last_arrival: Monotonic) {
        self.after.healed = self.sim.now();
        self.after.last_arrival = last_arrival;
    }

    pub(super) fn healed_at(&self) -> Monotonic {
        self.after.healed
    }

    pub(super) fn has_run(&self) -> bool {
        self.after.running.is_some()
    }

    pub(super) fn runs(&mut self) {
        self.after.running = Some(self.sim.now());
    }

    pub(super) fn ended(&mut self, at: Option<Monotonic>) {
        self.after.ended = at;
        self.after.looked_until = self.sim.now();
    }

    /// Gathers everything.
    ///
    /// # Errors
    /// [`Finding`] when a record of the job log cannot be read.
    pub(super) fn close(
        mut self,
        (url, folder): (&str, &str),
        faults: &FaultScript,
        end: Option<JobEnd>,
    ) -> Result<Ran, Finding> {
        let sim = self.sim.clone();
        let mut store = StoreEvent::of(sim.blobs(url).history());
        store.extend(self.left_on_disk(url));
        let published = judge::publications(&store, folder, STORE_FORMAT);
        let published =
            published.map_err(|error| Finding::breach(judge::Invariant::Metadata, error))?;
        let history = History::of(sim.ledger().probes().all(), published);
        self.after_healing(&history);
        if self.after.ended.is_some() {
            self.left_open();
        }
        let files = self.visible();
        Ok(Ran {
            end,
            given_up: None,
            restarts_max: None,
            registration_timeout: Duration::ZERO,
            figures: figures(&sim, &history, faults),
            history,
            store,
            folder: folder.to_owned(),
            looks: self.output.map(|folder| (format!("{folder}/"), self.looks)),
            files,
            after: self.after,
            bounds: LivenessBounds {
                running: Duration::MAX,
                completes: Duration::MAX,
                drains: Duration::MAX,
                progress: Duration::MAX,
                attempts: u32::MAX,
            },
        })
    }

    /// What whoever looks at a store of files at the end reads there.
    fn left_on_disk(&self, url: &str) -> Vec<StoreEvent> {
        let Some(folder) = url.strip_prefix("file:") else {
            return Vec::new();
        };
        let names = self.sim.blobs(url).objects().into_keys();
        let files = self.sim.files(VOLUME);
        let read = names.filter_map(|path| {
            let answer = files.read(format!("{folder}/{path}"))?.into();
            Some(StoreEvent {
                at: self.sim.now(),
                node: SUPERVISOR.into(),
                generation: Generation::FIRST,
                path,
                deed: Deed::Read { offset: 0, answer },
            })
        });
        read.collect()
    }

    fn after_healing(&mut self, history: &History) {
        let after = &mut self.after;
        let mut latest = None;
        for seen in &history.sightings {
            let is_after = seen.at > after.healed;
            match &seen.fact {
                Fact::Published(record) => {
                    let named = record.latest.as_ref().map(|named| named.id);
                    if is_after && named > latest {
                        after.completed.get_or_insert(seen.at);
                        after.moved.push(seen.at);
                    }
                    latest = named.max(latest);
                }
                Fact::Said(Seen::AttemptStarted { .. }) if is_after => after.attempts += 1,
                Fact::Said(
                    Seen::Watermark { .. } | Seen::Reflected { .. } | Seen::Committed { .. },
                ) if is_after => after.moved.push(seen.at),
                Fact::Said(_) => {}
            }
        }
    }

    fn left_open(&mut self) {
        let tasks = self.sim.unfinished_tasks();
        let tasks = tasks.split(", ").filter(|task| !task.is_empty());
        let ours = |task: &&str| !task.starts_with(SUPERVISOR);
        self.after.open_tasks = tasks.filter(ours).map(str::to_owned).collect();
        let files = self.sim.files(VOLUME).all().into_keys();
        let left = files.filter(|path| path.ends_with(IN_PROGRESS));
        self.after.open_files = left.collect();
    }
}

fn figures(sim: &SimWorld, history: &History, faults: &FaultScript) -> Figures {
    let mut figures = Figures {
        enabled: faults.families(),
        effects: sim.effects(),
        armed_at: armed_at(faults),
        crashed_at: sim.crashed_at().into_iter().map(str::to_owned).collect(),
        checkpoints: history.publications().count(),
        ..Figures::default()
    };
    let mut with_state: BTreeSet<AttemptNumber> = BTreeSet::new();
    for (_, fact) in history.facts() {
        match fact {
            Fact::Said(Seen::AttemptStarted { from, .. }) => {
                figures.attempts += 1;
                figures.restores += u64::from(from.is_some());
            }
            Fact::Said(Seen::Restored { attempt, bytes, .. }) if *bytes > 0 => {
                with_state.insert(*attempt);
            }
            Fact::Said(_) | Fact::Published(_) => {}
        }
    }
    figures.restores_with_state = with_state.len() as u64;
    figures
}

/// The crash points that the script is meant for.
fn armed_at(faults: &FaultScript) -> BTreeSet<String> {
    let places = faults.0.iter().filter_map(|episode| episode.at.place());
    places.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultFamily;

    #[test]
    fn a_failure_that_no_fault_can_cause_is_never_what_had_to_be() {
        let mut effects = Effects::default();
        assert!(!may_come_of(FailureKind::Cluster, &effects));
        effects.add(FaultFamily::Crash, 1);
        assert!(may_come_of(FailureKind::Cluster, &effects));
        assert!(!may_come_of(FailureKind::InputUnreadable, &effects));
        effects.add(FaultFamily::BlobFull, 1);
        assert!(may_come_of(FailureKind::InputUnreadable, &effects));
        for mistake in [
            FailureKind::User,
            FailureKind::BadData,
            FailureKind::Internal,
            FailureKind::OutputTaken,
        ] {
            assert!(!may_come_of(mistake, &effects), "{mistake:?}");
        }
    }
}
