//! `jobmaster` and `taskmanager`: a job on several processes.
//!
//! Invariant: standard output has results only, as with `run`. Nothing is decided here but the exit
//! code.

use sameriver::{NodeError, NodeFault};

use crate::command::{Ended, JobMasterArguments, TaskManagerArguments, report};
use crate::exit::Exit;
use crate::named_job::NamedJob;
use crate::run::{Asked, is_over_already, now, told};

/// Leads a job to its end and tells what was counted.
pub(crate) fn job_master(arguments: &JobMasterArguments, jobs: &[NamedJob]) -> Ended {
    let Asked {
        job,
        settings,
        given,
        function,
    } = Asked::read(&arguments.run, jobs)?;
    let awaited = settings.task_managers;
    let started = now();
    let ended = sameriver::run_job_master(
        move |env| function(env),
        &settings,
        &arguments.listen,
        |address| {
            report(&format!(
                "job master of {} listens on {address} for {awaited} task managers\n",
                job.name
            ));
        },
    );
    let result = ended.map_err(|error| (exit_of(&error), format!("{}: {error}", job.name)))?;
    if is_over_already(job, &result) {
        return Ok(());
    }
    told(job, &given, &result, started.elapsed())
}

/// Serves a job to its end.
pub(crate) fn task_manager(arguments: &TaskManagerArguments, jobs: &[NamedJob]) -> Ended {
    let asked = Asked::read(&arguments.run, jobs)?;
    let (name, function) = (asked.job.name, asked.function);
    let served = sameriver::run_task_manager(
        move |env| function(env),
        &asked.settings,
        arguments.index,
        &arguments.master,
        &arguments.host,
    );
    served.map_err(|error| (exit_of(&error), format!("{name}: {error}")))?;
    report(&format!(
        "{name} is over: task manager {} ends\n",
        arguments.index
    ));
    Ok(())
}

fn exit_of(error: &NodeError) -> Exit {
    match error.fault() {
        NodeFault::Misfit => Exit::Usage,
        NodeFault::Unavailable => Exit::Unavailable,
        NodeFault::Job(kind) => Exit::of_kind(kind),
    }
}
