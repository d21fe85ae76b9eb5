//! `run`: a job on this machine, a line of progress while it runs, a summary when it has ended.
//!
//! Invariant: standard output has results only, so that it can be piped on; the progress and the
//! summary go to stderr.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sameriver::{JobError, JobReport, JobResult, Settings};

use crate::command::{Ended, RunArguments, print, report};
use crate::exit::Exit;
use crate::named_job::{self, JobArguments, JobFunction, NamedJob};
use crate::{settings, summary};

/// How often the line of progress is told what the job has counted.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

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
    let what = format!("{} at parallelism {}", job.name, settings.parallelism);
    progress.set_message(what.clone());
    let started = now();
    let handle = sameriver::start(move |env| function(env), &settings);
    let ended = handle.and_then(|handle| {
        handle.wait_watched(PROGRESS_EVERY, |report| {
            progress.set_message(format!("{what}: {}", so_far(report)));
        })
    });
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

/// The state of a job that runs and what it has counted, as a part of a line.
fn so_far(report: &JobReport) -> String {
    let (status, counts) = (report.status, report.counts);
    let told = [
        (counts.checkpoints_completed, "checkpoint"),
        (counts.checkpoints_failed, "failed checkpoint"),
        (counts.restarts, "restart"),
    ];
    let told = told.into_iter().filter(|(count, _)| *count > 0);
    let told = told.map(|(count, thing)| format!(", {}", summary::counted(count, thing)));
    format!("{status}{}", told.collect::<String>())
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

#[expect(
    clippy::disallowed_methods,
    reason = "how long the user waited, outside of any world"
)]
#[expect(
    clippy::disallowed_types,
    reason = "how long the user waited, outside of any world"
)]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use sameriver::model::AttemptNumber;
    use sameriver::{JobCounts, JobStatus};

    use super::*;

    #[test]
    fn the_progress_has_the_state_of_the_job_and_what_is_not_zero() {
        let report = |checkpoints_completed, restarts| JobReport {
            status: JobStatus::Running,
            leads: true,
            attempt: AttemptNumber::new(1),
            latest: None,
            counts: JobCounts {
                checkpoints_completed,
                restarts,
                ..JobCounts::default()
            },
        };
        assert_eq!(so_far(&report(0, 0)), "running");
        assert_eq!(
            so_far(&report(1_200, 1)),
            "running, 1,200 checkpoints, 1 restart"
        );
    }
}
