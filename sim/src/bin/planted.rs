//! Tries planted bugs: `planted [--seeds N] [--sample K --commit HASH] [ID..]`.
//!
//! Invariant: exits with 0 only when every chosen bug was caught by what its file expects, and at
//! least one was chosen; 1 when one was not, 6 when one could not be tried, 64 for a wrong command
//! line.
#![expect(clippy::print_stdout, reason = "a command line prints")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use sameriver_sim::FindingKind;
use sameriver_sim::planted::{Catch, Hunt, HuntError, PlantedBug, Shelf, ShelfError};
use thiserror::Error;

const NOT_CAUGHT: u8 = 1;
const USAGE: u8 = 64;

/// Puts mistakes into a copy of the tree, one at a time, and shows that the simulator finds them.
#[derive(Debug, Parser)]
#[command(name = "planted")]
struct Line {
    /// The planted bugs to try; all when none is named.
    #[arg(value_name = "ID", conflicts_with = "sample")]
    ids: Vec<String>,
    /// How many seeds each planted bug gets.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Tries K planted bugs, drawn by the hash of a commit.
    #[arg(long, value_name = "K", requires = "commit")]
    sample: Option<std::num::NonZeroUsize>,
    /// The commit that the sample is drawn by.
    #[arg(long, value_name = "HASH", requires = "sample")]
    commit: Option<String>,
    /// Prints the planted bugs and tries none.
    #[arg(long)]
    list: bool,
}

/// Why not every chosen bug could be tried.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    Hunt(#[from] HuntError),
    #[error("this program is not in a target folder: {0}")]
    Target(io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Shelf(ShelfError::Unknown { .. }) => USAGE,
            Self::Shelf(ShelfError::Unreadable { .. } | ShelfError::Bug(_) | ShelfError::None)
            | Self::Hunt(_)
            | Self::Target(_) => FindingKind::Harness.exit_code(),
        }
    }
}

fn main() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Without a terminal there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match execute(&line) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NOT_CAUGHT),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// Tries what the line asks for; says whether all were caught as expected.
fn execute(line: &Line) -> Result<bool, Failure> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shelf = Shelf::read(&top)?;
    let chosen = choose(line, &shelf)?;
    if line.list {
        for bug in &chosen {
            println!("{:24} {}", bug.id, bug.title);
        }
        return Ok(true);
    }
    let hunt = Hunt::new(&top, &folder()?, line.seeds)?;
    println!(
        "{:24} {:16} {:>18} {:>8} {:>8}",
        "planted bug", "caught by", "seeds until caught", "build s", "run s"
    );
    let mut missed = 0;
    for bug in &chosen {
        let catch = hunt.try_bug(bug)?;
        print(bug, &catch);
        missed += u32::from(!catch.is_expected(bug));
    }
    println!("{} tried, {missed} not caught as expected", chosen.len());
    Ok(missed == 0)
}

fn choose<'a>(line: &Line, shelf: &'a Shelf) -> Result<Vec<&'a PlantedBug>, ShelfError> {
    match (&line.sample, &line.commit) {
        (Some(count), Some(commit)) => Ok(shelf.sample(count.get(), commit)),
        _ if line.ids.is_empty() => Ok(shelf.all().iter().collect()),
        _ => shelf.named(&line.ids),
    }
}

/// The folder `planted` of the target folder that this program lies in.
fn folder() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(Failure::Target)?;
    let target = program.ancestors().nth(2);
    let target = target.ok_or_else(|| Failure::Target(io::ErrorKind::NotFound.into()))?;
    Ok(target.join("planted"))
}

fn print(bug: &PlantedBug, catch: &Catch) {
    let caught_by = catch
        .caught_by
        .map_or("nothing".to_owned(), |kind| kind.to_string());
    let seeds = catch
        .seeds
        .map_or("-".to_owned(), |seeds| seeds.to_string());
    println!(
        "{:24} {caught_by:16} {seeds:>18} {:>8.1} {:>8.1}",
        bug.id,
        catch.build_time.as_secs_f64(),
        catch.run_time.as_secs_f64()
    );
    if !catch.is_expected(bug) {
        println!("  expected {}: {}\n{}", bug.expect, bug.title, catch.said);
    }
}
