//! A job as the command line knows it: a name, what it needs, and how to show its result.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
    /// `--rate`: how many records a generator makes a second; as many as the job takes if absent.
    pub rate: Option<u64>,
    /// `--keys`: how many different keys a generator draws; the job's own number if absent.
    pub keys: Option<u32>,
    /// `--window`: the length of a window; the job's own if absent.
    pub window: Option<Duration>,
}

impl JobArguments {
    /// Refuses those of these options that were given: a job has no use for them.
    ///
    /// # Errors
    /// A sentence that names the job and the first of them.
    ///
    /// ```
    /// use sameriver_cli::JobArguments;
    /// let given = JobArguments { rate: Some(100), ..JobArguments::default() };
    /// assert_eq!(given.refuse("lines", &["--keys"]), Ok(()));
    /// let refused = given.refuse("lines", &["--rate", "--keys"]);
    /// assert_eq!(refused.unwrap_err(), "lines has no use for --rate: leave it out");
    /// ```
    pub fn refuse(&self, job: &str, options: &[&str]) -> Result<(), String> {
        let given = self.given().into_iter();
        let given = given.filter(|(_, is_given)| *is_given);
        match given
            .map(|(option, _)| option)
            .find(|one| options.contains(one))
        {
            Some(option) => Err(format!("{job} has no use for {option}: leave it out")),
            None => Ok(()),
        }
    }

    /// Refuses every option that was given.
    fn refuse_all(&self, job: &str) -> Result<(), String> {
        self.refuse(job, &self.given().map(|(option, _)| option))
    }

    /// Every option, and whether it was given.
    fn given(&self) -> [(&'static str, bool); 8] {
        [
            ("--input", !self.input.is_empty()),
            ("--output", self.output.is_some()),
            ("--split-bytes", self.split_bytes.is_some()),
            ("--records", self.records.is_some()),
            ("--seed", self.seed.is_some()),
            ("--rate", self.rate.is_some()),
            ("--keys", self.keys.is_some()),
            ("--window", self.window.is_some()),
        ]
    }
}

/// A job function that can be run again on every node.
pub type JobFunction =
    Arc<dyn Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static>;

/// How a job function is made.
///
/// ```
/// use std::sync::Arc;
///
/// use sameriver::prelude::*;
/// use sameriver_cli::{JobArguments, JobFunction, MakeJob, NamedJob};
///
/// fn lines(given: &JobArguments) -> Result<JobFunction, String> {
///     let [file] = given.input.as_slice() else {
///         return Err("lines reads one file: name it with --input".to_owned());
///     };
///     let file = file.clone();
///     Ok(Arc::new(move |env: &mut Environment| {
///         env.source("text", FileSource::lines(&file)).collect("lines")
///     }))
/// }
///
/// const LINES: NamedJob = NamedJob {
///     name: "lines",
///     about: "shows the lines of a file (--input)",
///     make: MakeJob::Given(lines),
///     show: |_, result| {
///         let lines = result.collected::<String>("lines");
///         lines.map(|lines| lines.join("\n")).map_err(|error| error.to_string())
///     },
/// };
/// assert!(LINES.job(&JobArguments::default()).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub enum MakeJob {
    /// It is this one: a job that has no use for options of its own.
    Plain(fn(&mut Environment) -> Result<(), BuildError>),
    /// It depends on what the user gave; the error is a sentence that names the option that is
    /// missing, or that the job has no use for, and the remedy.
    Given(fn(&JobArguments) -> Result<JobFunction, String>),
}

/// Shows the result of a job that was run with these arguments, as lines for the terminal.
///
/// # Errors
/// A sentence, when the result is not what the job collects.
pub type ShowResult = fn(&JobArguments, &JobResult) -> Result<String, String>;

/// A job under a name.
///
/// ```
/// use sameriver::prelude::*;
/// use sameriver_cli::{JobArguments, NamedJob};
///
/// fn squares(env: &mut Environment) -> Result<(), BuildError> {
///     env.elements("numbers", [1_u64, 2, 3]).map(|n| n * n).print("squares")
/// }
/// const SQUARES: NamedJob = NamedJob::of("squares", "prints three squares", squares);
/// assert!(SQUARES.job(&JobArguments::default()).is_ok());
///
/// let records = JobArguments { records: Some(5), ..JobArguments::default() };
/// let refused = SQUARES.job(&records).err();
/// assert_eq!(refused.as_deref(), Some("squares has no use for --records: leave it out"));
/// ```
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

impl NamedJob {
    /// A job that is complete as it is: it has sources and sinks of its own, and nothing to show
    /// behind them.
    pub const fn of(
        name: &'static str,
        about: &'static str,
        job: fn(&mut Environment) -> Result<(), BuildError>,
    ) -> Self {
        Self {
            name,
            about,
            make: MakeJob::Plain(job),
            show: |_, _| Ok(String::new()),
        }
    }

    /// The job function for what the user gave; the job bears this name unless it chooses another.
    ///
    /// # Errors
    /// A sentence that names what is missing or too much, and the remedy.
    pub fn job(&self, given: &JobArguments) -> Result<JobFunction, String> {
        let name = self.name;
        let function: JobFunction = match self.make {
            MakeJob::Plain(function) => {
                given.refuse_all(name)?;
                Arc::new(function)
            }
            MakeJob::Given(make) => make(given)?,
        };
        Ok(Arc::new(move |env: &mut Environment| {
            env.name(name);
            function(env)
        }))
    }
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
