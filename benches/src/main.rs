//! Prints the table of figures, verifies the checksums, or measures latency, checkpoints,
//! recovery.
//!
//! Invariant: every table names commit, machine and command; the exit code is 1 when a run fails or
//! a bound does not hold. Quick figures are printed, not judged.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use sameriver_benches::check::{self, BenchError};
use sameriver_benches::checkpoints::{self, Checkpoints, Extent};
use sameriver_benches::latency::{Latency, Spans};
use sameriver_benches::node::{self, Role, Terms};
use sameriver_benches::origin::Origin;
use sameriver_benches::plain::{self, Rows};
use sameriver_benches::recovery::{Recovery, Trials};
use sameriver_benches::row::Checksum;
use sameriver_benches::stopwatch::measure;
use sameriver_benches::table::{Bounds, Size, Table};
use sameriver_benches::{jobs, text_file};

/// Measures the engine against plain loops over the same records.
#[derive(Parser)]
#[command(name = "sameriver-benches")]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Clone, Subcommand)]
enum What {
    /// Measures throughput and CPU per record (the default).
    Table {
        /// Small sizes, no judgement.
        #[arg(long)]
        quick: bool,
        /// Judge these bounds alone.
        #[arg(long)]
        judge: Option<Bounds>,
    },
    /// Verifies row counts and checksums of engine and loops.
    Check {
        /// Leaves out the larger sizes.
        #[arg(long)]
        quick: bool,
    },
    /// Runs one side of one stream several times, for a profiler.
    Profile {
        /// Which.
        stream: Stream,
        /// Subtasks of each operator; 0 for the plain loop.
        #[arg(long, default_value_t = 1)]
        parallelism: u32,
        /// How often.
        #[arg(long, default_value_t = 5)]
        times: u32,
    },
    /// Measures what checkpoints cost, and how long they keep a data thread.
    Checkpoints {
        /// Short runs, no judgement.
        #[arg(long)]
        quick: bool,
    },
    /// Measures how soon a job goes on after its task manager is lost.
    Recovery {
        /// One trial of each failure.
        #[arg(long)]
        quick: bool,
    },
    /// Is a process of the recovery bench.
    #[command(hide = true)]
    Node {
        #[command(flatten)]
        terms: Terms,
        #[command(subcommand)]
        role: Role,
    },
    /// Measures the latency of a socket job.
    Latency {
        /// Short runs, no judgement.
        #[arg(long)]
        quick: bool,
    },
}

impl What {
    /// What is done if nothing is asked for.
    const TABLE: Self = Self::Table {
        quick: false,
        judge: None,
    };
}

#[derive(Clone, Copy, ValueEnum)]
enum Stream {
    /// The keyed counter.
    Kc,
    /// The keyed counter with a checkpoint each second, in memory.
    KcCheckpoints,
    /// The word count with owned keys.
    Wc,
    /// The word count with borrowed keys.
    WcByRef,
    /// The word count with borrowed keys and words that need no allocation.
    WcInline,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.what.unwrap_or(What::TABLE)) {
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
        What::Table { quick, judge } => {
            let table = Table::measure(if quick { Size::QUICK } else { Size::FULL })?;
            print(&format_args!("{}\n{table}", Origin::here()));
            Ok(if quick {
                Vec::new()
            } else {
                table.missed(judge)
            })
        }
        What::Check { quick } => {
            check::run(quick, |what, found| {
                print(&format_args!("{what}: {found}\n"));
            })?;
            Ok(Vec::new())
        }
        What::Profile {
            stream,
            parallelism,
            times,
        } => {
            let text = text_file::path(Size::FULL.lines)?;
            for _ in 0..times {
                let (done, spent) = measure(|| once(stream, &text, parallelism));
                let nanos = spent.cpu.as_secs_f64() * 1e9 / done?.rows as f64;
                print(&format_args!("{nanos:.1} ns of CPU a record\n"));
            }
            Ok(Vec::new())
        }
        What::Checkpoints { quick } => {
            let extent = if quick { Extent::QUICK } else { Extent::FULL };
            let checkpoints = Checkpoints::measure(extent)?;
            print(&format_args!("{}\n{checkpoints}", Origin::here()));
            Ok(if quick {
                Vec::new()
            } else {
                checkpoints.missed()
            })
        }
        What::Recovery { quick } => {
            let trials = if quick { Trials::QUICK } else { Trials::FULL };
            let recovery = Recovery::measure(trials)?;
            print(&format_args!("{}\n{recovery}", Origin::here()));
            Ok(Vec::new())
        }
        What::Node { terms, role } => {
            node::play(&role, &terms)?;
            Ok(Vec::new())
        }
        What::Latency { quick } => {
            let latency = Latency::measure(if quick { Spans::QUICK } else { Spans::FULL })?;
            print(&format_args!("{}\n{latency}", Origin::here()));
            Ok(if quick { Vec::new() } else { latency.missed() })
        }
    }
}

fn once(stream: Stream, text: &Path, parallelism: u32) -> Result<Checksum, BenchError> {
    let (records, rows) = (Size::FULL.records, Rows::Timed);
    Ok(match (stream, parallelism) {
        (Stream::Kc | Stream::KcCheckpoints, 0) => plain::keyed_counter(records, rows),
        (Stream::Wc | Stream::WcByRef | Stream::WcInline, 0) => {
            plain::word_count(text_file::reader(text)?, rows)?
        }
        (Stream::Kc, _) => jobs::keyed_counter(records, parallelism, rows)?,
        (Stream::KcCheckpoints, _) => checkpoints::once(Extent::FULL, parallelism)?,
        (Stream::Wc, _) => jobs::word_count(text, parallelism, rows)?,
        (Stream::WcByRef, _) => jobs::word_count_by_ref(text, parallelism, rows)?,
        (Stream::WcInline, _) => jobs::word_count_inline(text, parallelism, rows)?,
    })
}

fn print(text: &dyn Display) {
    // A reader that went away does not want the rest.
    let _ = write!(io::stdout(), "{text}");
}
