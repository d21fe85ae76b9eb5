//! V1 to V4: did a run show anything?
//!
//! Invariant: a vacuous run is neither pass nor fail. A run without a completed checkpoint, without
//! compared output or (unless it is calm) without a fault that took effect is vacuous; that each
//! family of faults takes effect, and that state is restored, is judged over a whole batch.

use super::Invariant;
use crate::finding::Finding;

/// What a run went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WentThrough {
    /// Whether the run takes checkpoints at all.
    pub has_checkpoints: bool,
    /// Checkpoints that were published.
    pub checkpoints: u64,
    /// Items of output that were compared.
    pub compared: u64,
    /// Whether faults were meant to happen.
    pub has_faults: bool,
    /// How often one took effect.
    pub effects: u64,
}

/// Asks whether the run showed anything.
///
/// # Errors
/// [`Finding`] of the kind vacuous with what was missing.
pub fn vacuity(went: &WentThrough) -> Result<(), Finding> {
    let missing = if went.compared == 0 {
        (Invariant::Compared, "no output was compared")
    } else if went.has_checkpoints && went.checkpoints == 0 {
        (Invariant::Checkpointed, "no checkpoint completed")
    } else if went.has_faults && went.effects == 0 {
        (Invariant::FaultTookEffect, "no fault took effect")
    } else {
        return Ok(());
    };
    Err(Finding::breach(missing.0, missing.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingKind;

    fn missing(change: impl FnOnce(&mut WentThrough)) -> Option<Invariant> {
        let mut went = WentThrough {
            has_checkpoints: true,
            checkpoints: 1,
            compared: 1,
            has_faults: true,
            effects: 1,
        };
        change(&mut went);
        let finding = vacuity(&went).err()?;
        assert_eq!(finding.kind, FindingKind::Vacuous);
        finding.invariant
    }

    #[test]
    fn a_run_that_went_through_everything_is_not_vacuous() {
        assert_eq!(missing(|_| {}), None);
    }

    #[test]
    fn each_thing_that_is_missing_makes_a_run_vacuous() {
        assert_eq!(missing(|went| went.compared = 0), Some(Invariant::Compared));
        assert_eq!(
            missing(|went| went.checkpoints = 0),
            Some(Invariant::Checkpointed)
        );
        assert_eq!(
            missing(|went| went.effects = 0),
            Some(Invariant::FaultTookEffect)
        );
    }

    #[test]
    fn a_calm_run_needs_no_fault_and_a_job_without_checkpoints_none() {
        let calm = |went: &mut WentThrough| (went.has_faults, went.effects) = (false, 0);
        let none = |went: &mut WentThrough| (went.has_checkpoints, went.checkpoints) = (false, 0);
        assert_eq!((missing(calm), missing(none)), (None, None));
    }
}
