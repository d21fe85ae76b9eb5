//! Jobs with checkpoints that lose something in the middle, and end with exact results.

use std::convert::Infallible;
use std::sync::Arc;

use sameriver_cluster::{
    CheckpointRequestError, ClusterSettings, JobControl, JobEnd, JobOutcome, JobStatus,
    RestartStrategy,
};
use sameriver_model::CheckpointId;

use crate::job::{Gate, Input, Job, all_of, cluster, slots, world};
use crate::ledger::Poison;
use crate::site::{Master, hasty, start_task_manager, store, until, world_with};

/// A job that reads half of its splits, waits at the gate, and then reads the rest.
fn gated(splits: u64, parallelism: u32) -> (Job, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let job = Job {
        gate: Some((splits / 2, Arc::clone(&gate))),
        ..Job::new(Input::Splits(splits), parallelism)
    };
    (job, gate)
}

fn check_exact(job: &Job, splits: u64, outcome: &JobOutcome) {
    assert_eq!(outcome.status, JobEnd::Finished);
    assert_eq!(job.committed.sorted(), all_of(splits));
}

/// Runs a job on an embedded cluster; `middle` happens when half of it is read.
fn embedded<F: Future<Output = ()>>(
    job: &Job,
    task_managers: u32,
    settings: ClusterSettings,
    middle: impl FnOnce(JobControl) -> F,
) -> JobOutcome {
    let store = store();
    let tokio = world_with(&store);
    let graph = || Ok::<_, Infallible>(job.graph());
    let Ok(running) = cluster(&tokio, task_managers).start(graph, settings);
    tokio.block_on(async {
        middle(running.control().clone()).await;
        running.wait().await
    })
}

#[test]
fn a_job_with_checkpoints_finishes_with_exact_results() {
    for task_managers in [1, 2] {
        let job = Job::new(Input::Splits(6), 2);
        let settings = ClusterSettings {
            slots: 2,
            ..hasty()
        };
        let outcome = embedded(&job, task_managers, settings, |_| async {});
        check_exact(&job, 6, &outcome);
        // The last checkpoint, at the end of the input, lets the ledger commit.
        assert_eq!(outcome.counts.checkpoints_completed, 1);
        assert_eq!(outcome.counts.restarts, 0);
    }
}

#[test]
fn a_function_that_fails_once_restarts_the_job_from_its_checkpoint() {
    for (task_managers, slots) in [(1, 2), (2, 1)] {
        let (mut job, gate) = gated(6, 2);
        job.poison = Some(Poison::once(5_500));
        let settings = ClusterSettings { slots, ..hasty() };
        let outcome = embedded(&job, task_managers, settings, |control| async move {
            until(&control, JobStatus::Running).await;
            assert_eq!(control.checkpoint().await, Ok(CheckpointId::new(1)));
            gate.open();
        });
        check_exact(&job, 6, &outcome);
        assert_eq!((outcome.counts.restarts, outcome.counts.restored), (1, 1));
    }
}

#[test]
fn a_job_without_a_store_restarts_from_its_beginning() {
    let mut job = Job::new(Input::Splits(4), 1);
    job.poison = Some(Poison::once(2_500));
    let settings = ClusterSettings {
        restart: hasty().restart,
        ..slots(1)
    };
    let outcome = embedded(&job, 1, settings, |_| async {});
    check_exact(&job, 4, &outcome);
    assert_eq!((outcome.counts.restarts, outcome.counts.restored), (1, 0));
}

#[test]
fn a_job_that_fails_too_often_ends_with_its_failure() {
    let mut job = Job::new(Input::Splits(4), 1);
    job.poison = Some(Poison::always(2_500));
    let delay = std::time::Duration::ZERO;
    let settings = ClusterSettings {
        restart: RestartStrategy::FixedDelay { attempts: 2, delay },
        ..hasty()
    };
    let outcome = embedded(&job, 1, settings, |_| async {});
    assert!(outcome.status.to_string().contains("cannot write memory"));
    assert_eq!(outcome.counts.restarts, 2);
    assert_eq!(job.committed.sorted(), []);
}

