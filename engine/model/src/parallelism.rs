//! How many subtasks a vertex has now, and how many key groups it has for ever.
//!
//! Invariant: `1 <= parallelism <= max parallelism <= 32768`.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number of subtasks or key groups that is out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParallelismError {
    /// Zero, or above the number of key groups that the format allows.
    #[error("{what} {value} is out of range: choose 1 to {limit}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// The refused value.
        value: u32,
        /// The largest accepted value (inclusive).
        limit: u32,
    },
    /// More subtasks than key groups: some would never own a key.
    #[error(
        "parallelism {parallelism} is above max parallelism {max}: lower the parallelism, or raise \
         max_parallelism before the job has state"
    )]
    AboveMax {
        /// The refused number of subtasks.
        parallelism: u32,
        /// The number of key groups.
        max: u32,
    },
}

/// The number of subtasks of a vertex, at least 1.
///
/// ```
/// use sameriver_model::Parallelism;
/// assert!(Parallelism::new(0).is_err());
/// assert_eq!(Parallelism::new(4)?.get(), 4);
/// # Ok::<(), sameriver_model::ParallelismError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Parallelism(u32);

impl Parallelism {
    /// A single subtask.
    pub const ONE: Self = Self(1);

    /// Checks the range.
    ///
    /// # Errors
    /// [`ParallelismError::OutOfRange`] unless `1 <= value <= 32768`.
    pub fn new(value: u32) -> Result<Self, ParallelismError> {
        if (1..=MaxParallelism::LIMIT).contains(&value) {
            return Ok(Self(value));
        }
        let (what, limit) = ("parallelism", MaxParallelism::LIMIT);
        Err(ParallelismError::OutOfRange { what, value, limit })
    }

    /// The number of subtasks.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Parallelism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of key groups, fixed for the life of a job's state.
///
/// ```
/// use sameriver_model::{MaxParallelism, Parallelism};
/// let max = MaxParallelism::default();
/// assert_eq!(max.get(), 128);
/// assert!(max.check(Parallelism::new(129)?).is_err());
/// # Ok::<(), sameriver_model::ParallelismError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MaxParallelism(u32);

impl MaxParallelism {
    /// The largest number of key groups (inclusive).
    pub const LIMIT: u32 = 32_768;

    /// Checks the range.
    ///
    /// # Errors
    /// [`ParallelismError::OutOfRange`] unless `1 <= value <= 32768`.
    pub fn new(value: u32) -> Result<Self, ParallelismError> {
        if (1..=Self::LIMIT).contains(&value) {
            return Ok(Self(value));
        }
        let (what, limit) = ("max parallelism", Self::LIMIT);
        Err(ParallelismError::OutOfRange { what, value, limit })
    }

    /// The number of key groups.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Refuses a parallelism that leaves subtasks without key groups.
    ///
    /// # Errors
    /// [`ParallelismError::AboveMax`].
    pub fn check(self, parallelism: Parallelism) -> Result<(), ParallelismError> {
        if parallelism.get() <= self.0 {
            return Ok(());
        }
        Err(ParallelismError::AboveMax {
            parallelism: parallelism.get(),
            max: self.0,
        })
    }
}

impl Default for MaxParallelism {
    fn default() -> Self {
        Self(128)
    }
}

impl fmt::Display for MaxParallelism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
