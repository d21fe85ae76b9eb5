//! Runs [`sameriver_tests::upper_case`] on the real world, for tests that feed its standard input.
//!
//! Invariant: nothing but the job writes to the standard output.

use std::process::ExitCode;

use sameriver::Settings;
use sameriver_tests::upper_case::upper_case;

fn main() -> ExitCode {
    match sameriver::run_blocking(upper_case, &Settings::default()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
