//! The command line of a Sameriver job binary: `list`, `run`, `graph`, `settings`, and of a job
//! that runs on several processes `jobmaster`, `taskmanager`, `checkpoints`.
//!
//! A binary hands over its named jobs; [`main`] does the rest:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use sameriver::prelude::*;
//! use sameriver_cli::NamedJob;
//!
//! fn squares(env: &mut Environment) -> Result<(), BuildError> {
//!     env.elements("numbers", [1_u64, 2, 3]).map(|n| n * n).print("squares")
//! }
//!
//! fn main() -> ExitCode {
//!     let jobs = [NamedJob::of("squares", "prints three squares", squares)];
//!     sameriver_cli::main("numbers", &jobs)
//! }
//! ```
//!
//! Then `numbers run squares` runs it, `numbers graph squares` draws it, `numbers list` and
//! `numbers --help` tell the rest. A job that takes files or numbers from the command line is made
//! by [`MakeJob::Given`]; what it collected is shown by [`NamedJob::show`]. A binary with commands
//! of its own flattens [`Command`] into its own `clap` type and calls [`execute`].
//!
//! Reading order: [`named_job`] → [`command`] → [`run`] → [`nodes`] → [`checkpoints`] →
//! [`summary`] → [`exit`] → [`logging`].
//!
//! Invariant: the only room that reads environment variables and decides exit codes.
#![forbid(unsafe_code)]

pub mod checkpoints;
pub mod command;
pub mod exit;
pub mod logging;
pub mod named_job;
pub mod nodes;
pub mod run;
pub mod settings;
pub mod summary;

pub use command::{Command, execute, parse_with};
pub use exit::Exit;
pub use named_job::{JobArguments, JobFunction, MakeJob, NamedJob};

/// Parses the command line, carries it out and gives the process's exit code.
pub fn main(name: &'static str, jobs: &[NamedJob]) -> std::process::ExitCode {
    logging::start();
    command::main(name, jobs).into()
}
