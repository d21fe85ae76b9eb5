//! `sim`: many seeds of one scenario, or of all, in the simulated world.
//!
//! Invariant: the exit code is that of the lowest seed with a finding, whatever the number of jobs;
//! a vacuous seed is one only if no seed passed, or too many are vacuous.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use sameriver_cli::Exit;
use sameriver_cli::command::{complain, print};
use sameriver_cli::summary::grouped;
use sameriver_sim::{
    Batch, BatchSummary, Finding, FindingKind, Limits, Outcome, Watchdog, self_check,
};

use crate::catalogue;
use crate::seed_range::SeedRange;
use crate::simulate::{self, Compared};
use crate::story::Story;

/// `sim`.
#[derive(Clone, Debug, Args)]
pub struct SimArguments {
    /// The scenario; `all` lets each seed draw one.
    pub scenario: String,
    /// The seeds: the first and, behind the dots, the end that is not run any more.
    #[arg(
        long,
        value_name = "FIRST..END",
        default_value = "0..100",
        allow_hyphen_values = true
    )]
    pub seeds: SeedRange,
    /// How many seeds run at once; as many as there are processors if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print the trace hash of every seed.
    #[arg(long)]
    pub hashes: bool,
    /// Run the seeds in descending order.
    #[arg(long)]
    pub reverse: bool,
    /// Run every seed a second time elsewhere and compare the trace hashes.
    #[arg(long)]
    pub check: bool,
    /// Write every event of the (only) seed to a file.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// One seed may take so long outside before the process is ended.
const WALL_LIMIT: Duration = Duration::from_mins(1);
/// One in so many seeds may be vacuous, and a few more, lest a small batch hangs on one draw.
const VACUOUS_ONE_IN: u64 = 50;
const VACUOUS_MORE: u64 = 2;
/// So many findings are described; the others are counted.
const DESCRIBED: usize = 5;

/// Carries the command out.
pub fn execute(arguments: &SimArguments) -> ExitCode {
    let story = choose(arguments).map_err(|message| (Exit::Usage, message));
    // The trace's file is made first: nobody should wait for seeds whose trace has no place.
    let opened = story.and_then(|story| {
        let file = arguments.trace.as_deref().map(Trace::create).transpose();
        Ok((
            story,
            file.map_err(|message| (Exit::CannotCreate, message))?,
        ))
    });
    match opened {
        Ok((story, trace)) => run(arguments, story, trace),
        Err((exit, message)) => {
            complain(&message);
            exit.into()
        }
    }
}

/// The scenario, or none for `all`.
fn choose(arguments: &SimArguments) -> Result<Option<&'static Story>, String> {
    if arguments.trace.is_some() && arguments.seeds.count() > 1 {
        return Err(format!(
            "--trace writes one seed, but --seeds {} has {}: write --seeds {}..{}",
            arguments.seeds,
            arguments.seeds.count(),
            arguments.seeds.seeds().start,
            arguments.seeds.seeds().start.saturating_add(1),
        ));
    }
    if arguments.scenario == "all" {
        return Ok(None);
    }
    let jobs = catalogue::jobs();
    let job = sameriver_cli::named_job::find(&jobs, &arguments.scenario)
        .map_err(|message| format!("{message}; `all` plays every one"))?;
    Ok(catalogue::find(job.name))
}

fn run(arguments: &SimArguments, story: Option<&'static Story>, trace: Option<Trace>) -> ExitCode {
    let limits = Limits {
        capture: arguments.trace.is_some(),
        ..Limits::default()
    };
    let story_of = move |seed| story.unwrap_or_else(|| simulate::drawn_story(seed));
    let play = |seed: u64| checked(arguments, &limits, story_of(seed), seed);
    let mut seeds: Vec<u64> = arguments.seeds.seeds().collect();
    if arguments.reverse {
        seeds.reverse();
    }
    let bar = progress(seeds.len() as u64);
    let mut report = Report::default();
    let name = arguments.scenario.clone();
    let watchdog = Watchdog::new(WALL_LIMIT, move |seed| command(&name, seed));
    let mut printed = Ok(());
    let jobs = arguments.jobs.map_or_else(processors, usize::from);
    let summary = Batch::of(seeds)
        .jobs(jobs)
        .watchdog(watchdog)
        .run(play, |outcome| {
            bar.inc(1);
            if arguments.hashes {
                let line = format!("{} {}", outcome.seed, outcome.trace_hash);
                printed = bar.suspend(|| print(&line));
            }
            report.take(outcome);
            printed.is_ok()
        });
    bar.finish_and_clear();
    let traced = trace.map_or(Ok(()), |trace| trace.write(&report.trace));
    let traced = traced.map_err(|message| (Exit::CannotCreate, message));
    match printed.and(traced) {
        Ok(()) => report.close(&arguments.scenario, &summary),
        Err((exit, message)) => {
            complain(&message);
            exit.into()
        }
    }
}

