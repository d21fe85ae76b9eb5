//! A job as the command line knows it: a name, what it needs, and how to show its result.

use std::path::PathBuf;
use std::sync::Arc;

use sameriver::{BuildError, Environment, JobResult};

/// What a user may give to a job on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobArguments {
    /// `--input`: the files to read; the job's own default if empty.
    pub input: Vec<PathBuf>,
    /// `--output`: the folder to write; the result is shown instead if absent.
    pub output: Option<PathBuf>,
    /// `--split-bytes`: how much of a file one subtask reads at a time; the source decides if
    /// absent.
    pub split_bytes: Option<u64>,
    /// `--records`: how many records a generator makes; the job's own number if absent.
    pub records: Option<u64>,
    /// `--seed`: what a generator starts from; the job's own seed if absent.
    pub seed: Option<u64>,
}

/// A job function that can be run again on every node.
pub type JobFunction =
    Arc<dyn Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static>;

/// Makes the job function for what the user gave.
///
/// # Errors
/// A sentence that names what is missing, and the remedy.
pub type MakeJob = fn(&JobArguments) -> Result<JobFunction, String>;

/// Shows the result of a job that was run with these arguments, as lines for the terminal.
///
/// # Errors
/// A sentence, when the result is not what the job collects.
pub type ShowResult = fn(&JobArguments, &JobResult) -> Result<String, String>;

/// A job under a name.
#[derive(Clone, Copy, Debug)]
pub struct NamedJob {
    /// The name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Makes the job.
    pub make: MakeJob,
    /// Shows what it collected.
    pub show: ShowResult,
}

/// The job of that name, or a sentence that names the nearest ones.
///
/// # Errors
/// When there is none.
pub fn find<'j>(jobs: &'j [NamedJob], name: &str) -> Result<&'j NamedJob, String> {
    jobs.iter().find(|job| job.name == name).ok_or_else(|| {
        let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
        format!(
            "unknown scenario `{name}`: there are {}; `list` describes them",
            names.join(", ")
        )
    })
}
