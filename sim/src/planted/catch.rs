//! What came of a planted bug.
//!
//! Invariant: a bug that was too crude to count was caught by nobody.

use serde::{Deserialize, Serialize};

use super::oracle::Oracle;
use super::planted_bug::PlantedBug;

/// What came of a planted bug.
///
/// ```
/// use sameriver_sim::planted::Catch;
/// let nothing = Catch::default();
/// assert_eq!((nothing.caught_by, nothing.seeds), (None, None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Catch {
    /// What calm seeds showed, if they showed anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_crude: Option<String>,
    /// Who caught it; `None`: it passed, or ended in a way that no finding has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_by: Option<Oracle>,
    /// How many seeds it took, the one that caught it included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<u64>,
    /// The evidence in one sentence.
    pub evidence: String,
    /// How long the build took.
    pub build_seconds: f64,
    /// How long the calm seeds took.
    pub calm_seconds: f64,
    /// How long the hunt took.
    pub run_seconds: f64,
    /// The last lines of what the run said.
    pub said: String,
}

impl Catch {
    /// Whether something caught `bug` that its kind of bug deserves.
    pub fn is_caught(&self, bug: &PlantedBug) -> bool {
        self.caught_by.is_some_and(|by| bug.expect.is_caught_by(by))
    }

    /// Whether what must catch `bug` did.
    pub fn is_expected(&self, bug: &PlantedBug) -> bool {
        self.caught_by.is_some_and(|by| bug.expect.is_met_by(by))
    }
}
