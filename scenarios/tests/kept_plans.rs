//! Plans that are kept always pass: each once showed a bug, or a path that is rarely taken.

use std::path::Path;

use sameriver_scenarios::{catalogue, simulate};
use sameriver_sim::{Limits, Plan, PlanFolder};

#[test]
fn every_kept_plan_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/seeds");
    let plans = PlanFolder::at(folder).plans().expect("the folder is there");
    assert!(!plans.is_empty(), "no plan is kept");
    for path in plans {
        let plan = Plan::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let trial = catalogue::find_trial(&plan.scenario);
        let trial = trial.unwrap_or_else(|| panic!("{} is no scenario", plan.scenario));
        let played = simulate::play_plan(trial, &plan, &Limits::default()).verdict;
        let path = path.display();
        assert!(played.is_ok(), "{path}: {}", played.expect_err("it failed"));
    }
}
