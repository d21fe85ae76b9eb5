//! Prints the table of figures, verifies the checksums, or measures latency.
//!
//! Invariant: every table names commit, machine and command; the exit code is 1 when a run fails or
//! a bound does not hold. Quick figures are printed, not judged.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sameriver_benches::check::{self, BenchError};
use sameriver_benches::latency::{Latency, Spans};
use sameriver_benches::origin::Origin;
use sameriver_benches::table::{Size, Table};

/// Measures the engine against plain loops over the same records.
#[derive(Parser)]
#[command(name = "sameriver-benches")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Clone, Copy, Subcommand)]
enum What {
    /// Measures throughput and CPU per record (the default).
    Table {
        /// Small sizes, no judgement.
        #[arg(long)]
        quick: bool,
    },
    /// Verifies row counts and checksums of engine and loops.
    Check {
        /// Leaves out the larger sizes.
        #[arg(long)]
        quick: bool,
    },
    /// Measures the latency of a socket job.
    Latency {
        /// Short runs, no judgement.
        #[arg(long)]
        quick: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.what.unwrap_or(What::Table { quick: false })) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            for sentence in missed {
                eprintln!("bound missed: {sentence}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does it; gives what does not hold.
fn run(what: What) -> Result<Vec<String>, BenchError> {
    match what {
        What::Table { quick } => {
            let table = Table::measure(if quick { Size::QUICK } else { Size::FULL })?;
            print(&format_args!("{}\n{table}", Origin::here()));
            Ok(if quick { Vec::new() } else { table.missed() })
        }
        What::Check { quick } => {
            check::run(quick, |what, found| {
                print(&format_args!("{what}: {found}\n"))
            })?;
            Ok(Vec::new())
        }
        What::Latency { quick } => {
            let latency = Latency::measure(if quick { Spans::QUICK } else { Spans::FULL })?;
            print(&format_args!("{}\n{latency}", Origin::here()));
            Ok(if quick { Vec::new() } else { latency.missed() })
        }
    }
}

fn print(text: &dyn Display) {
    // A reader that went away does not want the rest.
    let _ = write!(io::stdout(), "{text}");
}
