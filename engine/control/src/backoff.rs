//! Waits that grow.
//!
//! Invariant: pure and saturating: the n-th wait depends on nothing but n, and never exceeds the
//! longest one.

use std::time::Duration;

/// A wait that is multiplied at each repetition, up to a longest one.
///
/// ```
/// use sameriver_control::Backoff;
/// use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let doubling = Backoff { initial: second, max: second * 5, multiplier_percent: 200 };
/// let waits: Vec<_> = (0..4).map(|nth| doubling.wait(nth).as_secs()).collect();
/// assert_eq!(waits, [1, 2, 4, 5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
    /// What a wait is multiplied by to make the next one, in percent: 150 is half as much again.
    /// Below 100 counts as 100.
    pub multiplier_percent: u32,
}

impl Backoff {
    /// No wait at all.
    pub const NONE: Self = Self {
        initial: Duration::ZERO,
        max: Duration::ZERO,
        multiplier_percent: 100,
    };

    /// The wait before repetition `nth`, counted from 0.
    pub fn wait(&self, nth: u32) -> Duration {
        let multiplier = u128::from(self.multiplier_percent.max(100));
        let max = self.max.as_nanos();
        let mut nanos = self.initial.as_nanos();
        for _ in 0..nth {
            if nanos >= max || nanos == 0 || multiplier == 100 {
                break;
            }
            // A wait of a nanosecond must grow too.
            nanos = (nanos.saturating_mul(multiplier) / 100).max(nanos + 1);
        }
        duration(nanos.min(max))
    }
}

/// Whole nanoseconds as a duration, or the longest one.
pub(crate) fn duration(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / 1_000_000_000);
    let rest = u32::try_from(nanos % 1_000_000_000).expect("a remainder is below the divisor");
    seconds.map_or(Duration::MAX, |seconds| Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_grows_to_the_longest_and_stays_there_for_ever() {
        let backoff = Backoff {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(1),
            multiplier_percent: 300,
        };
        let waits = [0, 1, 2, 3, u32::MAX].map(|nth| backoff.wait(nth).as_millis());
        assert_eq!(waits, [100, 300, 900, 1_000, 1_000]);
    }

    #[test]
    fn a_wait_beyond_all_bounds_saturates() {
        let backoff = Backoff {
            initial: Duration::MAX,
            max: Duration::MAX,
            multiplier_percent: u32::MAX,
        };
        assert_eq!(backoff.wait(u32::MAX), Duration::MAX);
        assert_eq!(Backoff::NONE.wait(7), Duration::ZERO);
    }
}
