//! What a red test says.
//!
//! Invariant: whoever reads it learns the promise, the evidence, what went wrong around it, and one
//! command that repeats the run in the reader's own crate.

use std::fmt::Write as _;
use std::path::Path;

use super::request;
use crate::fault::{Class, Episode, Trigger};
use crate::finding::Finding;
use crate::plan::Plan;

/// So many faults are told; the others are in the plan.
const TOLD_FAULTS: usize = 3;

/// The finding of a plan's run: promise, evidence, faults.
pub(super) fn finding(plan: &Plan, finding: &Finding, reference: &str) -> String {
    let (job, seed) = (&plan.scenario, plan.seed);
    let class = match plan.class {
        Class::Calm => "calm",
        Class::Solo => "solo",
        Class::Swarm => "swarm",
        Class::Storm => "storm",
    };
    let mut text = format!("job {job}, seed {seed} ({class}): {finding}");
    if let Some(invariant) = finding.invariant {
        put(&mut text, "promise", invariant.statement());
    }
    put(&mut text, "reference", reference);
    put(&mut text, "faults", &faults(&plan.faults.0));
    text
}

/// The lines that say how to run a plan again.
pub(super) fn put_repeat(text: &mut String, plan: &Path) {
    let plan = plan.display();
    put(text, "plan", &plan.to_string());
    put(
        text,
        "repeat",
        &command(&format!("{}={plan}", request::PLAN)),
    );
}

/// As [`put_repeat`] for a seed whose plan could not be written.
pub(super) fn put_repeat_seed(text: &mut String, seed: u64, why: &str) {
    put(text, "no plan", why);
    let end = seed.saturating_add(1);
    put(
        text,
        "repeat",
        &command(&format!("{}={seed}..{end}", request::SEEDS)),
    );
}

/// What stands before and behind the range in the command that runs a seed again.
pub(super) fn seed_command_parts() -> (String, String) {
    (format!("{}=", request::SEEDS), command(""))
}

/// The test that asks, by the name that its harness gave to its thread.
pub(super) fn test() -> Option<String> {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main");
    name.map(str::to_owned)
}

/// What to type so that the test runs, with a variable in front.
fn command(variable: &str) -> String {
    match test() {
        Some(test) => format!("{variable} cargo simtest {test} -- --exact"),
        None => format!("{variable} cargo simtest"),
    }
}

fn put(text: &mut String, what: &str, line: &str) {
    // A String takes everything.
    let _ = write!(text, "\n  {what}: {line}");
}

/// The first faults, in the order in which they begin.
fn faults(episodes: &[Episode]) -> String {
    if episodes.is_empty() {
        return "none".to_owned();
    }
    let mut sorted: Vec<&Episode> = episodes.iter().collect();
    sorted.sort_by_key(|episode| match &episode.at {
        Trigger::Nanos(at) => *at,
        Trigger::Armed { from_nanos, .. } => *from_nanos,
        Trigger::Pass { .. } => u64::MAX,
    });
    let told = sorted.iter().take(TOLD_FAULTS);
    let mut told: Vec<String> = told.map(ToString::to_string).collect();
    if let Some(more) = episodes.len().checked_sub(TOLD_FAULTS + 1) {
        told.push(format!("{} more", more + 1));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{FaultFamily, Target};

    #[test]
    fn the_earliest_faults_are_told_and_the_others_counted() {
        let crash = |at| {
            let node = Target::Node("a".to_owned());
            Episode::new(Trigger::Nanos(at), FaultFamily::Crash, node)
        };
        let all: Vec<Episode> = [5, 4, 3, 2, 1].map(crash).into();
        assert_eq!(faults(&[]), "none");
        assert_eq!(faults(&all[4..]), "crash of node a after 1ns for 0ns");
        let told = faults(&all);
        assert!(told.starts_with("crash of node a after 1ns"), "{told}");
        assert!(told.ends_with("3ns for 0ns, 2 more"), "{told}");
    }
}
