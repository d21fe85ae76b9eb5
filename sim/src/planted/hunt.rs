//! Builds the binary with one planted bug in it, runs the simulator, and judges.
//!
//! Invariant: a bug counts only if the patched engine passes calm seeds, and is caught only by a
//! finding of a kind that it deserves; a copy that does not compile is an error.
#![expect(
    clippy::disallowed_methods,
    reason = "it starts compilers and simulators, outside of any world"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

use super::catch::Catch;
use super::oracle::Oracle;
use super::planted_bug::PlantedBug;
use super::program::{self, Ended};
use super::results::{self, Results};
use super::tree_copy::{CopyError, TreeCopy};
use crate::finding::FindingKind;
use crate::finding_list::FindingList;

/// The profile of Cargo.toml that planted bugs are built with.
const PROFILE: &str = "planted";
/// A patched engine must pass so many calm seeds: about fifty of every scenario.
const CALM_SEEDS: u64 = 250;
/// A defect of the world is judged over a whole batch: the smallest, and how much larger the next.
const BATCH_SEEDS: u64 = 100;
const BATCH_FACTOR: u64 = 3;
const BUILD_LIMIT: Duration = Duration::from_hours(1);
/// What one batch may take.
const RUN_LIMIT: Duration = Duration::from_mins(15);

/// Tries planted bugs in a copy of the tree.
#[derive(Debug)]
pub struct Hunt {
    copy: TreeCopy,
    folder: PathBuf,
    results: Results,
}

/// Why a planted bug could not be tried.
#[derive(Debug, Error)]
pub enum HuntError {
    /// There is no copy, or no bug in it.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A program cannot be run, or a file of it cannot be used.
    #[error("cannot run {what}: {cause}")]
    Run {
        /// The program or file.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The patched copy does not compile.
    #[error("planted bug {id} does not compile: mend its edits\n{said}")]
    Compile {
        /// The planted bug.
        id: String,
        /// The last lines of what the compiler said.
        said: String,
    },
    /// The simulator wrote findings that nobody can read.
    #[error("the findings of planted bug {id} cannot be read: {cause}")]
    Findings {
        /// The planted bug.
        id: String,
        /// What the parser said.
        cause: String,
    },
}

impl Hunt {
    /// Copies the tree below `top`; all work happens below `folder`. What was tried before on the
    /// same tree is not tried again.
    ///
    /// # Errors
    /// [`HuntError`].
    pub fn new(top: &Path, folder: &Path) -> Result<Self, HuntError> {
        let copy = TreeCopy::of(top, folder)?;
        let results = Results::of(&folder.join("results"), &copy.engine_hash());
        Ok(Self {
            copy,
            folder: folder.to_owned(),
            results,
        })
    }

    /// Forgets what came of a bug on this tree.
    pub fn forget(&self, bug: &PlantedBug) {
        self.results.forget(bug);
    }

    /// What came of a bug with up to so many seeds: from an earlier trial, or a new one, which
    /// plants it, builds, and runs the simulator over the seeds.
    ///
    /// # Errors
    /// [`HuntError`]; that the bug was not caught is no error here.
    pub fn try_bug(&self, bug: &PlantedBug, seeds: u64) -> Result<Catch, HuntError> {
        if let Some(catch) = self.results.find(bug, seeds) {
            return Ok(catch);
        }
        let catch = self.planted(bug, |hunt| {
            if bug.is_of_the_engine() {
                hunt.hunt_engine(bug, seeds)
            } else {
                hunt.hunt_world(bug, seeds)
            }
        })?;
        self.results.put(bug, seeds, &catch);
        Ok(catch)
    }

    /// Whether a bug that was caught before still is: without calm seeds, and always anew.
    ///
    /// # Errors
    /// [`HuntError`]; that the bug was not caught is no error here.
    pub fn try_again(&self, bug: &PlantedBug, seeds: u64) -> Result<Catch, HuntError> {
        self.planted(bug, |hunt| {
            if bug.is_of_the_engine() {
                hunt.simulate(bug, &bug.command, &[], seeds)
            } else {
                hunt.hunt_world(bug, seeds)
            }
        })
    }

    fn planted(
        &self,
        bug: &PlantedBug,
        hunt: impl FnOnce(&Self) -> Result<Catch, HuntError>,
    ) -> Result<Catch, HuntError> {
        self.copy.plant(bug)?;
        let build_time = self.build(bug)?;
        let mut catch = hunt(self)?;
        catch.build_seconds = build_time.as_secs_f64();
        Ok(catch)
    }

    /// Calm seeds, then seeds until one has a finding.
    fn hunt_engine(&self, bug: &PlantedBug, seeds: u64) -> Result<Catch, HuntError> {
        let (every, calm) = (["sim", "all"].map(str::to_owned), ["--class", "calm"]);
        let calm = self.simulate(bug, &every, &calm, CALM_SEEDS)?;
        let Some(finding) = calm.caught_by else {
            let caught = self.simulate(bug, &bug.command, &[], seeds)?;
            return Ok(Catch {
                calm_seconds: calm.run_seconds,
                ..caught
            });
        };
        Ok(Catch {
            too_crude: Some(format!("{finding} in a calm seed")),
            caught_by: None,
            seeds: None,
            ..calm
        })
    }

    /// Growing batches, until one is not worth its verdict.
    fn hunt_world(&self, bug: &PlantedBug, seeds: u64) -> Result<Catch, HuntError> {
        let mut batch = BATCH_SEEDS.min(seeds);
        loop {
            let catch = self.simulate(bug, &bug.command, &[], batch)?;
            if catch.caught_by.is_some() || batch == seeds {
                return Ok(catch);
            }
            batch = (batch * BATCH_FACTOR).min(seeds);
        }
    }

