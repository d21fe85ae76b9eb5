//! Kills, stops and continues real processes while they run a job: `havoc --runs 10 --seed 1`.
//!
//! Prints the plan and the result of each run; the exit code is 0 if all have passed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sameriver_tests::havoc::run::{self, Wish};

/// Runs `windowed_totals` on two job masters and three task managers, which are killed, stopped
/// and continued by a plan that is drawn from the seed.
#[derive(Debug, Parser)]
struct Line {
    /// How many runs, each with the next seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    runs: u64,
    /// What the plan of the first run is drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Short runs: fewer kills, in about half a minute.
    #[arg(long)]
    quick: bool,
    /// The binary; left out, the `sameriver` that lies beside this program.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where the folders of the runs go; left out, the system's folder for temporary files.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let line = Line::parse();
    let beside = std::env::current_exe().ok();
    let beside = beside.map(|program| program.with_file_name("sameriver"));
    let Some(binary) = line.binary.or(beside).filter(|binary| binary.is_file()) else {
        eprintln!("error: there is no `sameriver`: run `cargo build --release`, or name --binary");
        return ExitCode::from(64);
    };
    let binary = std::path::absolute(&binary).unwrap_or(binary);
    let folder = line.folder.unwrap_or_else(std::env::temp_dir);
    let wish = Wish {
        binary,
        folder: std::path::absolute(&folder).unwrap_or(folder),
        runs: line.runs,
        seed: line.seed,
        is_quick: line.quick,
    };
    match run::all(&wish) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
