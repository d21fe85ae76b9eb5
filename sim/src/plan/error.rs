//! Why a plan cannot be read or written.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a plan cannot be read or written.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The file is not there, or may not be read.
    #[error("cannot read the plan {path}: {cause}: name a file that `sim` has written")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file is no plan: not TOML, an unknown or missing key, a value that does not fit.
    #[error("{path} is no plan: {cause}: correct it, or name a file that `sim` has written")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place.
        cause: String,
    },
    /// The plan is of another version of the tool.
    #[error("{path} has schema {found}, this tool reads {known}: use the tool that wrote it")]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// What the plan says.
        found: u32,
        /// What this tool reads and writes.
        known: u32,
    },
    /// The plan cannot be written.
    #[error("cannot write the plan {path}: {cause}: choose another folder with --plans")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

impl PlanError {
    pub(crate) fn malformed(path: impl Into<PathBuf>, cause: impl std::fmt::Display) -> Self {
        Self::Malformed {
            path: path.into(),
            cause: cause.to_string().trim_end().to_owned(),
        }
    }
}
