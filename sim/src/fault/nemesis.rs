//! Applies a script to a world, and takes everything back.
//!
//! Invariant: it does what stands in the script and draws nothing; an empty script sets no timer
//! and leaves no trace. After [`Nemesis::heal`] nothing is wrong any more and nothing will be.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use super::board::Number;
use super::effects::Effects;
use super::episode::{Episode, Target, Trigger};
use super::family::FaultFamily;
use super::script::{FaultScript, ScriptError};
use crate::counters::lock;
use crate::sim_world::{SUPERVISOR, SimWorld};
use crate::trace::Event;

/// A script at work.
///
/// ```
/// use std::time::Duration;
/// use sameriver_sim::{Episode, FaultFamily, FaultScript, Nemesis, Target, Trigger};
/// # use sameriver_sim::{Limits, run_seed};
/// # let outcome = run_seed(7, &Limits::default(), |sim| async move {
/// let crash = Episode::new(Trigger::Nanos(0), FaultFamily::Crash, Target::Node("a".into()))
///     .lasting(Duration::from_millis(5));
/// sim.boot("a", |world| drop(world));
/// let nemesis = Nemesis::run(&sim, &FaultScript(vec![crash])).unwrap();
/// sim.supervisor().sleep(Duration::from_secs(1)).await;
/// nemesis.heal();
/// assert_eq!(sim.effects().count(FaultFamily::Crash), 1);
/// # Ok(()) });
/// # assert_eq!(outcome.verdict, Ok(()));
/// ```
pub struct Nemesis {
    world: SimWorld,
}

impl Nemesis {
    /// Lets a script begin: each episode comes at its instant, or with its crash point. Instants
    /// that have passed are now.
    ///
    /// # Errors
    /// [`ScriptError`] for a script with an episode that means nothing; then nothing happens.
    pub fn run(sim: &SimWorld, script: &FaultScript) -> Result<Self, ScriptError> {
        script.check()?;
        for (number, episode) in (0..).zip(&script.0) {
            let episode = episode.clone();
            match episode.at {
                Trigger::Nanos(at) => {
                    sim.act_at(at, move |sim| sim.begin(number, &episode));
                }
                Trigger::Pass { .. } | Trigger::Armed { .. } => {
                    lock(sim.board()).await_pass(number, episode);
                }
            }
        }
        Ok(Self { world: sim.clone() })
    }

    /// Ends all faults now: links carry, disks and the store work, clocks are right, paused nodes
    /// go on and crashed ones start again. What has not begun never does.
    pub fn heal(self) {
        let world = &self.world;
        let numbers = lock(world.board()).heal();
        for number in numbers {
            world.end(number);
        }
    }
}

impl SimWorld {
    /// What the faults did so far, counted at their victims.
    pub fn effects(&self) -> Effects {
        let mut effects = lock(self.board()).effects().clone();
        for (family, count) in lock(self.net()).effects().iter() {
            effects.add(family, count);
        }
        effects
    }

    /// How often each node has passed each crash point: (node, place) and the count.
    pub fn crash_points(&self) -> Vec<(String, &'static str, u64)> {
        let board = lock(self.board());
        let passes = board.passes().iter();
        passes
            .map(|((node, place), count)| (node.clone(), *place, *count))
            .collect()
    }

