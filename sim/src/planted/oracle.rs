//! Who catches a planted bug: an oracle of the judge, or a kind of finding that none has.
//!
//! Invariant: it is written the same in the files of bugs, in results and on the page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::finding::FindingKind;
use crate::finding_list::ListedFinding;
use crate::judge::Invariant;

/// An invariant (`I1`, `L2`, `V1`), or a kind (`nondeterminism`, `panic`, `harness`).
///
/// ```
/// use sameriver_sim::{FindingKind, planted::Oracle};
/// let output: Oracle = "I1".parse()?;
/// let safety: Oracle = "safety".parse()?;
/// assert!(safety.is_met_by(output) && !output.is_met_by(safety));
/// assert_eq!(output.kind(), FindingKind::Safety);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Oracle {
    /// An oracle of the judge.
    Invariant(Invariant),
    /// Any finding of a kind.
    Kind(FindingKind),
}

impl Oracle {
    /// Who made a finding.
    pub fn of(finding: &ListedFinding) -> Self {
        match finding.invariant {
            // A fresh process that has other events says so of what an oracle found.
            Some(invariant) if invariant.kind() == finding.kind => Self::Invariant(invariant),
            Some(_) | None => Self::Kind(finding.kind),
        }
    }

    /// The kind of what it finds.
    pub fn kind(self) -> FindingKind {
        match self {
            Self::Invariant(invariant) => invariant.kind(),
            Self::Kind(kind) => kind,
        }
    }

    /// Whether `other` is what this asks for: the same oracle, or one of the kind.
    pub fn is_met_by(self, other: Self) -> bool {
        match self {
            Self::Invariant(_) => self == other,
            Self::Kind(kind) => kind == other.kind(),
        }
    }

    /// Whether `other` is as good a catch: wrong work of the engine may be seen by any oracle of
    /// the engine, but a defect of the world must be called one.
    pub fn is_caught_by(self, other: Self) -> bool {
        let is_of_the_engine = |oracle: Self| match oracle.kind() {
            FindingKind::Safety | FindingKind::Liveness | FindingKind::Panic => true,
            FindingKind::Nondeterminism | FindingKind::Vacuous | FindingKind::Harness => false,
        };
        let is_of_the_world = |oracle: Self| match oracle.kind() {
            FindingKind::Vacuous | FindingKind::Harness => true,
            FindingKind::Safety
            | FindingKind::Liveness
            | FindingKind::Panic
            | FindingKind::Nondeterminism => false,
        };
        self.kind() == other.kind()
            || is_of_the_engine(self) && is_of_the_engine(other)
            || is_of_the_world(self) && is_of_the_world(other)
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invariant(invariant) => f.pad(invariant.id()),
            Self::Kind(kind) => f.pad(&kind.to_string()),
        }
    }
}

impl FromStr for Oracle {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let invariant = name.parse().map(Self::Invariant);
        let oracle = invariant.or_else(|_| name.parse().map(Self::Kind));
        oracle.map_err(|_: String| {
            let ids: Vec<_> = Invariant::ALL.iter().map(|known| known.id()).collect();
            let kinds = FindingKind::ALL.map(|kind| kind.to_string());
            format!("{}, {}", ids.join(", "), kinds.join(", "))
        })
    }
}

impl TryFrom<String> for Oracle {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = name.parse();
        known.map_err(|known: String| format!("`{name}` is no oracle: write one of {known}"))
    }
}

impl From<Oracle> for String {
    fn from(oracle: Oracle) -> Self {
        oracle.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle(name: &str) -> Oracle {
        name.parse().unwrap()
    }

    #[test]
    fn every_name_is_read_back() {
        for name in ["I1", "L5", "V2", "nondeterminism", "harness"] {
            assert_eq!(oracle(name).to_string(), name);
        }
        let refused = Oracle::try_from("luck".to_owned()).unwrap_err();
        assert!(refused.contains("`luck`") && refused.contains("panic"));
    }

    #[test]
    fn a_wrong_engine_is_caught_by_any_oracle_of_the_engine_and_by_no_other() {
        let caught = |by| oracle("I8").is_caught_by(oracle(by));
        assert_eq!(["I1", "L3", "panic"].map(caught), [true; 3]);
        assert_eq!(["V1", "harness", "nondeterminism"].map(caught), [false; 3]);
    }

    #[test]
    fn a_defect_of_the_world_must_be_called_one() {
        let caught = |by| oracle("vacuous").is_caught_by(oracle(by));
        assert_eq!(
            ["V2", "harness", "I1", "L2"].map(caught),
            [true, true, false, false]
        );
    }
}
