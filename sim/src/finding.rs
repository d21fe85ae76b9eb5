//! What a run was found guilty of.
//!
//! Invariant: each kind has one exit code, the same everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::judge::Invariant;

/// What kind of promise a run broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Something wrong came out.
    Safety,
    /// Something that had to happen did not.
    Liveness,
    /// Two runs of one seed differ.
    Nondeterminism,
    /// A task panicked.
    Panic,
    /// The run checked nothing.
    Vacuous,
    /// The harness itself failed.
    Harness,
}

impl FindingKind {
    /// All of them, in the order of their exit codes.
    pub const ALL: [Self; 6] = [
        Self::Safety,
        Self::Liveness,
        Self::Nondeterminism,
        Self::Panic,
        Self::Vacuous,
        Self::Harness,
    ];

    /// The exit code of a run that ends with this finding; 0 means none.
    ///
    /// ```
    /// assert_eq!(sameriver_sim::FindingKind::Liveness.exit_code(), 2);
    /// ```
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Safety => 1,
            Self::Liveness => 2,
            Self::Nondeterminism => 3,
            Self::Panic => 4,
            Self::Vacuous => 5,
            Self::Harness => 6,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safety => "safety",
            Self::Liveness => "liveness",
            Self::Nondeterminism => "nondeterminism",
            Self::Panic => "panic",
            Self::Vacuous => "vacuous",
            Self::Harness => "harness",
        })
    }
}

impl FromStr for FindingKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.to_string() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(|kind| kind.to_string());
            format!(
                "`{name}` is no kind of finding: choose one of {}",
                known.join(", ")
            )
        })
    }
}

/// A broken promise with its evidence in one sentence.
///
/// ```
/// use sameriver_sim::{Finding, Invariant};
/// assert_eq!(Finding::safety("word `a` lacks 1").to_string(), "safety: word `a` lacks 1");
/// let breach = Finding::breach(Invariant::Output, "row 3 is lost");
/// assert_eq!(breach.to_string(), "I1 safety: row 3 is lost");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Finding {
    /// The broken promise.
    pub kind: FindingKind,
    /// Which oracle saw it, if one did.
    pub invariant: Option<Invariant>,
    /// What was seen.
    pub evidence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(invariant) = self.invariant {
            write!(f, "{invariant} ")?;
        }
        write!(f, "{}: {}", self.kind, self.evidence)
    }
}

impl Finding {
    /// A finding of `kind`.
    pub fn new(kind: FindingKind, evidence: impl Into<String>) -> Self {
        Self {
            kind,
            invariant: None,
            evidence: evidence.into(),
        }
    }

    /// An oracle's finding.
    pub fn breach(invariant: Invariant, evidence: impl Into<String>) -> Self {
        Self {
            kind: invariant.kind(),
            invariant: Some(invariant),
            evidence: evidence.into(),
        }
    }

    /// Something wrong came out.
    pub fn safety(evidence: impl Into<String>) -> Self {
        Self::new(FindingKind::Safety, evidence)
    }

    /// Something that had to happen did not.
    pub fn liveness(evidence: impl Into<String>) -> Self {
        Self::new(FindingKind::Liveness, evidence)
    }

    /// The run checked nothing.
    pub fn vacuous(evidence: impl Into<String>) -> Self {
        Self::new(FindingKind::Vacuous, evidence)
    }

    /// The harness itself failed.
    pub fn harness(evidence: impl Into<String>) -> Self {
        Self::new(FindingKind::Harness, evidence)
    }
}