fn checked(
    arguments: &SimArguments,
    limits: &Limits,
    story: &'static Story,
    seed: u64,
) -> Outcome<Compared> {
    let mut outcome = simulate::play(story, seed, limits);
    if arguments.check {
        let again = |seed, limits: &Limits| simulate::play(story, seed, limits);
        if let Err(divergence) = self_check(&outcome, limits, again) {
            outcome.verdict = Err(divergence.into());
        }
    }
    outcome
}

fn command(scenario: &str, seed: u64) -> String {
    let end = seed.saturating_add(1);
    format!("cargo run --release -- sim {scenario} --seeds {seed}..{end} --check")
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn progress(seeds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {rate}, {eta} left");
    let style = style.expect("the template is right");
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A line of progress that cannot be written is no loss.
        let _ = write!(out, "{:.0} a second", state.per_sec());
    };
    ProgressBar::new(seeds).with_style(style.with_key("rate", rate))
}

/// The file of `--trace`.
struct Trace {
    path: PathBuf,
    file: File,
}

impl Trace {
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of the user's, outside of any world"
    )]
    fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| unwritten(path, &error))?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    fn write(self, lines: &[String]) -> Result<(), String> {
        let mut out = std::io::BufWriter::new(self.file);
        let written = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
        let written = written.and_then(|()| out.flush());
        written.map_err(|error| unwritten(&self.path, &error))
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    format!(
        "cannot write the trace to {path}: {error}: name a file in a folder that may be written"
    )
}

/// How many seeds of a batch may have compared nothing.
const fn vacuous_allowed(seeds: u64) -> u64 {
    VACUOUS_MORE + seeds / VACUOUS_ONE_IN
}

/// What the seeds came to.
#[derive(Default)]
struct Report {
    findings: BTreeMap<u64, Finding>,
    vacuous: BTreeMap<u64, Finding>,
    played: BTreeMap<&'static str, u64>,
    rows: usize,
    trace: Vec<String>,
}

impl Report {
    fn take(&mut self, outcome: Outcome<Compared>) {
        self.trace.extend(outcome.trace.into_iter().flatten());
        match outcome.verdict {
            Ok(compared) => {
                *self.played.entry(compared.story).or_default() += 1;
                self.rows += compared.rows;
            }
            Err(finding) if finding.kind == FindingKind::Vacuous => {
                self.vacuous.insert(outcome.seed, finding);
            }
            Err(finding) => {
                self.findings.insert(outcome.seed, finding);
            }
        }
    }

    fn close(mut self, scenario: &str, summary: &BatchSummary) -> ExitCode {
        let vacuous = self.vacuous.len() as u64;
        if self.played.is_empty() || vacuous > vacuous_allowed(summary.seeds) {
            self.findings.extend(std::mem::take(&mut self.vacuous));
        }
        for (seed, finding) in self.findings.iter().take(DESCRIBED) {
            complain(&format!(
                "seed {seed}: {finding}\n  repeat: {}",
                command(scenario, *seed)
            ));
        }
        if self.findings.len() > DESCRIBED {
            complain(&format!(
                "{} more seeds failed",
                self.findings.len() - DESCRIBED
            ));
        }
        let printed = print(&self.text(vacuous, summary));
        if let Err((_, message)) = &printed {
            complain(message);
        }
        match (self.findings.values().next(), printed) {
            (Some(finding), _) => ExitCode::from(finding.kind.exit_code()),
            (None, Err((exit, _))) => exit.into(),
            (None, Ok(())) => ExitCode::SUCCESS,
        }
    }

    fn text(&self, vacuous: u64, summary: &BatchSummary) -> String {
        let played = self
            .played
            .iter()
            .map(|(name, seeds)| format!("{name} {}", grouped(*seeds)));
        let played = played.collect::<Vec<_>>().join(", ");
        let passed: u64 = self.played.values().sum();
        let wall = summary.wall_time.as_secs_f64().max(1e-9);
        let simulated = summary.virtual_time.as_secs_f64();
        format!(
            "{} of {} seeds passed ({played}), {} failed, {vacuous} vacuous\n\
             {} rows compared with references, {} events\n\
             simulated {simulated:.1} s in {wall:.2} s: {:.0} times real time, \
             {:.1} seeds a second\n\
             fold of trace hashes: {}",
            grouped(passed),
            grouped(summary.seeds),
            self.findings.len(),
            grouped(self.rows as u64),
            grouped(summary.events),
            simulated / wall,
            summary.seeds as f64 / wall,
            summary.fold.hash(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_vacuous_seeds_do_not_fail_a_batch() {
        assert_eq!([1, 40, 100, 1_000].map(vacuous_allowed), [2, 2, 4, 22]);
    }
}
