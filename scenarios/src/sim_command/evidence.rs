//! Rows of evidence: what 1,000 seeds of a commit came to, and whether they do so again.
//!
//! Invariant: a row has all that is needed to run it again: scenario, range and commit; what is
//! compared is what a seed fixes, never the seconds.
#![expect(
    clippy::disallowed_methods,
    reason = "files and processes of the user's, outside of any world"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, ExitCode};

use sameriver_cli::Exit;
use sameriver_cli::command::{complain, print};
use sameriver_sim::{FindingKind, Limits, Outcome, SeedFold};

use super::campaign::Campaign;
use super::{Ended, SimArguments, choose};
use crate::seed_range::SeedRange;
use crate::simulate::Played;

const FILE: &str = "docs/evidence/campaigns.csv";
const HEAD: &str = "commit,scenario,range,fold,faults,restores,seconds";
/// How many seeds a row has.
const ROW_SEEDS: u64 = 1_000;

/// What a row says of its seeds, beside where and when.
#[derive(Clone, Debug, Default)]
struct Figures {
    fold: SeedFold,
    faults: u64,
    restores: u64,
    seconds: f64,
}

impl Figures {
    fn take(&mut self, outcome: &Outcome<Played>) {
        self.fold.add(outcome.seed, outcome.trace_hash);
        self.seconds += outcome.wall_time.as_secs_f64();
        if let Ok(played) = &outcome.verdict {
            let effects = played.figures.effects.iter();
            self.faults += effects.map(|(_, count)| count).sum::<u64>();
            self.restores += played.figures.restores;
        }
    }

    fn fixed(&self) -> String {
        format!("{},{},{}", self.fold.hash(), self.faults, self.restores)
    }
}

/// The rows of a campaign.
pub(super) struct Chunks {
    seeds: Range<u64>,
    rows: Vec<Figures>,
}

impl Chunks {
    pub(super) fn of(seeds: Range<u64>) -> Self {
        let count = (seeds.end - seeds.start).div_ceil(ROW_SEEDS) as usize;
        Self {
            seeds,
            rows: vec![Figures::default(); count],
        }
    }

    pub(super) fn take(&mut self, outcome: &Outcome<Played>) {
        let at = (outcome.seed - self.seeds.start) / ROW_SEEDS;
        if let Some(row) = self.rows.get_mut(at as usize) {
            row.take(outcome);
        }
    }

    /// Appends the rows to the file.
    pub(super) fn append(&self, scenario: &str) -> Result<(), String> {
        let path = Path::new(FILE);
        let is_new = !path.exists();
        let unwritten = |error: std::io::Error| {
            format!("cannot write {FILE}: {error}: run in the top folder of the checkout")
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.map_err(unwritten)?;
        let commit = commit();
        let mut text = String::new();
        if is_new {
            text.push_str(HEAD);
            text.push('\n');
        }
        for (at, row) in (0..).zip(&self.rows) {
            let first = self.seeds.start + at * ROW_SEEDS;
            let end = (first + ROW_SEEDS).min(self.seeds.end);
            let (fixed, seconds) = (row.fixed(), row.seconds);
            let row = format!("{commit},{scenario},{first}..{end},{fixed},{seconds:.1}\n");
            text.push_str(&row);
        }
        file.write_all(text.as_bytes()).map_err(unwritten)
    }
}

/// The commit that is checked out, with a mark if files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        Some(_) | None => format!("{commit}-changed"),
    }
}

/// A row as the file has it.
#[derive(Debug)]
struct Row {
    commit: String,
    scenario: String,
    range: SeedRange,
    /// What a seed fixes, as [`Figures::fixed`] writes it.
    fixed: String,
}

/// Reads a row, counted from 1.
fn row(number: usize) -> Result<Row, (Exit, String)> {
    let text = std::fs::read_to_string(FILE).map_err(|error| {
        let message = format!("cannot read {FILE}: {error}: run in the top folder of the checkout");
        (Exit::NoInput, message)
    })?;
    let rows: Vec<&str> = text.lines().skip(1).collect();
    let at = number.checked_sub(1);
    let written = at.and_then(|at| rows.get(at)).ok_or_else(|| {
        let message = match rows.len() {
            0 => format!("{FILE} has no row: `sim all --seeds 0..1000 --evidence` appends one"),
            last => format!("{FILE} has no row {number}: choose 1 to {last}"),
        };
        (Exit::Usage, message)
    })?;
    Row::parse(written).map_err(|cause| {
        let remedy = "take the file as it was committed";
        let message = format!("row {number} of {FILE}: {cause}: {remedy}");
        (Exit::BadInput, message)
    })
}

impl Row {
    fn parse(written: &str) -> Result<Self, String> {
        let cells: Vec<&str> = written.split(',').collect();
        let [commit, scenario, range, fold, faults, restores, _] = cells[..] else {
            return Err(format!("`{written}` is not `{HEAD}`"));
        };
        choose(scenario).map_err(|(_, message)| message)?;
        Ok(Self {
            commit: commit.to_owned(),
            scenario: scenario.to_owned(),
            range: range.parse()?,
            fixed: format!("{fold},{faults},{restores}"),
        })
    }
}

/// Carries out `sim evidence --repeat ROW`.
pub(super) fn execute(arguments: &SimArguments) -> Ended {
    let Some(number) = arguments.repeat else {
        return super::usage("`sim evidence` needs a row: `sim evidence --repeat 1`");
    };
    let row = row(number)?;
    let campaign = Campaign::new(choose(&row.scenario)?, None);
    let mut now = Figures::default();
    let (seeds, limits) = (row.range.seeds().collect(), Limits::default());
    campaign.run(&row.scenario, seeds, arguments.jobs, &limits, |outcome| {
        now.take(&outcome);
        true
    });
    let (then, now) = (&row.fixed, now.fixed());
    if *then == now {
        print(&format!("row {number} again: {now}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!(
        "row {number} said {then} at commit {}; commit {} says {now}",
        row.commit,
        commit()
    ));
    Ok(ExitCode::from(FindingKind::Nondeterminism.exit_code()))
}
