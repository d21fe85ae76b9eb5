//! `sim`: many seeds of one scenario, or of all, in the simulated world; plans of failing seeds,
//! and rows of evidence.
//!
//! Reading order: the arguments here → `campaign` (runs the seeds) → `report` (the summary) →
//! `failure` (what becomes of a failing seed) → `replay` → `evidence`.
//!
//! Invariant: the exit code is that of the lowest seed with a finding, whatever the number of jobs;
//! a vacuous seed is one only if no seed passed, or too many are vacuous.

mod campaign;
mod evidence;
mod failure;
mod replay;
mod report;
mod trace_file;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use sameriver_cli::Exit;
use sameriver_cli::command::complain;
use sameriver_sim::Class;

use crate::catalogue;
use crate::seed_range::SeedRange;
use crate::simulate::Trial;

/// `sim`.
#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct SimArguments {
    /// The scenario; `all` lets each seed draw one. `replay PLAN` repeats a plan, `evidence` a row
    /// of the evidence.
    pub scenario: String,
    /// The plan of `replay`.
    pub plan: Option<PathBuf>,
    /// The seeds: the first and, behind the dots, the end that is not run any more.
    #[arg(
        long,
        value_name = "FIRST..END",
        default_value = "0..100",
        allow_hyphen_values = true
    )]
    pub seeds: SeedRange,
    /// How many seeds run at once; as many as there are processors if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// How many faults every seed gets, instead of a drawn class.
    #[arg(long, value_name = "CLASS")]
    pub class: Option<FaultClass>,
    /// Print the trace hash of every seed.
    #[arg(long)]
    pub hashes: bool,
    /// Run the seeds in descending order.
    #[arg(long)]
    pub reverse: bool,
    /// Run every seed a second time elsewhere and compare the trace hashes.
    #[arg(long)]
    pub check: bool,
    /// Stop at the first seed with a finding.
    #[arg(long)]
    pub fail_fast: bool,
    /// Write the findings to a file, as TOML.
    #[arg(long, value_name = "FILE")]
    pub findings: Option<PathBuf>,
    /// Write every event of the (only) seed to a file.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Where the plans of failing seeds go.
    #[arg(long, value_name = "FOLDER", default_value = "sim-failures")]
    pub plans: PathBuf,
    /// Append a row per 1,000 seeds to docs/evidence/campaigns.csv.
    #[arg(long)]
    pub evidence: bool,
    /// With `replay`: how many further schedules the plan is run under.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub schedules: u32,
    /// With `evidence`: the row to run again and compare, counted from 1.
    #[arg(long, value_name = "ROW")]
    pub repeat: Option<usize>,
}

/// How many faults a seed gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultClass {
    /// None.
    Calm,
    /// One family.
    Solo,
    /// Some families.
    Swarm,
    /// All families.
    Storm,
}

impl From<FaultClass> for Class {
    fn from(class: FaultClass) -> Self {
        match class {
            FaultClass::Calm => Self::Calm,
            FaultClass::Solo => Self::Solo,
            FaultClass::Swarm => Self::Swarm,
            FaultClass::Storm => Self::Storm,
        }
    }
}

/// Carries the command out.
pub fn execute(arguments: &SimArguments) -> ExitCode {
    let done = match (arguments.scenario.as_str(), &arguments.plan) {
        ("replay", Some(plan)) => replay::execute(plan, arguments.schedules),
        ("replay", None) => usage("`sim replay` needs a plan: `sim replay sim-failures/NAME.toml`"),
        ("evidence", None) => evidence::execute(arguments),
        (scenario, Some(plan)) => {
            let plan = plan.display();
            usage(&format!(
                "`{plan}` behind `sim {scenario}` means nothing: write `sim replay {plan}`"
            ))
        }
        (_, None) => campaign::execute(arguments),
    };
    done.unwrap_or_else(|(exit, message)| {
        complain(&message);
        exit.into()
    })
}

/// A command's end, or why it has none.
type Ended = Result<ExitCode, (Exit, String)>;

fn usage(message: &str) -> Ended {
    Err((Exit::Usage, message.to_owned()))
}

/// The scenario of that name, or none for `all`.
fn choose(scenario: &str) -> Result<Option<&'static Trial>, (Exit, String)> {
    if scenario == "all" {
        return Ok(None);
    }
    let jobs = catalogue::jobs();
    let job = sameriver_cli::named_job::find(&jobs, scenario);
    let job = job.map_err(|message| (Exit::Usage, format!("{message}; `all` plays every one")))?;
    Ok(catalogue::find_trial(job.name))
}
