//! The findings of a campaign, as a file that programs read.
//!
//! Invariant: what is written is read back equal; a finding of the whole batch has no seed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingKind};
use crate::judge::Invariant;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListedFinding {
    /// The seed, as text: TOML has no numbers from 2^63 on. `None`: the batch as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// The kind, as an exit code names it.
    pub kind: FindingKind,
    /// The oracle that saw it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invariant: Option<Invariant>,
    /// The evidence in one sentence.
    pub evidence: String,
}

/// All findings that are reported, the one that decides the exit code first.
///
/// ```
/// use sameriver_sim::{Finding, FindingList, Invariant};
/// let mut list = FindingList::default();
/// list.add(Some(7), &Finding::breach(Invariant::Output, "row 3 is lost"));
/// let text = list.to_text();
/// assert!(text.contains("invariant = \"I1\""));
/// assert_eq!(FindingList::parse(&text), Ok(list));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingList {
    /// The findings.
    #[serde(default, rename = "finding")]
    pub findings: Vec<ListedFinding>,
}

impl FindingList {
    /// Adds a finding of a seed, or of the whole batch.
    pub fn add(&mut self, seed: Option<u64>, finding: &Finding) {
        self.findings.push(ListedFinding {
            seed: seed.map(|seed| seed.to_string()),
            kind: finding.kind,
            invariant: finding.invariant,
            evidence: finding.evidence.clone(),
        });
    }

    /// As TOML.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("texts are plain data")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// What the parser said.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// A sentence with the path and what the system said.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of the user's, outside of any world"
    )]
    pub fn write(&self, path: &Path) -> Result<(), String> {
        std::fs::write(path, self.to_text()).map_err(|error| {
            let path = path.display();
            format!("cannot write {path}: {error}: name a file in a folder that may be written")
        })
    }
}
