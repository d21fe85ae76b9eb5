//! `sim replay PLAN`: runs a plan again, under its own schedule and further ones.
//!
//! Invariant: the exit code is that of the first finding, whether the plan expected it or not.

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use sameriver_cli::Exit;
use sameriver_cli::command::{complain, print};
use sameriver_sim::{Limits, Plan, PlanError, Replay};

use super::{Ended, choose};
use crate::simulate;

/// Carries the command out.
pub(super) fn execute(path: &Path, schedules: u32) -> Ended {
    let plan = Plan::load(path).map_err(|error| (exit_of(&error), error.to_string()))?;
    let chosen = choose(&plan.scenario).map_err(|(_, message)| message);
    let trial = chosen.and_then(|trial| {
        trial.ok_or_else(|| "a plan is of one scenario, not of `all`: name one".to_owned())
    });
    let trial = trial.map_err(|message| {
        let message = format!("`scenario` of {}: {message}", path.display());
        (Exit::BadInput, message)
    })?;
    let limits = Limits::default();
    let replay = Replay::run(&plan, schedules, |plan| {
        simulate::play_plan(trial, plan, &limits)
    });
    if let Some(finding) = replay.first() {
        complain(&finding.to_string());
    }
    print(&replay.to_string())?;
    let code = replay.first().map(|finding| finding.kind.exit_code());
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// A plan is what the command reads: its end is that of an input.
fn exit_of(error: &PlanError) -> Exit {
    match error {
        PlanError::Unreadable { cause, .. } if cause.kind() == ErrorKind::InvalidData => {
            Exit::BadInput
        }
        PlanError::Unreadable { .. } => Exit::NoInput,
        PlanError::Malformed { .. } | PlanError::OtherSchema { .. } => Exit::BadInput,
        PlanError::Unwritable { .. } => Exit::CannotCreate,
    }
}
