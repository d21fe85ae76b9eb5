//! Checkpoints that are due by what sources read: on the real world and in simulation.
//!
//! Invariant: the job is the same in both worlds. One checkpoint comes at the end of every job, so
//! whatever is above one was triggered by what was read: no interval is set.

use std::sync::Arc;
use std::time::Duration;

use sameriver::JobEnd;
use sameriver::connectors::Generator;
use sameriver::prelude::*;
use sameriver_sim::{CHECKPOINTS, Limits, SimJob, run_seed};

const SEEDS: u64 = 3;
const RECORDS: u64 = 600;

/// Paced, so that a checkpoint has the time to come before the end.
fn numbers(env: &mut Environment) -> Result<(), BuildError> {
    let numbers = Generator::sequence(RECORDS, |n: u64| n);
    let numbers = numbers.rate_per_second(1_000).marker_every(RECORDS / 4);
    env.source("numbers", numbers)
        .rebalance()
        .map(|n| n + 1)
        .discard("nowhere")
}

fn triggered_by(records: u64, markers: bool) -> Settings {
    Settings {
        parallelism: 2,
        checkpoint_interval: Duration::ZERO,
        checkpoint_records: records,
        checkpoint_markers: markers,
        ..Settings::default()
    }
}

/// How many checkpoints there were on tokio, then in each simulated run.
fn checkpoints(settings: &Settings) -> Vec<u64> {
    let real = Settings {
        checkpoints: "memory:triggers".to_owned(),
        ..settings.clone()
    };
    let result = sameriver::run_blocking(numbers, &real).expect("the job finishes");
    let mut completed = vec![result.counts().checkpoints_completed];
    for seed in 0..SEEDS {
        let settings = Settings {
            checkpoints: CHECKPOINTS.to_owned(),
            ..settings.clone()
        };
        let outcome = run_seed(seed, &Limits::default(), move |sim| async move {
            let (job, files) = (Arc::new(numbers), Vec::new());
            let job = SimJob {
                job,
                settings,
                files,
            };
            let outcome = job.run(&sim).await.expect("every node ends");
            assert_eq!(outcome.status, JobEnd::Finished);
            Ok(outcome.counts.checkpoints_completed)
        });
        completed.push(outcome.verdict.expect("the job finishes"));
    }
    completed
}

#[test]
fn a_marker_in_a_source_asks_for_a_checkpoint_in_both_worlds() {
    let counts = checkpoints(&triggered_by(0, true));
    assert!(counts.iter().all(|count| *count >= 2), "{counts:?}");
}

#[test]
fn so_many_records_make_a_checkpoint_due_in_both_worlds() {
    let counts = checkpoints(&triggered_by(RECORDS / 4, false));
    assert!(counts.iter().all(|count| *count >= 2), "{counts:?}");
}

#[test]
fn a_marker_that_nobody_asked_for_triggers_nothing_in_both_worlds() {
    let counts = checkpoints(&triggered_by(u64::MAX, false));
    assert!(counts.iter().all(|count| *count == 1), "{counts:?}");
}
