//! Where the plans of failing seeds go.
//!
//! Invariant: a plan is never lost to another: the name has scenario and seed, and a later plan of
//! the same seed replaces an earlier one.
#![expect(
    clippy::disallowed_methods,
    reason = "files of the user's, outside of any world"
)]

use std::path::{Path, PathBuf};

use super::error::PlanError;
use super::run_plan::Plan;

/// A folder of plans.
///
/// ```
/// use sameriver_sim::PlanFolder;
/// assert!(PlanFolder::default().path().ends_with("sim-failures"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFolder(PathBuf);

impl Default for PlanFolder {
    /// `sim-failures` in the current folder.
    fn default() -> Self {
        Self(PathBuf::from("sim-failures"))
    }
}

impl PlanFolder {
    /// A folder; it is made when the first plan is written.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a plan and answers with its file.
    ///
    /// # Errors
    /// [`PlanError::Unwritable`] when the operating system refuses.
    pub fn write(&self, plan: &Plan) -> Result<PathBuf, PlanError> {
        let name: String = plan.scenario.chars().map(in_a_name).collect();
        let path = self.0.join(format!("{name}-{}.toml", plan.seed));
        let written = std::fs::create_dir_all(&self.0);
        let written = written.and_then(|()| std::fs::write(&path, plan.to_text()));
        match written {
            Ok(()) => Ok(path),
            Err(cause) => Err(PlanError::Unwritable { path, cause }),
        }
    }

    /// The plans that are there, by ascending name.
    ///
    /// # Errors
    /// [`PlanError::Unreadable`] when the folder cannot be read.
    pub fn plans(&self) -> Result<Vec<PathBuf>, PlanError> {
        let unreadable = |cause| PlanError::Unreadable {
            path: self.0.clone(),
            cause,
        };
        let mut plans = Vec::new();
        for entry in std::fs::read_dir(&self.0).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                plans.push(path);
            }
        }
        plans.sort();
        Ok(plans)
    }
}

fn in_a_name(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || letter == '_' {
        letter
    } else {
        '-'
    }
}
