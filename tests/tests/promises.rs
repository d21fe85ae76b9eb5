//! Holds `docs/promises.toml` to its checks.

use sameriver_tests::promise;

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
