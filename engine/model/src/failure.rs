//! Why a job failed, in a form that crosses nodes and keeps the kind, so that the command line can
//! answer with the right exit code.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::SubtaskId;

/// What to do about a failure.
///
/// ```
/// use sameriver_model::failure::{Failure, FailureKind};
/// fn is_worth_another_try(failure: &Failure) -> bool {
///     matches!(failure.kind, FailureKind::Disconnected | FailureKind::Cluster)
/// }
/// let failure = Failure::new(FailureKind::BadData, "words.txt line 7 is not UTF-8");
/// assert!(!is_worth_another_try(&failure));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// A user's function returned an error or panicked: mend the job or its data.
    User,
    /// The input is missing or may not be read.
    InputUnreadable,
    /// The input is there, but is not what the source expects.
    BadData,
    /// The output cannot be created or written.
    OutputUnwritable,
    /// A connection outside the cluster was refused or broke.
    Disconnected,
    /// A limit of the settings was exceeded.
    Limit,
    /// A node of the cluster was lost, or speaks another protocol.
    Cluster,
    /// A bug of the engine.
    Internal,
    /// A later checkpoint made an earlier one needless. It never ends a job.
    Superseded,
    /// The output has what another job wrote: name another one, or remove that.
    OutputTaken,
}

impl FailureKind {
    /// Whether a restart of the job may mend it.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::OutputTaken => false,
            Self::User
            | Self::InputUnreadable
            | Self::BadData
            | Self::OutputUnwritable
            | Self::Disconnected
            | Self::Limit
            | Self::Cluster
            | Self::Internal
            | Self::Superseded => true,
        }
    }
}

/// Why a subtask, and with it the job, failed.
///
/// ```
/// use sameriver_model::failure::{Failure, FailureKind};
/// let failure = Failure::new(FailureKind::BadData, "words.txt line 7 is not UTF-8");
/// assert_eq!(failure.to_string(), "words.txt line 7 is not UTF-8");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What to do about it.
    pub kind: FailureKind,
    /// Where, when it was in a subtask.
    pub subtask: Option<SubtaskId>,
    /// Thing, value and remedy.
    pub message: String,
}

impl Failure {
    /// A failure outside any subtask.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            subtask: None,
            message: message.into(),
        }
    }

    /// The same failure, in a subtask.
    pub fn in_subtask(self, subtask: SubtaskId) -> Self {
        Self {
            subtask: Some(subtask),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subtask) = self.subtask {
            write!(f, "subtask {subtask}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
