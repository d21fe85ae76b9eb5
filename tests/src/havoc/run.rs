//! One run after the other, each with the next seed, and a line that tells of each.
//!
//! Invariant: a run passes only if everything that its plan promises has happened and been seen,
//! and its result is right; a failing one keeps its folder.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "folders of real processes, and the time that a run took"
)]
#![expect(clippy::print_stdout, reason = "a command line prints")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::fleet::Fleet;
use super::plan::{Counts, Plan};
use super::{Outcome, act, verdict};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The `sameriver` binary.
    pub binary: PathBuf,
    /// Where the folders of the runs go.
    pub folder: PathBuf,
    /// How many runs.
    pub runs: u64,
    /// The seed of the first.
    pub seed: u64,
    /// Whether each is a short one.
    pub is_quick: bool,
}

/// What a run that passed has come to.
struct Passed {
    counts: Counts,
    recoveries: Vec<Duration>,
    checkpoints: u32,
    restores: usize,
    restored_bytes: u64,
    rows: u64,
    lasted: Duration,
}

/// Makes the runs, with a copy of the binary, so that it is the same to the end; how many have
/// failed.
///
/// # Errors
/// A sentence, when the folder cannot be written.
pub fn all(wish: &Wish) -> Result<u64, String> {
    let name = format!("sameriver-havoc-{}", std::process::id());
    let top = wish.folder.join(name);
    let broken = |error| format!("{}: {error}", top.display());
    std::fs::create_dir_all(&top).map_err(broken)?;
    let binary = top.join("sameriver");
    std::fs::copy(&wish.binary, &binary).map_err(broken)?;
    let mut failed = 0;
    for (number, seed) in (1..=wish.runs).zip(wish.seed..) {
        let plan = if wish.is_quick {
            Plan::quick(seed)
        } else {
            Plan::long(seed)
        };
        let run = format!("run {number} of {}, seed {seed}", wish.runs);
        println!("{run}: {plan}");
        let folder = top.join(format!("seed-{seed}"));
        match one(&binary, &folder, &plan) {
            Ok(passed) => {
                println!("{run}: passed, {passed}");
                // What stays behind of a run that passed does no harm.
                let _ = std::fs::remove_dir_all(&folder);
            }
            Err(error) => {
                failed += 1;
                println!("{run}: FAILED: {error}");
                println!("  its files and logs are kept in {}", folder.display());
            }
        }
    }
    if failed == 0 {
        let _ = std::fs::remove_dir_all(&top);
    }
    println!("{} of {} runs passed", wish.runs - failed, wish.runs);
    Ok(failed)
}

fn one(binary: &Path, folder: &Path, plan: &Plan) -> Outcome<Passed> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let began = Instant::now();
    let mut fleet = Fleet::start(binary, folder, plan.pace, plan.seed)?;
    act::carry_out(&mut fleet, plan)?;
    let lasted = began.elapsed();
    fleet.ends()?;
    if let Some(alarm) = fleet.seen.alarms.first() {
        return Err(alarm.clone());
    }
    let rows = verdict::files(folder, plan)?;
    verdict::store(binary, folder)?;
    let (mut counts, least) = (fleet.counts, plan.counts());
    counts.leaders = fleet.seen.leader_changes;
    if !counts.reach(least) {
        return Err(format!("{counts}, of at least {least}"));
    }
    if lasted < plan.pace.lasts {
        return Err(format!(
            "it was over after {lasted:?}: the pace was not kept"
        ));
    }
    Ok(Passed {
        counts,
        recoveries: std::mem::take(&mut fleet.recoveries),
        checkpoints: fleet.seen.published_ever,
        restores: fleet.seen.restores.len(),
        restored_bytes: fleet.seen.largest_restore_bytes(),
        rows,
        lasted,
    })
}

impl std::fmt::Display for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let longest = self.recoveries.iter().max().copied().unwrap_or_default();
        write!(
            f,
            "{}; {} checkpoints, {} restores of up to {} kB, the longest recovery {:.1} s; {} rows \
             equal the reference, the store is whole; {:.0} s",
            self.counts,
            self.checkpoints,
            self.restores,
            self.restored_bytes / 1_000,
            longest.as_secs_f64(),
            self.rows,
            self.lasted.as_secs_f64()
        )
    }
}
