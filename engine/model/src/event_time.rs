//! Event time, processing time and the watermark: whose clock, in milliseconds.
//!
//! Invariant: arithmetic saturates. A watermark below the first instant must never wrap around to
//! the end of time and close every window.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// When something happened, by the data: milliseconds since the epoch, may be negative.
///
/// ```
/// use sameriver_model::EventTime;
/// use std::time::Duration;
/// let end = EventTime::from_millis(5).saturating_add(Duration::from_secs(1));
/// assert_eq!(end.as_millis(), 1_005);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EventTime(i64);

impl EventTime {
    /// The first instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The last instant.
    pub const MAX: Self = Self(i64::MAX);

    /// Wraps milliseconds since the epoch.
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[inline]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `duration` later, or the last one; sub-millisecond parts are cut off.
    #[inline]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The instant `duration` earlier, or the first one; sub-millisecond parts are cut off.
    #[inline]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

impl From<i64> for EventTime {
    /// Reads the number as milliseconds since the epoch.
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// Now, by the wall clock of the node: milliseconds since the epoch.
///
/// ```
/// use sameriver_model::ProcessingTime;
/// assert_eq!(ProcessingTime::from_millis(7).as_millis(), 7);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ProcessingTime(i64);

impl ProcessingTime {
    /// Wraps milliseconds since the epoch.
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[inline]
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ProcessingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A promise that no later record has an event time at or before this instant.
///
/// ```
/// use sameriver_model::{EventTime, Watermark};
/// assert!(Watermark::MIN < Watermark::at(EventTime::from_millis(0)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Watermark(EventTime);

impl Watermark {
    /// Promises nothing yet.
    pub const MIN: Self = Self(EventTime::MIN);
    /// No record will follow: the end of input.
    pub const MAX: Self = Self(EventTime::MAX);

    /// Promises that no later record is at or before `time` (inclusive).
    #[inline]
    pub const fn at(time: EventTime) -> Self {
        Self(time)
    }

    /// The promised instant (inclusive).
    #[inline]
    pub const fn time(self) -> EventTime {
        self.0
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.0.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_the_first_instant_saturates() {
        let minute = Duration::from_mins(1);
        assert_eq!(EventTime::MIN.saturating_sub(minute), EventTime::MIN);
        assert_eq!(EventTime::MAX.saturating_add(Duration::MAX), EventTime::MAX);
    }
}
