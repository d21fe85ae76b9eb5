//! How long a data thread is kept between the ends of two slices of records, and what it works.
//!
//! Invariant: the clocks are read when a slice has reached the sink, on the thread that ran it, so
//! nothing that the thread does in between is left out: slices of other subtasks, barriers, the
//! synchronous part of a snapshot, steps of its walk, growing tables. CPU time of the thread does
//! not count the time for which other processes had the core; time on the clock does.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what is measured here is the real world"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The longest of the times between two slices, and how many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// CPU time of the thread.
    pub cpu: Duration,
    /// Time on the clock.
    pub wall: Duration,
    /// Between how many slices there was a look.
    pub looks: u64,
    /// CPU time of all threads, from their first slice to their last.
    pub worked: Duration,
}

impl Stop {
    /// The longer one of both, each by its own clock.
    #[must_use]
    pub fn or_longer(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            wall: self.wall.max(other.wall),
            looks: self.looks + other.looks,
            worked: self.worked + other.worked,
        }
    }
}

/// What all watches of a run have seen; its clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stops(Arc<Mutex<Stop>>);

impl Stops {
    /// The longest of all threads, once their watches are dropped.
    pub fn longest(&self) -> Stop {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A watch for one thread.
    pub(crate) fn watch(&self) -> Watch {
        Watch {
            all: self.clone(),
            last: None,
            longest: Stop::default(),
        }
    }
}

/// Looks at the clocks of one thread; tells what it has seen when it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    all: Stops,
    last: Option<(Duration, Instant)>,
    longest: Stop,
}

impl Watch {
    /// A slice has ended.
    pub(crate) fn slice(&mut self) {
        let now = (thread_cpu_time(), Instant::now());
        if let Some((cpu, wall)) = self.last.replace(now) {
            let cpu = now.0.saturating_sub(cpu);
            self.longest = self.longest.or_longer(Stop {
                cpu,
                wall: now.1.duration_since(wall),
                looks: 1,
                worked: cpu,
            });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.or_longer(self.longest);
    }
}

/// The CPU time that the calling thread has had so far.
fn thread_cpu_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(tv_sec as u64, tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_seen_between_two_slices_and_not_before_the_first() {
        let stops = Stops::default();
        let mut watch = stops.watch();
        let spin = |cpu: Duration| {
            let until = thread_cpu_time() + cpu;
            while thread_cpu_time() < until {}
        };
        let stop = Duration::from_millis(5);
        spin(4 * stop);
        watch.slice();
        spin(stop);
        watch.slice();
        drop(watch);
        let longest = stops.longest();
        assert_eq!(longest.looks, 1);
        assert!(
            longest.cpu >= stop && longest.cpu < 4 * stop,
            "{longest:?} instead of {stop:?}"
        );
    }
}
