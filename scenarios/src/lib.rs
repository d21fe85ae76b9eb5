//! Stories told once: a job, its workload and what it promises, for both worlds.
//!
//! Reading order: [`story`] → [`word_count`] → [`windowed_totals`] → [`bank_transfer`] →
//! [`session_cart`] → [`poison_pill`] → [`catalogue`] → `simulate` → `sim_command` (feature `sim`).
//!
//! Invariant: a scenario has one definition of its job; the real world and the simulated one run
//! the same function, and references share no code with the engine.
#![forbid(unsafe_code)]

pub mod bank_transfer;
pub mod catalogue;
mod draw;
pub mod poison_pill;
#[cfg(feature = "sim")]
pub mod seed_range;
pub mod session_cart;
#[cfg(feature = "sim")]
pub mod sim_command;
#[cfg(feature = "sim")]
pub mod simulate;
pub mod story;
pub mod windowed_totals;
pub mod word_count;

#[cfg(feature = "sim")]
pub use seed_range::SeedRange;
pub use story::{Rows, Story, Workload};
