//! Every way in which a job ends.

use std::convert::Infallible;

use sameriver_cluster::{ClusterSettings, JobEnd, JobOutcome, JobStatus, VertexMetrics};
use sameriver_model::{Failure, FailureKind};

use crate::job::{Input, Job, PER_SPLIT, cluster, slots, world};
use crate::ledger::Poison;

/// Runs a job to its end.
fn outcome_of(job: &Job, task_managers: u32, settings: ClusterSettings) -> JobOutcome {
    let tokio = world();
    let graph = || Ok::<_, Infallible>(job.graph());
    let Ok(running) = cluster(&tokio, task_managers).start(graph, settings);
    tokio.block_on(running.wait())
}

fn failure_of(outcome: JobOutcome) -> Failure {
    match outcome.status {
        JobEnd::Failed(failure) => failure,
        end @ (JobEnd::Finished | JobEnd::Cancelled) => panic!("the job ended as {end}"),
    }
}

/// Cancels a job as soon as all its subtasks run.
fn cancel_when_running(job: &Job, task_managers: u32, settings: ClusterSettings) {
    let tokio = world();
    let graph = || Ok::<_, Infallible>(job.graph());
    let Ok(running) = cluster(&tokio, task_managers).start(graph, settings);
    let control = running.control().clone();
    tokio.block_on(async {
        while control.status().await != Ok(JobStatus::Running) {}
        control.cancel().await;
        assert_eq!(running.wait().await.status, JobEnd::Cancelled);
        assert_eq!(control.status().await, Ok(JobStatus::Cancelled));
        // A request that comes too late does no harm.
        control.cancel().await;
    });
}

#[test]
fn all_records_arrive_at_one_and_at_two_task_managers() {
    for (task_managers, slots_each) in [(1, 2), (2, 1), (2, 2)] {
        let job = Job::new(Input::Splits(5), 2);
        let outcome = outcome_of(&job, task_managers, slots(slots_each));
        assert_eq!(outcome.status, JobEnd::Finished);
        let expected: Vec<_> = (0..5 * PER_SPLIT).collect();
        assert_eq!(job.committed.sorted(), expected);
        let counts = outcome.vertices.iter().map(VertexMetrics::records_in);
        let counts: Vec<_> = counts.collect();
        assert_eq!(counts, [5 * PER_SPLIT, 5 * PER_SPLIT]);
    }
}

#[test]
fn a_job_without_input_finishes() {
    let job = Job::new(Input::Splits(0), 2);
    assert_eq!(outcome_of(&job, 2, slots(1)).status, JobEnd::Finished);
}

#[test]
fn a_failing_sink_fails_the_job_with_its_kind_and_place() {
    for (task_managers, slots_each) in [(1, 2), (2, 1)] {
        let job = Job {
            poison: Some(Poison::always(1_234)),
            ..Job::new(Input::Splits(50), 2)
        };
        let failure = failure_of(outcome_of(&job, task_managers, slots(slots_each)));
        assert_eq!(failure.kind, FailureKind::OutputUnwritable);
        assert!(
            failure.to_string().contains("cannot write memory"),
            "{failure}"
        );
        assert!(failure.subtask.is_some());
    }
}

#[test]
fn a_source_whose_splits_cannot_be_found_fails_the_job_by_name() {
    let failure = failure_of(outcome_of(&Job::new(Input::Missing, 1), 1, slots(1)));
    assert_eq!(failure.kind, FailureKind::InputUnreadable);
    let expected = "source numbers: cannot read numbers.txt: entity not found: create it";
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn a_source_that_panics_while_it_looks_for_splits_fails_the_job() {
    let failure = failure_of(outcome_of(&Job::new(Input::Panicking, 1), 1, slots(1)));
    assert!(
        failure.to_string().contains("the enumerator trips"),
        "{failure}"
    );
}

#[test]
fn too_few_slots_fail_the_job_with_the_setting() {
    let failure = failure_of(outcome_of(&Job::new(Input::Splits(1), 4), 2, slots(1)));
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(failure.to_string().contains("raise slots"), "{failure}");
}

#[test]
fn settings_that_cannot_work_fail_the_job_by_name() {
    let failure = failure_of(outcome_of(&Job::new(Input::Splits(1), 1), 1, slots(0)));
    assert!(failure.to_string().starts_with("slots 0"), "{failure}");
}

#[test]
fn an_endless_job_is_cancelled_on_request() {
    for (task_managers, slots_each) in [(1, 2), (2, 1)] {
        cancel_when_running(
            &Job::new(Input::Endless, 2),
            task_managers,
            slots(slots_each),
        );
    }
}

#[test]
fn a_silent_job_is_cancelled_on_request() {
    cancel_when_running(&Job::new(Input::Silent, 2), 2, slots(1));
}
