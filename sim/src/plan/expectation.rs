//! What came of the run of a plan, and so is expected of its replay.
//!
//! Invariant: an expectation is of one commit: a replay on other code may pass.

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingKind};
use crate::judge::Invariant;
use crate::trace::TraceHash;

/// What a plan's run came to.
///
/// ```
/// use sameriver_sim::{Expectation, Finding, Invariant, TraceHash};
/// let finding = Finding::breach(Invariant::Output, "row 3 is lost");
/// let expected = Expectation::of(&finding, TraceHash::from_u64(255));
/// assert!(expected.is_met_by(&finding));
/// assert!(!expected.is_met_by(&Finding::liveness("stuck")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectation {
    /// What kind of promise was broken, as an exit code names it.
    pub kind: String,
    /// The promise, if an oracle saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariant: Option<Invariant>,
    /// The evidence in one sentence, for readers.
    pub evidence: String,
    /// The trace hash, of the commit that wrote the plan.
    pub trace_hash: String,
}

impl Expectation {
    /// What a run came to.
    pub fn of(finding: &Finding, hash: TraceHash) -> Self {
        Self {
            kind: finding.kind.to_string(),
            invariant: finding.invariant,
            evidence: finding.evidence.clone(),
            trace_hash: hash.to_string(),
        }
    }

    /// Whether a finding is of the same promise, whatever its evidence.
    pub fn is_met_by(&self, finding: &Finding) -> bool {
        finding.invariant == self.invariant && finding.kind.to_string() == self.kind
    }

    /// Whether a run had the same events.
    pub fn is_hash(&self, hash: TraceHash) -> bool {
        hash.to_string() == self.trace_hash
    }

    /// The kind that is named, if there is such a kind.
    pub(crate) fn check(&self) -> Result<(), String> {
        let known = self.kind.parse::<FindingKind>();
        known
            .map(|_| ())
            .map_err(|error| format!("expectation.kind {error}"))
    }
}
