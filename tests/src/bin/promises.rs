//! Runs the checks of promises: `promises ID..`, or lists them without an id.
#![expect(clippy::print_stdout, reason = "a command line prints")]

use std::process::ExitCode;

use sameriver_tests::promise::{self, Promise};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let promises = promise::all();
    if wanted.is_empty() {
        for promise in &promises {
            println!("{:32} {}", promise.id, promise.claim);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|id| promises.iter().all(|row| row.id != **id))
    {
        eprintln!("no promise {unknown}: run `promises` without an id for the list");
        return ExitCode::from(64);
    }
    let chosen = promises
        .iter()
        .filter(|promise| wanted.contains(&promise.id));
    let broken = chosen.filter(|promise| !kept(promise)).count();
    if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn kept(promise: &Promise) -> bool {
    println!(
        "{}: {}\n  {}",
        promise.id,
        promise.claim,
        promise.command().join(" ")
    );
    let kept = promise.run().unwrap_or_else(|error| {
        eprintln!("{}: {error}", promise.id);
        false
    });
    println!("{}: {}", promise.id, if kept { "kept" } else { "BROKEN" });
    kept
}
