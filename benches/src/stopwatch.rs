//! Wall time, and CPU time of the whole process.
//!
//! Invariant: CPU time counts every thread, also those that have ended.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what is measured here is the real world"
)]

use std::fs;
use std::time::{Duration, Instant};

/// The unit of CPU times in `/proc`: Linux shows hundredths of a second everywhere.
const TICK: Duration = Duration::from_millis(10);

/// What a run has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Time on the clock.
    pub wall: Duration,
    /// CPU time of all threads; zero where `/proc` does not tell.
    pub cpu: Duration,
}

impl Spent {
    /// Records a second.
    pub fn rate(self, records: u64) -> f64 {
        records as f64 / self.wall.as_secs_f64()
    }
}

/// Runs `work` and tells what it has cost.
pub fn measure<R>(work: impl FnOnce() -> R) -> (R, Spent) {
    let (cpu, start) = (cpu_time(), Instant::now());
    let result = work();
    let wall = start.elapsed();
    let cpu = cpu_time().saturating_sub(cpu);
    (result, Spent { wall, cpu })
}

fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&stat).map_or(Duration::ZERO, |ticks| TICK * ticks)
}

/// User and system time: the 14th and 15th field, of which the second may have blanks.
fn ticks(stat: &str) -> Option<u32> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_blanks() {
        let stat = "7 (a (b) c) R 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20";
        assert_eq!(ticks(stat), Some(42));
    }
}
