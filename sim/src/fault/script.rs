//! All faults of a run, written out.
//!
//! Invariant: what is applied is what stands here, so a run is repeated from its script, whatever
//! it was drawn from.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::episode::{Episode, EpisodeError};
use super::family::FaultFamily;

/// The episodes of a run; their order means nothing but what is done first at equal instants.
///
/// ```
/// let script = sameriver_sim::FaultScript::default();
/// assert_eq!(script.check(), Ok(()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultScript(pub Vec<Episode>);

/// A script with an episode that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("episode {ordinal}: {error}")]
pub struct ScriptError {
    /// Which one; the first is 1.
    pub ordinal: usize,
    /// What is wrong with it.
    #[source]
    pub error: EpisodeError,
}

impl FaultScript {
    /// Looks whether every episode means something.
    ///
    /// # Errors
    /// [`ScriptError`] names the first one that does not.
    pub fn check(&self) -> Result<(), ScriptError> {
        for (ordinal, episode) in (1..).zip(&self.0) {
            episode
                .check()
                .map_err(|error| ScriptError { ordinal, error })?;
        }
        Ok(())
    }

    /// The families that occur, each once, in their order.
    pub fn families(&self) -> Vec<FaultFamily> {
        let occurs = |family: &FaultFamily| self.0.iter().any(|e| e.family == *family);
        FaultFamily::ALL.into_iter().filter(occurs).collect()
    }
}
