//! `run`: a job on this machine, a spinner while it runs, a summary when it has ended.

use std::time::Duration;

use indicatif::ProgressBar;
use sameriver::{BuildError, Environment, JobError, JobResult, Settings};

use crate::command::{Ended, RunArguments, print};
use crate::exit::Exit;
use crate::named_job::{self, JobArguments, JobFunction};
use crate::settings;

/// Runs a job to its end and shows what came of it.
pub(crate) fn run(arguments: &RunArguments, jobs: &[crate::NamedJob]) -> Ended {
    let usage = |message| (Exit::Usage, message);
    let job = named_job::find(jobs, &arguments.scenario).map_err(usage)?;
    let settings = settings::validated(&arguments.source).map_err(usage)?;
    let given = JobArguments {
        input: arguments.input.clone(),
        output: arguments.output.clone(),
        split_bytes: arguments.split_bytes,
        records: arguments.records,
        seed: arguments.seed,
    };
    let function = (job.make)(&given).map_err(usage)?;

    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner.set_message(format!("{} at parallelism {}", job.name, settings.parallelism));
    let ended = drive(function, settings);
    spinner.finish_and_clear();

    let result = ended.map_err(|error| {
        let exit = match &error {
            JobError::Build(_) => Exit::Usage,
            JobError::Failed(failure) => Exit::of_failure(failure),
            JobError::Cancelled | JobError::World(_) => Exit::JobFailed,
        };
        (exit, format!("job {} failed: {error}", job.name))
    })?;
    let shown = (job.show)(&result).map_err(|message| (Exit::JobFailed, message))?;
    if !shown.is_empty() {
        print(&shown);
    }
    print(&result.to_string());
    Ok(())
}

/// Blocks until the job has ended.
fn drive(function: JobFunction, settings: Settings) -> Result<JobResult, JobError> {
    let job = move |env: &mut Environment| -> Result<(), BuildError> { function(env) };
    sameriver::run_blocking(job, settings)
}
