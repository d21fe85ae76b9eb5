//! What the world keeps about one node through all its lives.
//!
//! Invariant: the disk and the clock outlive a crash; tasks and parked wakers do not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use sameriver_runtime::RandomStream;

use crate::counters::lock;
use crate::disk::DiskModel;
use crate::life::{Generation, NodeId};
use crate::node_task::TaskCell;

/// How a node's clocks differ from the world's.
///
/// ```
/// use sameriver_sim::NodeClock;
/// let fast = NodeClock { offset_nanos: 0, drift_ppm: 200 };
/// assert_eq!(fast.local(1_000_000), 1_000_200);
/// assert_eq!(fast.global_duration(1_000_200), 1_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeClock {
    /// What is added to the world's time, in nanoseconds.
    pub offset_nanos: i64,
    /// How many microseconds the node gains in a second of the world.
    pub drift_ppm: i32,
}

const MILLION: i128 = 1_000_000;

impl NodeClock {
    /// The node's time at an instant of the world, both in nanoseconds.
    pub fn local(self, global: u64) -> u64 {
        let scaled = i128::from(global) * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        clamp(scaled + i128::from(self.offset_nanos))
    }

    /// How long the world waits until the node has waited `local` nanoseconds.
    pub fn global_duration(self, local: u64) -> u64 {
        clamp(i128::from(local) * MILLION / (MILLION + i128::from(self.drift_ppm)).max(1))
    }
}

fn clamp(nanos: i128) -> u64 {
    u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)
}

#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) cells: BTreeMap<u64, Arc<TaskCell>>,
    pub(crate) parked: Vec<Waker>,
    pub(crate) next: u64,
}

pub(crate) struct NodeSite {
    id: NodeId,
    name: String,
    generation: AtomicU64,
    up: AtomicBool,
    paused: AtomicBool,
    clock: Mutex<NodeClock>,
    record_nanos: u64,
    wall_start_millis: i64,
    pub(crate) tasks: Mutex<Tasks>,
    pub(crate) disk: Mutex<DiskModel>,
    pub(crate) blocking: Mutex<RandomStream>,
    pub(crate) turns: Mutex<RandomStream>,
}

impl NodeSite {
    /// A node that has not started yet; what differs between nodes is drawn from the seed.
    pub(crate) fn new(seed: u64, id: NodeId, name: &str) -> Self {
        let mut draws = RandomStream::named(seed, &format!("node {name}"));
        Self {
            id,
            name: name.to_owned(),
            generation: AtomicU64::new(0),
            up: AtomicBool::new(true),
            paused: AtomicBool::new(false),
            clock: Mutex::default(),
            record_nanos: log_between(&mut draws, 1_000, 50_000),
            wall_start_millis: wall_start(seed),
            tasks: Mutex::default(),
            disk: Mutex::new(DiskModel::new(RandomStream::named(
                seed,
                &format!("disk {name}"),
            ))),
            blocking: Mutex::new(RandomStream::named(seed, &format!("blocking {name}"))),
            turns: Mutex::new(RandomStream::named(seed, &format!("turns {name}"))),
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Relaxed))
    }

    pub(crate) fn end_generation(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(crate) fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    pub(crate) fn clock(&self) -> NodeClock {
        *lock(&self.clock)
    }

    pub(crate) fn set_clock(&self, clock: NodeClock) {
        *lock(&self.clock) = clock;
    }

    /// What one record costs here, in nanoseconds.
    pub(crate) fn record_nanos(&self) -> u64 {
        self.record_nanos
    }

    /// The wall clock at the start of the run, before the node's own offset.
    pub(crate) fn wall_start_millis(&self) -> i64 {
        self.wall_start_millis
    }
}

/// Some instant within 30 years, so that no code gets used to a date.
fn wall_start(seed: u64) -> i64 {
    const START_OF_2020_MILLIS: i64 = 1_577_836_800_000;
    const THIRTY_YEARS_MILLIS: u64 = 30 * 365 * 24 * 3_600 * 1_000;
    let drawn = RandomStream::named(seed, "wall clock").below(THIRTY_YEARS_MILLIS);
    START_OF_2020_MILLIS + i64::try_from(drawn).expect("30 years fit")
}

/// A number in `low..high` whose logarithm is spread evenly; integers only.
pub(crate) fn log_between(draws: &mut RandomStream, low: u64, high: u64) -> u64 {
    let mut doublings = 0;
    while low << (doublings + 1) <= high {
        doublings += 1;
    }
    let base = low << draws.between(0, doublings);
    let drawn = base + draws.below(base);
    drawn.min(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_between_stays_in_its_range_and_reaches_both_ends() {
        let mut draws = RandomStream::named(1, "log");
        let drawn: Vec<u64> = (0..1_000)
            .map(|_| log_between(&mut draws, 20, 5_000))
            .collect();
        assert!(drawn.iter().all(|n| (20..=5_000).contains(n)));
        assert!(drawn.iter().any(|n| *n < 40) && drawn.iter().any(|n| *n > 3_000));
    }

    #[test]
    fn a_slow_clock_waits_longer_in_the_world() {
        let slow = NodeClock {
            offset_nanos: -5,
            drift_ppm: -500_000,
        };
        assert_eq!(slow.local(100), 45);
        assert_eq!(slow.global_duration(100), 200);
    }
}
