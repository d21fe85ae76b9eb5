//! `sim replay PLAN`: runs a plan again, under its own schedule and further ones.
//!
//! Invariant: the exit code is that of the first finding, whether the plan expected it or not.

use std::path::Path;
use std::process::ExitCode;

use sameriver_cli::Exit;
use sameriver_cli::command::{complain, print};
use sameriver_sim::{Limits, Plan, Replay};

use super::{Ended, choose};
use crate::simulate;

/// Carries the command out.
pub(super) fn execute(path: &Path, schedules: u32) -> Ended {
    let plan = Plan::load(path).map_err(|error| (Exit::Usage, error.to_string()))?;
    let Some(trial) = choose(&plan.scenario)? else {
        let scenario = &plan.scenario;
        return super::usage(&format!("a plan is of one scenario, not of `{scenario}`"));
    };
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
