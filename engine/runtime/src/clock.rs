//! Instants of the two clocks of a node.
//!
//! Invariant: monotonic instants are compared only with instants of the same node; the wall clock
//! may jump and decides nothing but processing time.

use std::fmt;
use std::time::Duration;

/// An instant of a node's monotonic clock: time since an origin that only this node knows.
///
/// ```
/// use sameriver_runtime::Monotonic;
/// use std::time::Duration;
/// let start = Monotonic::from_origin(Duration::from_millis(5));
/// let pause = Duration::from_millis(2);
/// assert_eq!(start.saturating_add(pause).since(start), pause);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The instant `elapsed` after the origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time since the origin.
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant `duration` later.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl fmt::Display for Monotonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// An instant of a node's wall clock: milliseconds since the epoch.
///
/// ```
/// assert_eq!(sameriver_runtime::WallTime::from_millis(5).as_millis(), 5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(i64);

impl WallTime {
    /// Wraps milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}
