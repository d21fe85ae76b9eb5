//! What the world keeps about one node through all its lives.
//!
//! Invariant: the disk and the clock outlive a crash; tasks and parked wakers do not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use sameriver_runtime::RandomStream;

use crate::counters::lock;
use crate::disk::{DiskModel, VOLUME};
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

    /// How long the world waits until the node has waited `local` nanoseconds; never less, since
    /// a wait that ends too early would be waited again, at the same instant.
    pub fn global_duration(self, local: u64) -> u64 {
        let rate = (MILLION + i128::from(self.drift_ppm)).max(1);
        let exact = i128::from(local) * MILLION;
        clamp((exact + rate - 1) / rate)
    }
}

/// A node's clocks as they run: the monotonic one goes on from where it was, whatever is set.
#[derive(Clone, Copy, Debug, Default)]
struct Clocks {
    set: NodeClock,
    /// What faults add to the drift.
    drift_ppm: i32,
    /// What faults add to the wall clock.
    wall_nanos: i64,
    /// From this instant of the world on...
    since: u64,
    /// ... the node counts from here.
    base: u64,
}

impl Clocks {
    fn rate(&self) -> NodeClock {
        NodeClock {
            offset_nanos: 0,
            drift_ppm: self.set.drift_ppm.saturating_add(self.drift_ppm),
        }
    }

    fn monotonic(&self, global: u64) -> u64 {
        let passed = self.rate().local(global.saturating_sub(self.since));
        self.base.saturating_add(passed)
    }

    fn rebase(&mut self, global: u64) {
        self.base = self.monotonic(global);
        self.since = global;
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
    name: Arc<str>,
    generation: AtomicU64,
    up: AtomicBool,
    paused: AtomicBool,
    clocks: Mutex<Clocks>,
    record_nanos: AtomicU64,
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
            name: Arc::from(name),
            generation: AtomicU64::new(0),
            up: AtomicBool::new(true),
            paused: AtomicBool::new(false),
            clocks: Mutex::default(),
            record_nanos: AtomicU64::new(log_between(&mut draws, 1_000, 50_000)),
            wall_start_millis: wall_start(seed),
            tasks: Mutex::default(),
            disk: Mutex::new(disk(seed, name)),
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

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
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

    /// The node's monotonic clock at an instant of the world, in nanoseconds.
    pub(crate) fn monotonic(&self, global: u64) -> u64 {
        lock(&self.clocks).monotonic(global)
    }

    /// How far the node's wall clock has come since the start of the run, in milliseconds.
    pub(crate) fn wall_millis(&self, global: u64) -> i64 {
        let clocks = *lock(&self.clocks);
        let nanos = i128::from(clocks.monotonic(global)) + i128::from(clocks.wall_nanos);
        i64::try_from(nanos.div_euclid(MILLION)).unwrap_or(i64::MAX)
    }

    /// How long the world waits until the node has waited `local` nanoseconds.
    pub(crate) fn global_duration(&self, local: u64) -> u64 {
        lock(&self.clocks).rate().global_duration(local)
    }

    /// Sets the clocks apart from the world's; the monotonic one never goes back.
    pub(crate) fn set_clock(&self, global: u64, clock: NodeClock) {
        let mut clocks = lock(&self.clocks);
        clocks.rebase(global);
        clocks.base = clocks.base.max(clock.local(global));
        clocks.set = clock;
    }

    /// A fault sets the wall clock forward, or back.
    pub(crate) fn jump_wall(&self, nanos: i64) {
        let mut clocks = lock(&self.clocks);
        clocks.wall_nanos = clocks.wall_nanos.saturating_add(nanos);
    }

    /// A fault lets the clocks run faster, or slower.
    pub(crate) fn add_drift(&self, global: u64, ppm: i32) {
        let mut clocks = lock(&self.clocks);
        clocks.rebase(global);
        clocks.drift_ppm = clocks.drift_ppm.saturating_add(ppm);
    }

    /// Whether a fault has set the wall clock wrong.
    pub(crate) fn has_jumped(&self) -> bool {
        lock(&self.clocks).wall_nanos != 0
    }

    /// Whether a fault lets the clocks run wrong.
    pub(crate) fn drifts(&self) -> bool {
        lock(&self.clocks).drift_ppm != 0
    }

    /// What one record costs here, in nanoseconds.
    pub(crate) fn record_nanos(&self) -> u64 {
        self.record_nanos.load(Ordering::Relaxed)
    }

    pub(crate) fn set_record_nanos(&self, nanos: u64) {
        self.record_nanos.store(nanos, Ordering::Relaxed);
    }

    /// The wall clock at the start of the run, before the node's own offset.
    pub(crate) fn wall_start_millis(&self) -> i64 {
        self.wall_start_millis
    }
}

fn disk(seed: u64, name: &str) -> DiskModel {
    let mut disk = DiskModel::new(RandomStream::named(seed, &format!("disk {name}")));
    if name == VOLUME {
        disk.add_shared_folder();
    }
    disk
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
    fn the_monotonic_clock_never_goes_back_whatever_is_set() {
        let site = NodeSite::new(1, NodeId(1), "node");
        let mut last = 0;
        for step in 1..200_u64 {
            let global = step * 1_000_000;
            match step % 4 {
                0 => site.jump_wall(-3_600_000_000_000),
                1 => site.add_drift(global, -700_000),
                2 => site.add_drift(global, 700_000),
                _ => site.set_clock(global, NodeClock::default()),
            }
            let now = site.monotonic(global);
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
    }

    #[test]
    fn the_shortest_wait_of_a_fast_clock_takes_time() {
        let fast = NodeClock {
            offset_nanos: 0,
            drift_ppm: 200,
        };
        assert_eq!(fast.global_duration(0), 0);
        assert_eq!(fast.global_duration(1), 1);
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