    fn simulate(
        &self,
        bug: &PlantedBug,
        command: &[String],
        more: &[&str],
        seeds: u64,
    ) -> Result<Catch, HuntError> {
        let findings = self.folder.join("findings.toml");
        results::clear(&findings);
        let program = self.folder.join("target").join(PROFILE).join("sameriver");
        let ended = self.run(
            Command::new(program)
                .args(command)
                .args(more)
                .args(["--seeds", &format!("0..{seeds}"), "--fail-fast"])
                .arg("--findings")
                .arg(&findings)
                .current_dir(self.copy.top()),
            RUN_LIMIT,
        )?;
        let list = match results::text(&findings) {
            Some(text) => FindingList::parse(&text).map_err(|cause| HuntError::Findings {
                id: bug.id.clone(),
                cause,
            })?,
            None => FindingList::default(),
        };
        Ok(judged(&ended, &list, seeds))
    }

    fn build(&self, bug: &PlantedBug) -> Result<Duration, HuntError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let ended = self.run(
            Command::new(cargo)
                .args(["build", "--quiet", "--profile", PROFILE, "--locked"])
                .args(["--package", "sameriver-scenarios", "--bin", "sameriver"])
                .env("CARGO_TARGET_DIR", self.folder.join("target"))
                .current_dir(self.copy.top()),
            BUILD_LIMIT,
        )?;
        if ended.code == Some(0) {
            return Ok(ended.took);
        }
        Err(HuntError::Compile {
            id: bug.id.clone(),
            said: ended.last_lines(),
        })
    }

    fn run(&self, command: &mut Command, limit: Duration) -> Result<Ended, HuntError> {
        let ended = program::run(command, limit, &self.folder.join("said"));
        ended.map_err(|cause| HuntError::Run {
            what: command.get_program().to_string_lossy().into_owned(),
            cause,
        })
    }
}

/// What a run of the simulator over the seeds `0..seeds` came to.
fn judged(ended: &Ended, list: &FindingList, seeds: u64) -> Catch {
    let mut catch = Catch {
        run_seconds: ended.took.as_secs_f64(),
        said: ended.last_lines(),
        ..Catch::default()
    };
    if ended.code == Some(0) {
        return catch;
    }
    if let Some(finding) = list.findings.first() {
        let seed = finding.seed.as_ref().and_then(|seed| seed.parse().ok());
        catch.caught_by = Some(Oracle::of(finding));
        let with_it = seed.map(|seed: u64| seed.saturating_add(1));
        catch.seeds = match finding.kind {
            // What is wrong with a batch needs all of it.
            FindingKind::Vacuous => Some(seeds),
            // The proof of the harness comes before the first seed.
            FindingKind::Harness => with_it.or(Some(0)),
            FindingKind::Safety
            | FindingKind::Liveness
            | FindingKind::Nondeterminism
            | FindingKind::Panic => with_it,
        };
        catch.evidence.clone_from(&finding.evidence);
    } else if ended.code == Some(i32::from(FindingKind::Liveness.exit_code())) {
        // The watchdog writes no findings: it ends the process.
        catch.caught_by = Some(Oracle::Kind(FindingKind::Liveness));
        catch.seeds = first_seed(&ended.said).map(|seed| seed.saturating_add(1));
        "a seed did not end".clone_into(&mut catch.evidence);
    }
    catch
}

/// The first seed that is named: `seed 7`.
fn first_seed(said: &str) -> Option<u64> {
    said.split("seed ").skip(1).find_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;
    use crate::judge::Invariant;

    fn ended(code: i32, said: &str) -> Ended {
        Ended {
            code: Some(code),
            said: said.to_owned(),
            took: Duration::ZERO,
        }
    }

    fn caught(code: i32, seed: Option<u64>, finding: &Finding) -> (Option<String>, Option<u64>) {
        let mut list = FindingList::default();
        list.add(seed, finding);
        let catch = judged(&ended(code, ""), &list, 100);
        (
            catch.caught_by.map(|oracle| oracle.to_string()),
            catch.seeds,
        )
    }

    #[test]
    fn the_oracle_and_the_seeds_are_those_of_the_first_finding() {
        let lost = Finding::breach(Invariant::Output, "row 3 is lost");
        assert_eq!(caught(1, Some(6), &lost), (Some("I1".to_owned()), Some(7)));
        let idle = Finding::vacuous("V2: crash took effect in 0 of 200 seeds");
        assert_eq!(
            caught(5, None, &idle),
            (Some("vacuous".to_owned()), Some(100))
        );
        let deaf = Finding::harness("I1 is broken, and its oracle passes it");
        assert_eq!(
            caught(6, None, &deaf),
            (Some("harness".to_owned()), Some(0))
        );
    }

    #[test]
    fn a_seed_that_the_watchdog_ended_is_liveness() {
        let said = "liveness: seed 41 did not end within 60s of real time";
        let catch = judged(&ended(2, said), &FindingList::default(), 100);
        assert_eq!(catch.caught_by, Some(Oracle::Kind(FindingKind::Liveness)));
        assert_eq!(catch.seeds, Some(42));
    }

    #[test]
    fn a_process_that_aborts_has_caught_nothing() {
        let catch = judged(&ended(134, "seed 3"), &FindingList::default(), 100);
        assert_eq!((catch.caught_by, catch.seeds), (None, None));
    }
}
