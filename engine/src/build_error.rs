//! What is wrong with a job before it runs.
//!
//! Invariant: a build error has at least one problem, and every problem names thing, value and
//! remedy.

use std::fmt;
use std::sync::Arc;

use sameriver_graph::GraphProblem;
use sameriver_model::ParallelismError;
use sameriver_operator::window::WindowSizeError;
use thiserror::Error;

use crate::settings::SettingsError;

/// One thing that is wrong with a job.
///
/// ```
/// use sameriver::prelude::*;
/// use sameriver::BuildProblem;
/// let error = BuildError::msg("set CLICKS to the file of clicks");
/// assert!(matches!(error.problems(), [BuildProblem::Other(_)]));
/// ```
#[derive(Clone, Debug, Error)]
pub enum BuildProblem {
    /// The graph cannot run.
    #[error(transparent)]
    Graph(#[from] GraphProblem),
    /// The settings do not fit together.
    #[error("{0}")]
    Settings(Arc<SettingsError>),
    /// An operator declares its state wrongly.
    #[error("state of operator {uid}: {cause}")]
    State {
        /// The operator's uid.
        uid: String,
        /// What is wrong with the declaration, and the remedy.
        cause: String,
    },
    /// A window that holds no instant.
    #[error("operator {uid}: {cause}")]
    Window {
        /// The operator's uid.
        uid: String,
        /// What is wrong with the window, and the remedy.
        cause: WindowSizeError,
    },
    /// A source that cannot be read again, in a job that goes on from checkpoints.
    #[error(
        "source {source_name} cannot be read again, so checkpoints = \"{checkpoints}\" would lose \
         what it gave since the last one: read a source that can (a file), or leave checkpoints \
         empty"
    )]
    NotReplayable {
        /// The name of the source.
        source_name: String,
        /// The setting.
        checkpoints: String,
    },
    /// Checkpoints that are to be due by what no source of the job tells.
    #[error(
        "setting {setting} = {value} triggers nothing: no source of the job {lacks}: set \
         checkpoint_interval or checkpoint_records"
    )]
    NeverTriggered {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What no source does.
        lacks: &'static str,
    },
    /// Two sinks that would write the same files.
    #[error(
        "sinks {first} and {second} both write {output}: give each its own folder, or a prefix of \
         its own"
    )]
    OneOutput {
        /// The name of the sink that was added first.
        first: String,
        /// The name of the other.
        second: String,
        /// What both write.
        output: String,
    },
    /// A sink that shows its records at once, in a job that promises exactly once.
    #[error(
        "sink {sink} shows records before their checkpoint is complete, so after a failure some \
         come twice: write to a sink that commits, or set checkpoint_mode = \"at-least-once\""
    )]
    SinkRepeats {
        /// The name of the sink.
        sink: String,
    },
    /// A name, uid, parallelism or chaining rule without an operator to apply it to.
    #[error(
        "`{method}` of a union applies to no single operator: call it on the streams before the \
         union, or on the operator behind it"
    )]
    NoSingleOperator {
        /// The method that was called.
        method: &'static str,
    },
    /// The job function refused by itself.
    #[error("{0}")]
    Other(String),
}

impl From<SettingsError> for BuildProblem {
    fn from(error: SettingsError) -> Self {
        Self::Settings(Arc::new(error))
    }
}

impl BuildProblem {
    /// A number of subtasks that an operator cannot have.
    pub(crate) fn parallelism(operator: &str, cause: ParallelismError) -> Self {
        Self::Graph(GraphProblem::Parallelism {
            operator: operator.to_owned(),
            cause,
        })
    }
}

/// Everything that is wrong with a job before it runs.
///
/// ```
/// use sameriver::prelude::*;
/// let error = Environment::new(Settings::default()).build().unwrap_err();
/// assert_eq!(error.to_string(), "job job has no source: start with `env.source(name, ..)`");
/// ```
#[derive(Clone)]
pub struct BuildError {
    problems: Vec<BuildProblem>,
}

impl BuildError {
    /// A job function's own reason to refuse: name thing, value and remedy.
    pub fn msg(message: impl Into<String>) -> Self {
        Self::of(vec![BuildProblem::Other(message.into())])
    }

    /// All problems, in the order of the job's operators.
    pub fn problems(&self) -> &[BuildProblem] {
        &self.problems
    }

    pub(crate) fn of(problems: Vec<BuildProblem>) -> Self {
        assert!(!problems.is_empty(), "a build error has a problem");
        Self { problems }
    }

    pub(crate) fn unless_empty(problems: Vec<BuildProblem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(Self::of(problems))
    }
}

impl From<BuildProblem> for BuildError {
    fn from(problem: BuildProblem) -> Self {
        Self::of(vec![problem])
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.problems.as_slice() {
            return one.fmt(f);
        }
        write!(f, "the job has {} problems:", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BuildError {
    /// As [`Display`](fmt::Display): a `main` that returns the error shows it this way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BuildError {}
