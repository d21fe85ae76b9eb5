//! Builds the binary with one planted bug in it, runs the simulator, and judges.
//!
//! Invariant: a bug is caught only when the run ends with the exit code of what must catch it; a
//! copy that does not compile is an error.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use thiserror::Error;

use super::planted_bug::{PlantedBug, kind_of};
use super::tree_copy::{CopyError, TreeCopy};
use crate::finding::FindingKind;
use crate::watchdog;

/// How many lines of what a program said are kept.
const SAID_LINES_MAX: usize = 30;

/// Tries planted bugs in a copy of the tree.
#[derive(Debug)]
pub struct Hunt {
    copy: TreeCopy,
    /// Shared by all planted bugs, so that what they do not touch is built once.
    target: PathBuf,
    seeds: u64,
}

/// What came of a planted bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// What the run ended with; `None`: it passed, or ended in a way that no finding has.
    pub caught_by: Option<FindingKind>,
    /// How many seeds it took, the one that caught it included; `None` if no seed was named.
    pub seeds: Option<u64>,
    /// How long the build took.
    pub build_time: Duration,
    /// How long the run took.
    pub run_time: Duration,
    /// The last lines of what the run said.
    pub said: String,
}

impl Catch {
    /// Whether what must catch `bug` did.
    pub fn is_expected(&self, bug: &PlantedBug) -> bool {
        self.caught_by == Some(bug.expect)
    }
}

/// Why a planted bug could not be tried.
#[derive(Debug, Error)]
pub enum HuntError {
    /// There is no copy, or no bug in it.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A program cannot be started.
    #[error("cannot start {program}: {cause}")]
    Start {
        /// The program.
        program: String,
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
}

impl Hunt {
    /// Copies the tree below `top`; all work happens below `folder`. Each bug gets the seeds
    /// `0..seeds`.
    ///
    /// # Errors
    /// [`HuntError`].
    pub fn new(top: &Path, folder: &Path, seeds: u64) -> Result<Self, HuntError> {
        Ok(Self {
            copy: TreeCopy::of(top, folder)?,
            target: folder.join("target"),
            seeds,
        })
    }

    /// Plants a bug, builds, and runs the simulator over the seeds.
    ///
    /// # Errors
    /// [`HuntError`]; that the bug was not caught is no error here.
    pub fn try_bug(&self, bug: &PlantedBug) -> Result<Catch, HuntError> {
        self.copy.plant(bug)?;
        let started = watchdog::now();
        self.build(bug)?;
        let build_time = started.elapsed();
        let started = watchdog::now();
        let output = start(
            Command::new(self.target.join("release/sameriver"))
                .args(&bug.command)
                .args(["--seeds", &format!("0..{}", self.seeds)])
                .current_dir(self.copy.top()),
        )?;
        let caught_by = output.status.code().and_then(kind_of);
        let said = said(&output);
        Ok(Catch {
            caught_by,
            seeds: caught_by
                .and_then(|_| first_seed(&said))
                .map(|seed| seed + 1),
            build_time,
            run_time: started.elapsed(),
            said: last_lines(&format!("{said}\n{}", output.status)),
        })
    }

    fn build(&self, bug: &PlantedBug) -> Result<(), HuntError> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = start(
            Command::new(cargo)
                .args(["build", "--quiet", "--release", "--locked"])
                .args(["--package", "sameriver-scenarios", "--bin", "sameriver"])
                .env("CARGO_TARGET_DIR", &self.target)
                .current_dir(self.copy.top()),
        )?;
        if output.status.success() {
            return Ok(());
        }
        Err(HuntError::Compile {
            id: bug.id.clone(),
            said: last_lines(&said(&output)),
        })
    }
}

fn start(command: &mut Command) -> Result<Output, HuntError> {
    command.output().map_err(|cause| HuntError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        cause,
    })
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}\n{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(SAID_LINES_MAX)..].join("\n")
}

/// The first seed that a finding names: `seed 7`.
fn first_seed(said: &str) -> Option<u64> {
    said.split("seed ").skip(1).find_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_seed_that_is_named_counts() {
        let said = "1 seed per second\nseed 7 gave a then b\nseed 9 gave";
        assert_eq!(first_seed(said), Some(7));
        assert_eq!(first_seed("seeds 0..20 passed"), None);
    }

    #[test]
    fn of_a_long_talk_the_last_lines_are_kept() {
        let said: Vec<String> = (0..100).map(|line| format!("{line}\n")).collect();
        let kept = last_lines(&said.concat());
        assert!(kept.starts_with("70\n") && kept.ends_with("\n99"), "{kept}");
    }
}
