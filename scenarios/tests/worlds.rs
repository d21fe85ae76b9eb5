//! One scenario, one input, one canonical output: on tokio at several parallelisms, in simulation.

use std::path::PathBuf;

use sameriver::prelude::*;
use sameriver_cli::JobArguments;
use sameriver_scenarios::{Rows, Story, Workload, catalogue, simulate};
use sameriver_sim::{Limits, run_seed};

fn licence() -> Workload {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../LICENSE-APACHE");
    let text = include_bytes!("../../LICENSE-APACHE").to_vec();
    // Small splits, so that more than one reader has something to read.
    let arguments = JobArguments {
        input: vec![path.clone()],
        split_bytes: Some(1_000),
        ..JobArguments::default()
    };
    Workload {
        arguments,
        files: vec![(path, text)],
    }
}

fn events() -> Workload {
    let arguments = JobArguments {
        records: Some(2_000),
        seed: Some(7),
        ..JobArguments::default()
    };
    Workload {
        arguments,
        files: Vec::new(),
    }
}

fn story(name: &str) -> &'static Story {
    catalogue::find(name).expect("the scenario is in the catalogue")
}

fn settings(parallelism: u32, task_managers: u32) -> Settings {
    Settings {
        parallelism,
        task_managers,
        ..Settings::default()
    }
}

fn on_tokio(story: &'static Story, workload: &Workload, settings: &Settings) -> Rows {
    let job = story
        .job
        .job(&workload.arguments)
        .expect("the arguments are right");
    let result = sameriver::run_blocking(move |env| job(env), settings);
    let result = result.expect("the job finishes");
    (story.collected)(result.collections()).expect("the job collects")
}

fn in_simulation(
    story: &'static Story,
    workload: &Workload,
    settings: &Settings,
    seed: u64,
) -> Rows {
    let (workload, settings) = (workload.clone(), settings.clone());
    let outcome = run_seed(seed, &Limits::default(), move |sim| async move {
        simulate::rows(&sim, story, &workload, settings).await
    });
    outcome.verdict.expect("the job finishes")
}

fn same_everywhere(name: &'static str, workload: &Workload) {
    let story = story(name);
    let right = (story.reference)(workload);
    insta::assert_snapshot!(name, right.to_string());
    for (parallelism, task_managers) in [(1, 1), (2, 1), (4, 1), (4, 2)] {
        let settings = settings(parallelism, task_managers);
        let got = on_tokio(story, workload, &settings);
        assert_eq!(
            got.difference(&right),
            None,
            "on tokio at parallelism {parallelism}"
        );
        insta::assert_snapshot!(name, got.to_string());
        for seed in 0..3 {
            let got = in_simulation(story, workload, &settings, seed);
            assert_eq!(got.difference(&right), None, "in simulation, seed {seed}");
            insta::assert_snapshot!(name, got.to_string());
        }
    }
}

#[test]
fn word_count_gives_one_output_in_both_worlds_at_any_parallelism() {
    same_everywhere("word_count", &licence());
}

#[test]
fn windowed_totals_gives_one_output_in_both_worlds_at_any_parallelism() {
    same_everywhere("windowed_totals", &events());
}

fn generated(records: u64) -> Workload {
    let arguments = JobArguments {
        records: Some(records),
        seed: Some(7),
        ..JobArguments::default()
    };
    Workload {
        arguments,
        files: Vec::new(),
    }
}

#[test]
fn every_scenario_equals_its_reference_in_both_worlds() {
    for name in ["bank_transfer", "poison_pill", "session_cart"] {
        let (story, workload) = (story(name), generated(500));
        let right = (story.reference)(&workload);
        assert!(
            right.as_slice().len() > 10,
            "{name} has something to compare"
        );
        for parallelism in [1, 3] {
            let settings = settings(parallelism, 2);
            let got = on_tokio(story, &workload, &settings);
            assert_eq!(got.difference(&right), None, "{name} on tokio");
            let got = in_simulation(story, &workload, &settings, 1);
            assert_eq!(got.difference(&right), None, "{name} in simulation");
        }
    }
}

#[test]
fn a_poison_record_without_a_policy_fails_the_job_and_is_named() {
    let job = |env: &mut Environment| {
        let texts = env.elements("texts", ["1", "pill"].map(String::from));
        texts
            .try_map(|text: String| Ok(text.parse::<u64>()?))
            .collect("numbers")
    };
    let failed = sameriver::run_blocking(job, &Settings::default());
    let said = failed.expect_err("a pill is no number").to_string();
    assert!(said.contains("operator try_map failed"), "{said}");
}
