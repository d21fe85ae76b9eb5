//! What becomes of a failing seed: its plan is written and run again in a fresh process.
//!
//! Invariant: a finding is reported as one of the engine only if a fresh process has the very same
//! events; else it is nondeterminism.

use std::path::Path;
use std::process::Command;

use sameriver_sim::{Expectation, Finding, FindingKind, PlanFolder, TraceHash};

use super::campaign::Campaign;

/// A failing seed as it is reported.
pub(super) struct Found {
    pub(super) kind: FindingKind,
    pub(super) text: String,
}

/// The command that runs a seed of a scenario again.
pub(super) fn command(scenario: &str, seed: u64) -> String {
    let end = seed.saturating_add(1);
    format!("cargo run --release -- sim {scenario} --seeds {seed}..{end} --check")
}

/// Writes the plan of a failing seed, runs it again elsewhere and says how to repeat it.
pub(super) fn report(
    campaign: &Campaign,
    plans: &PlanFolder,
    seed: u64,
    finding: &Finding,
    hash: TraceHash,
) -> Found {
    let mut plan = campaign.plan(seed);
    plan.expectation = Some(Expectation::of(finding, hash));
    let path = match plans.write(&plan) {
        Ok(path) => path,
        Err(error) => {
            let repeat = command(&plan.scenario, seed);
            return Found {
                kind: finding.kind,
                text: format!("seed {seed}: {finding}\n  {error}\n  repeat: {repeat}"),
            };
        }
    };
    let repeat = format!("cargo run --release -- sim replay {}", path.display());
    let (kind, seen) = match elsewhere(&path) {
        Ok(true) => (
            finding.kind,
            "a fresh process had the same events".to_owned(),
        ),
        Ok(false) => (
            FindingKind::Nondeterminism,
            "a fresh process had other events: the run depends on something that no seed fixes"
                .to_owned(),
        ),
        Err(error) => (
            finding.kind,
            format!("no fresh process could run it: {error}"),
        ),
    };
    Found {
        kind,
        text: format!("seed {seed}: {finding}\n  {seen}\n  repeat: {repeat}"),
    }
}

/// Whether a fresh process has the same events for a plan.
#[expect(
    clippy::disallowed_methods,
    reason = "a process of the user's, outside of any world"
)]
fn elsewhere(plan: &Path) -> Result<bool, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let replay = Command::new(program)
        .args(["sim", "replay"])
        .arg(plan)
        .output();
    let replay = replay.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&replay.stdout);
    if said.contains("with the very events of the plan") {
        return Ok(true);
    }
    if said.contains("with other events") {
        return Ok(false);
    }
    Err(String::from_utf8_lossy(&replay.stderr).trim().to_owned())
}