#[test]
fn a_checkpoint_of_a_job_without_a_store_is_refused_with_the_remedy() {
    let tokio = world();
    let job = Job::new(Input::Silent, 1);
    let graph = || Ok::<_, Infallible>(job.graph());
    let Ok(running) = cluster(&tokio, 1).start(graph, slots(1));
    tokio.block_on(async {
        let control = running.control().clone();
        let refused = control.checkpoint().await;
        assert_eq!(refused, Err(CheckpointRequestError::NoStore));
        control.cancel().await;
        running.wait().await;
    });
}

#[test]
fn a_store_that_is_not_offered_fails_the_job_by_its_url() {
    let job = Job::new(Input::Splits(1), 1);
    let tokio = world();
    let graph = || Ok::<_, Infallible>(job.graph());
    let Ok(running) = cluster(&tokio, 1).start(graph, hasty());
    let outcome = tokio.block_on(running.wait());
    let message = outcome.status.to_string();
    assert!(
        message.contains("no service for blob:checkpoints"),
        "{message}"
    );
}

#[test]
fn a_killed_task_manager_is_replaced_and_the_job_goes_on_from_its_checkpoint() {
    let store = store();
    let tokio = world_with(&store);
    let settings = ClusterSettings {
        task_managers: 2,
        ..hasty()
    };
    let (job, gate) = gated(6, 2);
    let outcome = tokio.block_on(async {
        let master = Master::bind(&tokio, "master").await;
        let at = [master.address()];
        let (control, running) = master.run(&job, &settings);
        let victim = start_task_manager(&tokio, &at, 0, &job, &settings);
        let other = start_task_manager(&tokio, &at, 1, &job, &settings);
        until(&control, JobStatus::Running).await;
        control.checkpoint().await.unwrap();
        victim.kill().await;
        let heir = start_task_manager(&tokio, &at, 0, &job, &settings);
        gate.open();
        let outcome = running.wait().await;
        // Whoever hears nothing any more finds the end in the job log.
        other.wait().await.unwrap();
        heir.wait().await.unwrap();
        outcome
    });
    check_exact(&job, 6, &outcome);
    assert!(outcome.counts.restored >= 1, "{:?}", outcome.counts);
}

#[test]
fn a_killed_job_master_is_followed_by_one_that_goes_on_from_the_log() {
    let store = store();
    let tokio = world_with(&store);
    let settings = hasty();
    let (job, gate) = gated(6, 1);
    let outcome = tokio.block_on(async {
        let first = Master::bind(&tokio, "first").await;
        let second = Master::bind(&tokio, "second").await;
        let at = [first.address(), second.address()];
        let (control, running) = first.run(&job, &settings);
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        control.checkpoint().await.unwrap();
        running.kill().await;
        let (_, running) = second.run(&job, &settings);
        gate.open();
        let outcome = running.wait().await;
        host.wait().await.unwrap();
        outcome
    });
    check_exact(&job, 6, &outcome);
    assert_eq!((outcome.counts.restarts, outcome.counts.restored), (0, 1));
}

#[test]
fn a_job_that_is_over_is_not_run_again() {
    let store = store();
    let tokio = world_with(&store);
    let job = Job::new(Input::Splits(2), 1);
    let run = || {
        let graph = || Ok::<_, Infallible>(job.graph());
        let Ok(running) = cluster(&tokio, 1).start(graph, hasty());
        tokio.block_on(running.wait())
    };
    check_exact(&job, 2, &run());
    let again = run();
    assert_eq!(again.status, JobEnd::Finished);
    assert_eq!(again.counts.checkpoints_completed, 0);
}

#[test]
fn a_cancelled_job_stays_cancelled() {
    let store = store();
    let tokio = world_with(&store);
    let job = Job::new(Input::Silent, 1);
    let run = |cancels: bool| {
        let graph = || Ok::<_, Infallible>(job.graph());
        let Ok(running) = cluster(&tokio, 1).start(graph, hasty());
        tokio.block_on(async {
            if cancels {
                running.control().cancel().await;
            }
            running.wait().await.status
        })
    };
    assert_eq!(run(true), JobEnd::Cancelled);
    assert_eq!(run(false), JobEnd::Cancelled);
}
