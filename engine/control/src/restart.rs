//! When and how often a job is restarted after a failure.
//!
//! Invariant: pure and saturating. Even the jitter comes from a number that was handed in: the same
//! failures at the same instants give the same decisions. Knows no job: it counts failures.

use std::collections::VecDeque;
use std::time::Duration;

use crate::backoff::{Backoff, duration};
use crate::moment::Moment;

/// What to do about failures that a restart may mend.
///
/// ```
/// use sameriver_control::{Moment, RestartDecision, RestartStrategy, Restarts};
/// use std::time::Duration;
/// let delay = Duration::from_secs(1);
/// let mut restarts = Restarts::new(RestartStrategy::FixedDelay { attempts: 1, delay }, 0);
/// let now = Moment::default();
/// assert_eq!(restarts.on_failure(now), RestartDecision::Restart { after: delay });
/// assert_eq!(restarts.on_failure(now), RestartDecision::GiveUp);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartStrategy {
    /// The first failure ends the job.
    None,
    /// So many restarts in the life of this job master, each after the same wait.
    FixedDelay {
        /// How many restarts.
        attempts: u32,
        /// The wait before each.
        delay: Duration,
    },
    /// Restarts as long as failures are rare.
    FailureRate {
        /// How many failures within the interval are tolerated; one more ends the job.
        failures_max: u32,
        /// The interval, ending now (inclusive).
        interval: Duration,
        /// The wait before each restart.
        delay: Duration,
    },
    /// Restarts for ever, less and less often.
    ExponentialDelay {
        /// The waits.
        backoff: Backoff,
        /// How long all subtasks must have run for the next failure to count as the first again.
        reset_after: Duration,
        /// By how much a wait may differ from the drawn-up one, up or down, in percent.
        jitter_percent: u32,
    },
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartDecision {
    /// A new attempt begins after this wait.
    Restart {
        /// The wait, from the instant at which nothing of the old attempt runs any more.
        after: Duration,
    },
    /// The job ends.
    GiveUp,
}

/// The failures of one job so far, judged by its strategy.
///
/// ```
/// use sameriver_control::{Moment, RestartDecision, RestartStrategy, Restarts};
/// let mut restarts = Restarts::new(RestartStrategy::None, 0);
/// assert_eq!(restarts.on_failure(Moment::default()), RestartDecision::GiveUp);
/// ```
#[derive(Clone, Debug)]
pub struct Restarts {
    strategy: RestartStrategy,
    seed: u64,
    /// Failures since the start, or since the last reset.
    failures: u32,
    /// Restarts ever granted: each has a jitter of its own.
    granted: u64,
    /// The latest failures that the rate may count.
    recent: VecDeque<Moment>,
    running_since: Option<Moment>,
}

impl Restarts {
    /// No failure yet; `seed` is what jitter is drawn from.
    pub const fn new(strategy: RestartStrategy, seed: u64) -> Self {
        Self {
            strategy,
            seed,
            failures: 0,
            granted: 0,
            recent: VecDeque::new(),
            running_since: None,
        }
    }

    /// All subtasks of the job run.
    pub const fn on_running(&mut self, now: Moment) {
        if self.running_since.is_none() {
            self.running_since = Some(now);
        }
    }

    /// The job failed in a way that a restart may mend.
    pub fn on_failure(&mut self, now: Moment) -> RestartDecision {
        let ran = self.running_since.take().map(|since| now.since(since));
        let after = match self.strategy {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                (self.failures < attempts).then_some(delay)
            }
            RestartStrategy::FailureRate {
                failures_max,
                interval,
                delay,
            } => (self.count_recent(failures_max, interval, now) <= failures_max as usize)
                .then_some(delay),
            RestartStrategy::ExponentialDelay {
                backoff,
                reset_after,
                jitter_percent,
            } => {
                if ran.is_some_and(|ran| ran >= reset_after) {
                    self.failures = 0;
                }
                Some(self.jittered(backoff, jitter_percent))
            }
        };
        self.failures = self.failures.saturating_add(1);
        match after {
            Some(after) => {
                self.granted = self.granted.saturating_add(1);
                RestartDecision::Restart { after }
            }
            None => RestartDecision::GiveUp,
        }
    }

    /// Counts this failure and those before it within the interval.
    fn count_recent(&mut self, failures_max: u32, interval: Duration, now: Moment) -> usize {
        self.recent.retain(|at| now.since(*at) <= interval);
        self.recent.push_back(now);
        while self.recent.len() > failures_max as usize + 1 {
            self.recent.pop_front();
        }
        self.recent.len()
    }

    fn jittered(&self, backoff: Backoff, jitter_percent: u32) -> Duration {
        let wait = backoff.wait(self.failures).as_nanos();
        let spread = wait.saturating_mul(u128::from(jitter_percent.min(100))) / 100;
        // Uniform over the span in steps of 2^-32: nobody tells finer ones apart.
        let draw = u128::from(mixed(self.seed ^ mixed(self.granted)) >> 32);
        let offset = (spread >> 31).saturating_mul(draw) + (((spread & 0x7fff_ffff) * draw) >> 31);
        let jittered = (wait - spread).saturating_add(offset);
        duration(jittered).min(backoff.max)
    }
}

/// The finalizer of splitmix64: spreads a number over all 64 bits.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests;
