//! Tries planted bugs: `planted [--seeds N] [--fresh] [--page] [--sample K --commit HASH] [ID..]`.
//!
//! Invariant: exits with 0 only when every chosen bug was caught, or its file says why it is not,
//! and at least one was chosen, and of all enough were caught soon and as expected; 1 when not, 6
//! when one could not be tried, 64 for a wrong command line.
#![expect(clippy::print_stdout, reason = "a command line prints")]
#![expect(
    clippy::disallowed_methods,
    reason = "it reads and writes a page of the repository, outside of any world"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use sameriver_sim::FindingKind;
use sameriver_sim::planted::{Catch, Hunt, HuntError, PAGE, Page, PlantedBug, Shelf, ShelfError};
use thiserror::Error;

const NOT_CAUGHT: u8 = 1;
const USAGE: u8 = 64;
/// A bug of a sample gets that many times the seeds that the page says it took, and at least so
/// many: a changed tree shifts all draws. One that would need more than so many is not drawn.
const SAMPLE_FACTOR: u64 = 10;
const SAMPLE_SEEDS_MIN: u64 = 300;
const SAMPLE_SEEDS_MAX: u64 = 1_000;

/// Puts mistakes into a copy of the tree, one at a time, and shows that the simulator finds them.
#[derive(Debug, Parser)]
#[command(name = "planted")]
struct Line {
    /// The planted bugs to try; all when none is named.
    #[arg(value_name = "ID", conflicts_with_all = ["sample", "page"])]
    ids: Vec<String>,
    /// How many seeds each planted bug gets at most.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Tries bugs again whose result is known.
    #[arg(long)]
    fresh: bool,
    /// Writes docs/planted-bugs.md.
    #[arg(long, conflicts_with = "sample")]
    page: bool,
    /// Tries K planted bugs that were caught before, drawn by the hash of a commit.
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
    #[error("cannot use {PAGE}: {0}")]
    Page(io::Error),
    #[error("{0} planted bugs could not be tried")]
    Untried(usize),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Shelf(ShelfError::Unknown { .. }) => USAGE,
            Self::Shelf(ShelfError::Unreadable { .. } | ShelfError::Bug(_) | ShelfError::None)
            | Self::Hunt(_)
            | Self::Target(_)
            | Self::Page(_)
            | Self::Untried(_) => FindingKind::Harness.exit_code(),
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

/// Tries what the line asks for; says whether all were caught.
fn execute(line: &Line) -> Result<bool, Failure> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shelf = Shelf::read(&top)?;
    let chosen = choose(line, &shelf, &top)?;
    if line.list {
        for (bug, _) in &chosen {
            println!("{:24} {}", bug.id, bug.title);
        }
        return Ok(true);
    }
    let hunt = Hunt::new(&top, &folder()?)?;
    let rows = try_all(line, &hunt, &chosen)?;
    let commit = commit(&top);
    let page = Page {
        commit: &commit,
        seeds: line.seeds,
        rows: &rows,
    };
    println!("{}", page.summary().replace("**", ""));
    if line.page {
        std::fs::write(top.join(PAGE), page.text()).map_err(Failure::Page)?;
    }
    let missed = |(bug, catch): &(&PlantedBug, Catch)| {
        !catch.is_caught(bug) && (bug.unfound.is_none() || catch.too_crude.is_some())
    };
    let is_whole = line.ids.is_empty() && line.sample.is_none();
    Ok(!rows.iter().any(missed) && (!is_whole || page.is_enough()))
}

