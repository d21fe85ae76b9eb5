//! Stories told once: a job, its workload and what it promises, for both worlds.
//!
//! Reading order: [`story`] → [`word_count`] → [`windowed_totals`] → [`catalogue`].
//!
//! Invariant: a scenario has one definition of its job; the real world and the simulated one run
//! the same function, and references share no code with the engine.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod story;
pub mod windowed_totals;
pub mod word_count;

pub use story::{Rows, Story, Workload};
