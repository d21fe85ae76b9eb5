//! Operators with state a key. Each is the head of its chain, behind a hash exchange.
//!
//! Invariant: a record meets the state of its own key only, found by one hash; the state is that of
//! the key groups of this subtask.

mod keys_ahead;
mod number;
mod process;
mod reduce;
mod running;
mod slots;

pub use number::Number;
pub use process::{FromFn, KeyedProcess, Timer, process};
pub use reduce::reduce;
pub use running::{SumOverflow, max, min, sum};

#[cfg(test)]
mod tests;
