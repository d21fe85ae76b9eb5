//! Proves before a batch that the world hurts and that the judge bites.
//!
//! Reading order: [`harness`] (all of it) → `power` (what a crash leaves of disks and tasks) →
//! `families` (every family of faults) → `exercise` (what faults are felt by) → `bite` (oracles
//! that are shown something wrong).
//!
//! Invariant: faults are looked at from where they hurt, not where they are counted. A world whose
//! faults do nothing, or a judge that looks at nothing, passes every seed: so no seed is run in it.

mod bite;
mod exercise;
mod families;
mod power;

use crate::finding::Finding;

/// Hurts small worlds, and shows something wrong to oracles.
///
/// # Errors
/// [`Finding`] of the kind harness with the first fault that is not felt, or the first oracle that
/// finds nothing wrong.
///
/// # Examples
/// ```
/// assert_eq!(sameriver_sim::proof::harness(), Ok(()));
/// ```
pub fn harness() -> Result<(), Finding> {
    power::prove()?;
    families::prove()?;
    bite::prove()
}

/// A defect of the harness.
fn defect(evidence: impl Into<String>) -> Finding {
    Finding::harness(evidence)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_world_hurts_and_the_judge_bites() {
        assert_eq!(super::harness(), Ok(()));
    }
}