    /// The crash points at which a node has lost its power.
    pub fn crashed_at(&self) -> BTreeSet<&'static str> {
        lock(self.board()).crashed_at().clone()
    }

    /// A node passes a crash point: whether that is the end of its life.
    pub(crate) fn pass(&self, node: &str, place: &'static str) -> bool {
        let generation = self.generation(node);
        let now = self.now_nanos();
        let due = lock(self.board()).pass(node, place, now);
        for (number, episode) in due {
            self.begin(number, &episode);
        }
        let crashed = self.generation(node) != generation;
        if crashed {
            lock(self.board()).crashed(place);
        }
        crashed
    }

    fn begin(&self, number: Number, episode: &Episode) {
        if lock(self.board()).is_healed() || self.is_moot(episode) {
            return;
        }
        self.trace_fault(Event::Fault, number, episode);
        let duration = episode.duration_nanos;
        let until = self.now_nanos().saturating_add(duration);
        let limit = self.disk_limit(episode);
        lock(self.board()).begin(number, episode.clone(), limit);
        match &episode.target {
            Target::Node(node) => self.begin_at_node(number, episode, node),
            Target::Link { from, to } => self.begin_at_link(number, episode, from, to, until),
            // The first two ask the board; who passes has been named.
            Target::Disk(_) | Target::Store | Target::Passer => {}
        }
        self.act_at(until, move |sim| sim.end(number));
    }

    /// Whether there is nobody to hurt: the supervisor, or a node that is down already.
    fn is_moot(&self, episode: &Episode) -> bool {
        match &episode.target {
            Target::Node(node) => {
                let stops = episode.family.is_crash()
                    || matches!(episode.family, FaultFamily::Pause | FaultFamily::Zombie);
                node == SUPERVISOR || stops && !self.is_up(node)
            }
            Target::Passer | Target::Link { .. } | Target::Disk(_) | Target::Store => false,
        }
    }

    fn disk_limit(&self, episode: &Episode) -> u64 {
        match &episode.target {
            Target::Disk(node) if episode.family == FaultFamily::DiskEnospc => {
                let used = lock(&self.site(node).disk).used_bytes();
                used.saturating_add(episode.parameters.free_bytes)
            }
            Target::Disk(_)
            | Target::Node(_)
            | Target::Passer
            | Target::Link { .. }
            | Target::Store => u64::MAX,
        }
    }

    fn begin_at_node(&self, number: Number, episode: &Episode, node: &str) {
        let family = episode.family;
        match family {
            FaultFamily::Crash | FaultFamily::CrashPoint => {
                lock(self.board()).went_down(node, family);
                self.crash(node);
            }
            FaultFamily::RestartWiped => {
                lock(self.board()).went_down(node, family);
                self.crash(node);
                self.wipe(node);
            }
            FaultFamily::Pause | FaultFamily::Zombie => self.pause(node),
            FaultFamily::ClockJump => {
                let site = self.site(node);
                site.jump_wall(episode.parameters.offset_nanos);
            }
            FaultFamily::ClockDrift => {
                let site = self.site(node);
                site.add_drift(self.now_nanos(), episode.parameters.drift_ppm);
            }
            FaultFamily::ConnectRefused | FaultFamily::ConnectHang => {
                let node = self.site(node).id();
                lock(self.net()).close_door(number, node, family);
            }
            FaultFamily::CutBoth
            | FaultFamily::CutOneWay
            | FaultFamily::Clog
            | FaultFamily::SlowLink
            | FaultFamily::Reset
            | FaultFamily::Latency
            | FaultFamily::DiskEio
            | FaultFamily::DiskEnospc
            | FaultFamily::DiskSlow
            | FaultFamily::DiskFsyncLost
            | FaultFamily::BlobLatency
            | FaultFamily::BlobErrorBurst
            | FaultFamily::BlobUnanswered
            | FaultFamily::BlobSilent
            | FaultFamily::BlobFull => {}
        }
    }

    fn begin_at_link(&self, number: Number, episode: &Episode, from: &str, to: &str, until: u64) {
        let (from, to) = (self.site(from).id(), self.site(to).id());
        let (now, parameters) = (self.now_nanos(), episode.parameters);
        let fault = (number, episode.family);
        let mut net = lock(self.net());
        if episode.family == FaultFamily::Reset && parameters.after_bytes == 0 {
            let broken = net.break_all(now, from, to);
            drop(net);
            for connection in broken {
                connection.arm(self);
            }
            return;
        }
        net.hurt(now, (from, to), fault, parameters, until);
        if episode.family == FaultFamily::CutBoth {
            net.hurt(now, (to, from), fault, parameters, until);
        }
    }

    fn end(&self, number: Number) {
        let ended = lock(self.board()).end(number);
        let Some(episode) = ended else {
            return;
        };
        self.trace_fault(Event::FaultEnd, number, &episode);
        match &episode.target {
            Target::Node(node) => self.end_at_node(number, &episode, node),
            Target::Link { from, to } => {
                let (from, to) = (self.site(from).id(), self.site(to).id());
                let now = self.now_nanos();
                let mended = {
                    let mut net = lock(self.net());
                    let mut mended = net.mend(now, (from, to), number);
                    mended.extend(net.mend(now, (to, from), number));
                    mended
                };
                for connection in mended {
                    connection.arm(self);
                }
            }
            Target::Disk(_) | Target::Store | Target::Passer => {}
        }
    }

    fn end_at_node(&self, number: Number, episode: &Episode, node: &str) {
        let family = episode.family;
        match family {
            FaultFamily::Crash | FaultFamily::CrashPoint | FaultFamily::RestartWiped => {
                let other = lock(self.board()).holds(&episode.target, FaultFamily::is_crash);
                if !other && !self.is_up(node) {
                    drop(self.node(node));
                }
            }
            FaultFamily::Pause | FaultFamily::Zombie => {
                let like = |f| matches!(f, FaultFamily::Pause | FaultFamily::Zombie);
                let other = lock(self.board()).holds(&episode.target, like);
                if !other {
                    let delayed = self.go_on(node);
                    lock(self.board()).add_effect(family, delayed);
                }
            }
            FaultFamily::ClockJump => {
                let back = episode.parameters.offset_nanos.saturating_neg();
                self.site(node).jump_wall(back);
            }
            FaultFamily::ClockDrift => {
                let back = episode.parameters.drift_ppm.saturating_neg();
                self.site(node).add_drift(self.now_nanos(), back);
            }
            FaultFamily::ConnectRefused | FaultFamily::ConnectHang => {
                lock(self.net()).open_door(number);
            }
            FaultFamily::CutBoth
            | FaultFamily::CutOneWay
            | FaultFamily::Clog
            | FaultFamily::SlowLink
            | FaultFamily::Reset
            | FaultFamily::Latency
            | FaultFamily::DiskEio
            | FaultFamily::DiskEnospc
            | FaultFamily::DiskSlow
            | FaultFamily::DiskFsyncLost
            | FaultFamily::BlobLatency
            | FaultFamily::BlobErrorBurst
            | FaultFamily::BlobUnanswered
            | FaultFamily::BlobSilent
            | FaultFamily::BlobFull => {}
        }
    }

    fn trace_fault(&self, event: Event, number: Number, episode: &Episode) {
        let text = episode.to_string();
        let supervisor = self.site(SUPERVISOR).id();
        self.trace(supervisor, event, xxh3_64(text.as_bytes()) ^ number, || {
            text
        });
    }
}