fn try_all<'a>(
    line: &Line,
    hunt: &Hunt,
    chosen: &[(&'a PlantedBug, u64)],
) -> Result<Vec<(&'a PlantedBug, Catch)>, Failure> {
    println!(
        "{:28} {:10} {:14} {:>6} {:>8} {:>7} {:>7}",
        "planted bug", "expected", "caught by", "seeds", "build s", "calm s", "run s"
    );
    let mut rows = Vec::new();
    let mut untried = 0;
    for (bug, seeds) in chosen {
        if line.fresh {
            hunt.forget(bug);
        }
        let tried = match line.sample {
            Some(_) => hunt.try_again(bug, *seeds),
            None => hunt.try_bug(bug, *seeds),
        };
        match tried {
            Ok(catch) => {
                print(bug, &catch);
                rows.push((*bug, catch));
            }
            // The others can be tried still.
            Err(error @ HuntError::Compile { .. }) => {
                untried += 1;
                println!("{error}");
            }
            Err(
                error @ (HuntError::Copy(_) | HuntError::Run { .. } | HuntError::Findings { .. }),
            ) => return Err(error.into()),
        }
    }
    if untried == 0 {
        Ok(rows)
    } else {
        Err(Failure::Untried(untried))
    }
}

/// The bugs to try, each with the seeds that it gets; one build helps the next.
fn choose<'a>(
    line: &Line,
    shelf: &'a Shelf,
    top: &Path,
) -> Result<Vec<(&'a PlantedBug, u64)>, Failure> {
    if let (Some(count), Some(commit)) = (&line.sample, &line.commit) {
        let text = std::fs::read_to_string(top.join(PAGE)).map_err(Failure::Page)?;
        let listed = Page::listed(&text);
        let seeds = |bug: &PlantedBug| {
            let row = listed.iter().find(|(id, _)| *id == bug.id);
            let needed = row.and_then(|(_, seeds)| *seeds)?;
            let seeds = needed.saturating_mul(SAMPLE_FACTOR).max(SAMPLE_SEEDS_MIN);
            // A bug that is rarer than that would fail the gate for no reason.
            (seeds <= SAMPLE_SEEDS_MAX).then_some(seeds)
        };
        let drawn = shelf.sample(shelf.all().len(), commit).into_iter();
        let known = drawn.filter_map(|bug| Some((bug, seeds(bug)?)));
        return Ok(known.take(count.get()).collect());
    }
    let named = if line.ids.is_empty() {
        shelf.all().iter().collect()
    } else {
        shelf.named(&line.ids)?
    };
    let mut named: Vec<_> = named.into_iter().map(|bug| (bug, line.seeds)).collect();
    if !line.page {
        named.sort_by_key(|(bug, _)| bug.edits.first().map(|edit| edit.file.clone()));
    }
    Ok(named)
}

/// The commit of the tree, with a `+` if there is more in it.
fn commit(top: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(top)
            .output();
        let output = output.ok().filter(|output| output.status.success());
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let rooms = [
        "engine",
        "sim/src",
        "scenarios",
        ":!sim/src/planted",
        ":!sim/src/bin",
    ];
    let rooms = [&["status", "--porcelain", "--"][..], &rooms].concat();
    let more = git(&rooms).is_none_or(|changes| !changes.is_empty());
    format!("{commit}{}", if more { "+" } else { "" })
}

/// The folder `planted` of the target folder that this program lies in.
fn folder() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(Failure::Target)?;
    let target = program.ancestors().nth(2);
    let target = target.ok_or_else(|| Failure::Target(io::ErrorKind::NotFound.into()))?;
    Ok(target.join("planted"))
}

fn print(bug: &PlantedBug, catch: &Catch) {
    let caught_by = match (catch.caught_by, &catch.too_crude) {
        (_, Some(_)) => "too crude".to_owned(),
        (Some(by), None) => by.to_string(),
        (None, None) => "nothing".to_owned(),
    };
    let seeds = catch.seeds;
    let seeds = seeds.map_or("-".to_owned(), |seeds| seeds.to_string());
    println!(
        "{:28} {:10} {caught_by:14} {seeds:>6} {:>8.1} {:>7.1} {:>7.1}",
        bug.id, bug.expect, catch.build_seconds, catch.calm_seconds, catch.run_seconds
    );
    if !catch.is_expected(bug) {
        println!("  {}\n  {}", bug.title, catch.evidence);
    }
    if !catch.is_caught(bug) {
        println!("{}", catch.said);
    }
}
