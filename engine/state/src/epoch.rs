//! Numbers the spans between two snapshots, so that an entry can say when it was last written.

use std::fmt;

/// The span of a table's life between two snapshots, counted from zero.
///
/// Each entry carries the epoch of its last write: an entry of the current epoch is not part of the
/// last snapshot.
///
/// ```
/// use sameriver_state::Epoch;
/// assert!(Epoch::default() < Epoch::default().next());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u32);

impl Epoch {
    /// The number of the epoch.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The epoch after this one.
    ///
    /// # Panics
    /// After four billion snapshots of one attempt.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("an attempt ends before that"))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}
