//! The command line of a Sameriver job binary: `list`, `run`, `graph`, `settings`.
//!
//! A binary hands over its named jobs; [`main`] does the rest. A binary with commands of its own
//! flattens [`Command`] into its own `clap` type and calls [`execute`].
//!
//! Reading order: [`named_job`] → [`command`] → [`run`] → [`summary`] → [`exit`] → [`logging`].
//!
//! Invariant: the only room that reads environment variables and decides exit codes.
#![forbid(unsafe_code)]

pub mod command;
pub mod exit;
pub mod logging;
pub mod named_job;
pub mod run;
pub mod settings;
pub mod summary;

pub use command::{Command, execute, parse_with};
pub use exit::Exit;
pub use named_job::{JobArguments, NamedJob};

/// Parses the command line, carries it out and gives the process's exit code.
pub fn main(name: &'static str, jobs: &[NamedJob]) -> std::process::ExitCode {
    logging::start();
    command::main(name, jobs).into()
}
