//! `run`: a job on this machine, a spinner while it runs, a summary when it has ended.
//!
//! Invariant: standard output has results only, so that it can be piped on; the spinner and the
//! summary go to stderr.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sameriver::{JobError, JobResult, Settings};

use crate::command::{Ended, RunArguments, print, report};
use crate::exit::Exit;
use crate::named_job::{self, JobArguments, JobFunction, NamedJob};
use crate::{settings, summary};

/// Runs a job to its end and shows what came of it.
pub(crate) fn run(arguments: &RunArguments, jobs: &[NamedJob]) -> Ended {
    let Asked {
        job,
        settings,
        given,
        function,
    } = Asked::read(arguments, jobs)?;

    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let progress = ProgressBar::new_spinner().with_style(style.expect("the template is right"));
    progress.enable_steady_tick(Duration::from_millis(100));
    progress.set_message(format!(
        "{} at parallelism {}",
        job.name, settings.parallelism
    ));
    let started = now();
    let ended = sameriver::run_blocking(move |env| function(env), &settings);
    let took = started.elapsed();
    progress.finish_and_clear();

    let result = ended.map_err(|error| match error {
        JobError::Build(error) => (Exit::Usage, error.to_string()),
        JobError::World { .. } | JobError::Failed(_) => (
            Exit::of_kind(error.kind()),
            format!("{}: {error}", job.name),
        ),
    })?;
    let shown = (job.show)(&given, &result);
    if is_over_already(job, &result) {
        // Files are where the run that wrote them has left them; what it showed is gone.
        return shown.map(drop).map_err(|_| {
            let message = format!(
                "{} has no result to show: the run that ended it has shown it: to run it again, \
                 give it another folder for checkpoints, or remove this one",
                job.name
            );
            (Exit::JobFailed, message)
        });
    }
    let shown = shown.map_err(|message| (Exit::JobFailed, message))?;
    if !shown.is_empty() {
        print(&shown)?;
    }
    told(job, &given, &result, took)
}

/// A job as the words of the command line describe it.
pub(crate) struct Asked<'j> {
    pub(crate) job: &'j NamedJob,
    pub(crate) settings: Settings,
    pub(crate) given: JobArguments,
    pub(crate) function: JobFunction,
}

impl<'j> Asked<'j> {
    pub(crate) fn read(
        arguments: &RunArguments,
        jobs: &'j [NamedJob],
    ) -> Result<Self, (Exit, String)> {
        let usage = |message| (Exit::Usage, message);
        let job = named_job::find(jobs, &arguments.scenario).map_err(usage)?;
        let settings = settings::validated(&arguments.source).map_err(usage)?;
        let given = JobArguments {
            input: arguments.input.clone(),
            output: arguments.output.clone(),
            split_bytes: arguments.split_bytes,
            records: arguments.records,
            seed: arguments.seed,
            rate: arguments.rate,
            keys: arguments.keys,
            window: arguments.window,
        };
        let function = job.job(&given).map_err(usage)?;
        Ok(Self {
            job,
            settings,
            given,
            function,
        })
    }
}

/// Tells where the result is, and what was counted.
pub(crate) fn told(
    job: &NamedJob,
    given: &JobArguments,
    result: &JobResult,
    took: Duration,
) -> Ended {
    if let Some(folder) = &given.output {
        print(&format!("written to {}", folder.display()))?;
    }
    report(&summary::of(job.name, result, took));
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the user waited, outside of any world"
)]
#[expect(
/// Whether another run or process has ended the job, and this one did nothing; tells so.
pub(crate) fn is_over_already(job: &NamedJob, result: &JobResult) -> bool {
    let is_over = result.vertices().is_empty();
    if is_over {
        let end = result.end();
        report(&format!(
            "{} is over already, by its job log: {end}\n",
            job.name
        ));
    }
    is_over
}

    clippy::disallowed_types,
    reason = "how long the user waited, outside of any world"
)]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
