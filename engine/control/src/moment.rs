//! Instants by which deadlines are judged.
//!
//! Invariant: arithmetic saturates. Knows no clock: whoever drives the decisions reads one.

use std::time::Duration;

/// An instant of the job master's monotonic clock: time since an origin that only it knows.
///
/// ```
/// use sameriver_control::Moment;
/// use std::time::Duration;
/// let start = Moment::from_origin(Duration::from_secs(1));
/// assert!(start < start.saturating_add(Duration::from_millis(1)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The instant `elapsed` after the origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time since the origin.
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// The instant `duration` later.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Time from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
