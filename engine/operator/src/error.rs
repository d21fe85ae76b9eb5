//! What can go wrong while records pass through an operator.
//!
//! Invariant: a failing user function is reported with the operator, the position of the input and
//! the cause, so that the user finds the record.

use std::error::Error;
use std::fmt;

use sameriver_model::FailureKind;
use sameriver_model::codec::ordered::OrderedError;
use sameriver_state::RestoreError;
use thiserror::Error;

use crate::context::Position;
use crate::sink::{CommitError, SinkError};
use crate::source::SourceError;

/// Whatever a user's function returns as its error.
///
/// Made from any error by `?`, or from text by [`UserError::msg`].
///
/// ```
/// use sameriver_operator::UserError;
/// fn parse(line: &str) -> Result<u64, UserError> {
///     if line.is_empty() {
///         return Err(UserError::msg("an empty line has no number"));
///     }
///     Ok(line.parse::<u64>()?)
/// }
/// assert!(parse("x").is_err());
/// ```
pub struct UserError(Box<dyn Error + Send + Sync>);

impl UserError {
    /// An error that is only a text.
    pub fn msg(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// The error itself.
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for UserError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A key that cannot be hashed.
#[derive(Debug, Error)]
#[error("key of type {type_name}: {cause}")]
pub struct KeyError {
    type_name: &'static str,
    cause: OrderedError,
}

/// Why a subtask fails.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// A user's function returned an error.
    #[error("operator {operator} failed at {position}: {cause}")]
    User {
        /// The operator's name or uid.
        operator: String,
        /// Where the failing record came from.
        position: Position,
        /// What the function returned.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A source could not be read.
    #[error("source {operator}: {cause}")]
    Source {
        /// The source's name.
        operator: String,
        /// What the source reported.
        cause: SourceError,
    },
    /// A sink could not be written.
    #[error("sink {operator}: {cause}")]
    Sink {
        /// The sink's name.
        operator: String,
        /// What the sink reported.
        cause: SinkError,
    },
    /// A value cannot be turned into bytes or back.
    #[error("operator {operator} at {position}: {cause}")]
    Codec {
        /// The operator's name or uid.
        operator: String,
        /// Where the record came from.
        position: Position,
        /// What the codec reported.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// State could not be read or written.
    #[error("state of operator {operator} at {position}: {cause}")]
    State {
        /// The operator's name or uid.
        operator: String,
        /// Where the record came from.
        position: Position,
        /// What the state backend reported.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// What a sink has staged can never be committed, or could not be for too long.
    #[error("sink {operator}: {cause}")]
    Commit {
        /// The sink's name.
        operator: String,
        /// What the committer reported.
        cause: CommitError,
    },
    /// What an operator holds cannot be written into a snapshot.
    #[error("snapshot of operator {operator}: {cause}")]
    Snapshot {
        /// The operator's uid.
        operator: String,
        /// What is wrong, with the type.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A snapshot is not one that this operator can start from.
    #[error("operator {operator} cannot start from the checkpoint: {cause}")]
    Restore {
        /// The operator's uid.
        operator: String,
        /// What is wrong, with a remedy.
        cause: Box<RestoreError>,
    },
    /// A limit of the settings was exceeded.
    #[error(
        "operator {operator} at {position}: {what} {value} is above the limit {limit}: {remedy}"
    )]
    Limit {
        /// The operator's name or uid.
        operator: String,
        /// Where the record came from.
        position: Position,
        /// What was counted.
        what: &'static str,
        /// The count.
        value: u64,
        /// The limit.
        limit: u64,
        /// What to do.
        remedy: &'static str,
    },
}

impl OperatorError {
    /// A user's function failed on a record of the current slice.
    pub(crate) fn user(operator: &str, position: &Position, cause: UserError) -> Self {
        Self::User {
            operator: operator.to_owned(),
            position: position.clone(),
            cause: cause.into_inner(),
        }
    }

    /// A key of type `K` has no canonical bytes.
    pub(crate) fn key<K>(operator: &str, position: &Position, cause: OrderedError) -> Self {
        let type_name = std::any::type_name::<K>();
        Self::Codec {
            operator: operator.to_owned(),
            position: position.clone(),
            cause: Box::new(KeyError { type_name, cause }),
        }
    }

    /// State was refused or could not be reached.
    pub(crate) fn state(
        operator: &str,
        position: &Position,
        cause: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::State {
            operator: operator.to_owned(),
            position: position.clone(),
            cause: Box::new(cause),
        }
    }

    /// Something cannot be turned into bytes.
    pub(crate) fn snapshot(operator: &str, cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Snapshot {
            operator: operator.to_owned(),
            cause: Box::new(cause),
        }
    }

    /// A section of a snapshot is refused.
    pub(crate) fn restore(operator: &str, cause: RestoreError) -> Self {
        Self::Restore {
            operator: operator.to_owned(),
            cause: Box::new(cause),
        }
    }

    /// What to do about it.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::User { .. } | Self::Codec { .. } | Self::Snapshot { .. } => FailureKind::User,
            Self::Commit { .. } => FailureKind::OutputUnwritable,
            Self::Restore { cause, .. } => match **cause {
                RestoreError::Version { .. }
                | RestoreError::Declared { .. }
                | RestoreError::Undeclared { .. }
                | RestoreError::ForeignKey { .. } => FailureKind::User,
                RestoreError::Unreadable { .. }
                | RestoreError::ForeignGroup { .. }
                | RestoreError::KeyTwice { .. } => FailureKind::Internal,
            },
            Self::Source { cause, .. } => match cause {
                SourceError::Unreadable { .. } => FailureKind::InputUnreadable,
                SourceError::BadData { .. } => FailureKind::BadData,
                SourceError::Disconnected { .. } => FailureKind::Disconnected,
                SourceError::Other { .. } => FailureKind::Internal,
            },
            Self::Sink { cause, .. } => match cause {
                SinkError::Unwritable { .. } => FailureKind::OutputUnwritable,
                SinkError::Taken { .. } => FailureKind::OutputTaken,
                SinkError::Other { .. } => FailureKind::Internal,
            },
            Self::State { .. } => FailureKind::Internal,
            Self::Limit { .. } => FailureKind::Limit,
        }
    }
}
