//! How long a commit that fails is tried again, how long each wait is, and when somebody is told.
//!
//! Invariant: waits grow, and none goes beyond the limit, so the last try is made at the limit.
//! Whoever reads the log hears of the first failure and then ever more seldom. Reads no clock.

use std::time::Duration;

use sameriver_runtime::Monotonic;

/// The first wait after a commit that may be tried again; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest wait.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What has been tried so far.
pub(super) struct Patience {
    limit: Duration,
    begun: Monotonic,
    failures: u32,
    pause: Duration,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try again after this wait; the log is told of this failure, or not.
    Again { pause: Duration, is_told: bool },
    /// It was tried for long enough.
    GiveUp,
}

impl Patience {
    /// Begins to try, for as long as `limit`.
    pub(super) const fn begin(limit: Duration, now: Monotonic) -> Self {
        Self {
            limit,
            begun: now,
            failures: 0,
            pause: PAUSE_MIN,
        }
    }

    /// How often it failed.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Notes a failure.
    pub(super) fn on_failure(&mut self, now: Monotonic) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        let left = self.limit.saturating_sub(now.since(self.begun));
        if left.is_zero() {
            return Verdict::GiveUp;
        }
        let pause = self.pause.min(left);
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
        Verdict::Again {
            pause,
            is_told: self.failures.is_power_of_two(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits in milliseconds, and the failures that the log was told of.
    fn check(limit: Duration) -> (Vec<u128>, Vec<u32>) {
        let mut now = Monotonic::from_origin(Duration::from_secs(7));
        let mut patience = Patience::begin(limit, now);
        let (mut pauses, mut told) = (Vec::new(), Vec::new());
        while let Verdict::Again { pause, is_told } = patience.on_failure(now) {
            pauses.push(pause.as_millis());
            if is_told {
                told.push(patience.failures());
            }
            now = now.saturating_add(pause);
        }
        (pauses, told)
    }

    #[test]
    fn waits_grow_and_the_last_try_is_made_at_the_limit() {
        let (pauses, _) = check(Duration::from_secs(30));
        let grown = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 7_300];
        assert_eq!(pauses, grown);
    }

    #[test]
    fn the_log_is_told_of_the_first_failure_and_then_ever_more_seldom() {
        let (_, told) = check(Duration::from_mins(3));
        assert_eq!(told, [1, 2, 4, 8, 16]);
    }

    #[test]
    fn without_patience_the_first_failure_is_the_last() {
        assert_eq!(check(Duration::ZERO), (vec![], vec![]));
    }
}
