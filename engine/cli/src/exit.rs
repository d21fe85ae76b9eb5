//! What a command's end means to the shell.
//!
//! Invariant: the numbers are published in `docs/command-line.md`; scripts depend on them.

use std::process::ExitCode;

use sameriver::FailureKind;

/// How a command ended.
///
/// ```
/// assert_eq!(sameriver_cli::Exit::Usage.code(), 64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Success,
    /// `run`: the job failed for a reason that has no number of its own.
    JobFailed,
    /// The command line or a setting is wrong.
    Usage,
    /// The input is there, but is not what the job expects.
    BadInput,
    /// The input is missing or may not be read.
    NoInput,
    /// A node of the job is not there, or its address cannot be listened on.
    Unavailable,
    /// The output cannot be created or written.
    CannotCreate,
}

impl Exit {
    /// Every end there is.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::JobFailed,
        Self::Usage,
        Self::BadInput,
        Self::NoInput,
        Self::Unavailable,
        Self::CannotCreate,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::JobFailed => 1,
            Self::Usage => 64,
            Self::BadInput => 65,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::CannotCreate => 73,
        }
    }

    /// The end of a job that failed.
    pub const fn of_kind(kind: FailureKind) -> Self {
        match kind {
            FailureKind::BadData => Self::BadInput,
            FailureKind::InputUnreadable => Self::NoInput,
            FailureKind::OutputUnwritable | FailureKind::OutputTaken => Self::CannotCreate,
            FailureKind::User
            | FailureKind::Disconnected
            | FailureKind::Limit
            | FailureKind::Cluster
            | FailureKind::Internal
            | FailureKind::Superseded => Self::JobFailed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_its_exit_code() {
        let codes = [
            (FailureKind::User, 1),
            (FailureKind::InputUnreadable, 66),
            (FailureKind::BadData, 65),
            (FailureKind::OutputUnwritable, 73),
            (FailureKind::OutputTaken, 73),
            (FailureKind::Disconnected, 1),
            (FailureKind::Limit, 1),
            (FailureKind::Cluster, 1),
            (FailureKind::Internal, 1),
            (FailureKind::Superseded, 1),
        ];
        let found = codes.map(|(kind, _)| (kind, Exit::of_kind(kind).code()));
        assert_eq!(found, codes);
    }

    #[test]
    fn no_two_ends_have_one_exit_code() {
        let codes = std::collections::BTreeSet::from(Exit::ALL.map(Exit::code));
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
