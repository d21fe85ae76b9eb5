//! Numbers the spans between two snapshots, so that an entry can say when it was last written.

use std::fmt;

/// The span of a table's life between two snapshots, counted from zero.
///
/// Each entry carries the epoch of its last write: an entry of the current epoch is not part of the
/// last snapshot. An entry that a snapshot has saved says so until it is written again.
///
/// ```
/// use sameriver_state::Epoch;
/// let (first, second) = (Epoch::default(), Epoch::default().next());
/// assert!(first < first.saved() && first.saved() < second);
/// assert_eq!((first.saved().get(), second.get()), (0, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u32);

impl Epoch {
    /// The number of the span.
    pub const fn get(self) -> u32 {
        self.0 / 2
    }

    /// What an entry says that the snapshot at the end of this span has saved: it was not written
    /// since.
    #[must_use]
    pub const fn saved(self) -> Self {
        Self(self.0 | 1)
    }

    /// The epoch after this one.
    ///
    /// # Panics
    /// After two billion snapshots of one attempt.
    #[must_use]
    pub fn next(self) -> Self {
        let next = (self.0 | 1).checked_add(1);
        Self(next.expect("an attempt ends before that"))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.get())
    }
}
