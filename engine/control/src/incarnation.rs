//! Tells one life of a task manager from the next.
//!
//! Invariant: of two registrations with the same index the higher incarnation is the later one;
//! what an earlier one says is not listened to. Knows neither processes nor connections.

use std::fmt;

/// Which registration of a task manager this is; each is higher than the one before.
///
/// Whoever registers makes it: the instant its process began, plus one a registration, will do. It
/// only has to differ from the one before; one that does not rise, because a clock has jumped back,
/// is let in once the one before is lost.
///
/// ```
/// use sameriver_control::Incarnation;
/// assert!(Incarnation::new(1) < Incarnation::new(2));
/// assert_eq!(Incarnation::new(2).to_string(), "i2");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Wraps the number that the task manager gave.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number that the task manager gave.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}
