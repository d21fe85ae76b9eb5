//! A span of event time, and the assigner that cuts time into such spans.
//!
//! Invariant: every instant is in exactly one tumbling window; arithmetic at the ends of time
//! saturates.

use std::fmt;
use std::time::Duration;

use sameriver_model::EventTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The span `start..end` of event time.
///
/// ```
/// use sameriver_model::EventTime;
/// use sameriver_operator::window::TimeWindow;
/// let window = TimeWindow { start: EventTime::from_millis(0), end: EventTime::from_millis(60) };
/// assert_eq!(window.last_instant(), EventTime::from_millis(59));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimeWindow {
    /// The first instant (inclusive).
    pub start: EventTime,
    /// The end (exclusive).
    pub end: EventTime,
}

impl TimeWindow {
    /// The last instant that is in the window.
    #[inline]
    pub fn last_instant(self) -> EventTime {
        EventTime::from_millis(self.end.as_millis().saturating_sub(1))
    }

    /// Whether `time` is in the window.
    #[inline]
    pub fn contains(self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}..{})", self.start, self.end)
    }
}

/// A window that holds no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a window of {size:?} is too small: choose at least 1 ms and at most 292 million years")]
pub struct WindowSizeError {
    size: Duration,
}

/// Cuts event time into windows of one size, aligned to the epoch.
///
/// ```
/// use sameriver_model::EventTime;
/// use sameriver_operator::window::Tumbling;
/// use std::time::Duration;
/// let minutes = Tumbling::of(Duration::from_secs(60));
/// let window = minutes.assign(EventTime::from_millis(60_001));
/// assert_eq!(window.to_string(), "[60000ms..120000ms)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    size: Duration,
}

impl Tumbling {
    /// Windows of `size`; sub-millisecond parts are cut off.
    pub const fn of(size: Duration) -> Self {
        Self { size }
    }

    /// The size as it was asked for.
    pub const fn size(self) -> Duration {
        self.size
    }

    /// Refuses a size that is no span of event time.
    ///
    /// # Errors
    /// [`WindowSizeError`] unless the size is 1 to [`i64::MAX`] milliseconds.
    pub fn check(self) -> Result<(), WindowSizeError> {
        let size = self.size;
        match i64::try_from(size.as_millis()) {
            Ok(1..) => Ok(()),
            Ok(_) | Err(_) => Err(WindowSizeError { size }),
        }
    }

    /// The window that `time` is in. The very last instant, which is before no end, is taken into
    /// the window of the instant before it.
    ///
    /// # Panics
    /// If [`check`](Self::check) refuses the size and it is zero.
    pub fn assign(self, time: EventTime) -> TimeWindow {
        let size = i64::try_from(self.size.as_millis()).unwrap_or(i64::MAX);
        let time = time.as_millis().min(i64::MAX - 1);
        let into = time.rem_euclid(size);
        TimeWindow {
            start: EventTime::from_millis(time.saturating_sub(into)),
            end: EventTime::from_millis(time.saturating_add(size - into)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size: u64, time: i64, start: i64, end: i64) {
        let window = Tumbling::of(Duration::from_millis(size)).assign(time.into());
        let (start, end) = (start.into(), end.into());
        assert_eq!(window, TimeWindow { start, end });
    }

    #[test]
    fn windows_are_aligned_to_the_epoch_also_before_it() {
        check(10, 0, 0, 10);
        check(10, 19, 10, 20);
        check(10, -1, -10, 0);
        check(10, -10, -10, 0);
    }

    #[test]
    fn windows_at_the_ends_of_time_are_cut_off() {
        check(10, i64::MIN, i64::MIN, i64::MIN + 8);
        check(10, i64::MAX, i64::MAX - 7, i64::MAX);
        check(1, i64::MAX, i64::MAX - 1, i64::MAX);
    }

    #[test]
    fn a_window_without_an_instant_is_refused() {
        let size = Duration::from_micros(999);
        let error = Tumbling::of(size).check().expect_err("no millisecond");
        assert!(error.to_string().contains("at least 1 ms"));
        assert!(Tumbling::of(Duration::MAX).check().is_err());
        assert!(Tumbling::of(Duration::from_millis(1)).check().is_ok());
    }
}
