//! Holds `docs/promises.toml` to its checks.

use sameriver_tests::promise;
use sameriver_tests::repository::{files, text};

#[test]
fn every_promise_names_a_check_that_exists() {
    let promises = promise::all();
    assert!(!promises.is_empty(), "the project promises something");
    let defects: Vec<String> = promises
        .iter()
        .filter_map(promise::Promise::defect)
        .collect();
    assert!(defects.is_empty(), "{}", defects.join("\n"));
}

#[test]
fn every_promise_has_a_name_of_its_own() {
    let doubled = promise::doubled(&promise::all());
    assert!(doubled.is_empty(), "{doubled:?} stand more than once");
}

#[test]
fn every_planted_bug_is_caught_by_the_check_of_a_promise() {
    let rows = promise::all();
    let caught: Vec<_> = rows.iter().filter_map(|row| row.catches.as_ref()).collect();
    let mut planted = files(".toml");
    planted.retain(|path| path.starts_with("sim/planted/"));
    assert!(!planted.is_empty(), "there are planted bugs");
    planted.retain(|path| {
        !caught
            .iter()
            .any(|caught| path.starts_with(caught.as_str()))
    });
    assert!(planted.is_empty(), "no promise catches {planted:?}");
}

#[test]
fn the_gate_packages_as_the_promise_says() {
    let rows = promise::all();
    let row = rows.iter().find(|row| row.id == "house-packages");
    let command = row.and_then(|row| row.check.command.as_ref());
    let command = command.expect("packaging is promised, with a command");
    let step = format!("step \"packages\" {command}\n");
    assert!(text(".ci/run").contains(&step), "{step}");
}

#[test]
fn a_promise_whose_check_does_not_exist_has_a_defect() {
    let mut row = promise::all().swap_remove(0);
    row.check.test = Some("a_test_that_nobody_wrote".to_owned());
    assert!(
        row.defect()
            .is_some_and(|defect| defect.contains("no test"))
    );
    row.check.package = Some("sameriver-tests".to_owned());
    row.check.test = Some("all".to_owned()); // a function, but no test
    assert!(
        row.defect()
            .is_some_and(|defect| defect.contains("no test"))
    );
}
