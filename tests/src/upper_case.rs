//! The smallest job between the standard streams: lines in, the same lines in capital letters out.
//!
//! Invariant: one job function for a real process and for the simulated world.

use sameriver::prelude::*;

/// Reads lines from the standard input and prints them in capital letters.
///
/// # Errors
/// [`BuildError`] when the settings do not fit.
pub fn upper_case(env: &mut Environment) -> Result<(), BuildError> {
    env.source("lines", Stdin::lines())
        .map(|line| line.to_uppercase())
        .print("loud lines")
}
