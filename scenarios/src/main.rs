//! The `sameriver` binary: runs scenarios on the real world, and many seeds of them in simulation.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sameriver_cli::{Command, logging};
use sameriver_scenarios::catalogue;

/// Stateful stream processing whose simulated runs repeat from a seed.
#[derive(Debug, Parser)]
#[command(version)]
struct Line {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    #[command(flatten)]
    Engine(Command),
    /// Play many seeds in the simulated world, each with another workload and other settings.
    #[cfg(feature = "sim")]
    Sim(sameriver_scenarios::sim_command::SimArguments),
}

fn main() -> ExitCode {
    match sameriver_cli::parse_with::<Line>("sameriver", std::env::args_os()) {
        Ok(line) => match line.command {
            Commands::Engine(command) => {
                logging::start();
                sameriver_cli::execute(&command, &catalogue::jobs()).into()
            }
            #[cfg(feature = "sim")]
            Commands::Sim(arguments) => {
                logging::start_on_wish();
                sameriver_scenarios::sim_command::execute(&arguments)
            }
        },
        Err(exit) => exit.into(),
    }
}
