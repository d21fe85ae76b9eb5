//! What a scenario is: a job, the workloads it is tried with, and the rows it promises.
//!
//! Invariant: rows are compared as sorted text, so neither the order of arrival nor the number of
//! subtasks matters, and nothing of the engine is needed to know what is right.

use std::path::PathBuf;

use sameriver::connectors::CollectedResults;
use sameriver::runtime::RandomStream;
use sameriver_cli::{JobArguments, NamedJob};

/// Output rows in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(Vec<String>);

impl Rows {
    /// Sorts the rows.
    pub fn new(rows: impl IntoIterator<Item = String>) -> Self {
        let mut rows: Vec<String> = rows.into_iter().collect();
        rows.sort();
        Self(rows)
    }

    /// The rows in ascending order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The first difference from what is right, as a sentence; `None` if there is none.
    pub fn difference(&self, right: &Self) -> Option<String> {
        let (got, want) = (&self.0, &right.0);
        let at = (0..got.len().max(want.len())).find(|at| got.get(*at) != want.get(*at))?;
        let row = |rows: &[String]| rows.get(at).cloned().unwrap_or_else(|| "(nothing)".into());
        Some(format!(
            "row {at} of the sorted output is `{}`, the reference has `{}` ({} rows against {})",
            row(got),
            row(want),
            got.len(),
            want.len()
        ))
    }
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

/// One input to try a scenario with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// What a user would give on the command line.
    pub arguments: JobArguments,
    /// Files that exist before the job starts.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// The job under its name.
    pub job: NamedJob,
    /// Draws an input.
    pub draw: fn(&mut RandomStream) -> Workload,
    /// What the output of an input is: written without the engine.
    pub reference: fn(&Workload) -> Rows,
    /// The rows that a job collected.
    pub collected: fn(&CollectedResults) -> Result<Rows, String>,
}

/// Refuses what only jobs that read files can use.
pub(crate) fn generated_only(job: &str, arguments: &JobArguments) -> Result<(), String> {
    if let Some(input) = arguments.input.first() {
        return Err(format!(
            "--input {} is no use to {job}: it generates its input, leave it out",
            input.display()
        ));
    }
    match arguments.split_bytes {
        Some(bytes) => Err(format!(
            "--split-bytes {bytes} is for files, but {job} generates its input: leave it out"
        )),
        None => arguments.refuse(job, &["--rate", "--keys", "--window"]),
    }
}
