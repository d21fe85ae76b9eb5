//! Runs the seeds of a command.
//!
//! Invariant: what is printed and counted follows the order of the seeds, not that of the threads.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use sameriver_cli::Exit;
use sameriver_cli::command::{complain, print};
use sameriver_sim::{
    Batch, BatchSummary, Class, Finding, FindingKind, FindingList, Limits, Outcome, PlanFolder,
    Watchdog, self_check,
};

use super::evidence::Chunks;
use super::failure;
use super::report::Report;
use super::trace_file::TraceFile;
use super::{Ended, SimArguments, choose};
use crate::simulate::{self, Played, Trial};

/// One seed may take so long outside before the process is ended.
const WALL_LIMIT: Duration = Duration::from_mins(1);

/// Which runs a campaign has.
#[derive(Clone, Copy)]
pub(super) struct Campaign {
    trial: Option<&'static Trial>,
    class: Option<Class>,
    check: bool,
}

impl Campaign {
    pub(super) fn new(trial: Option<&'static Trial>, class: Option<Class>) -> Self {
        Self {
            trial,
            class,
            check: false,
        }
    }

    pub(super) fn trial(&self, seed: u64) -> &'static Trial {
        self.trial.unwrap_or_else(|| simulate::drawn_trial(seed))
    }

    pub(super) fn plan(&self, seed: u64) -> sameriver_sim::Plan {
        simulate::draw(self.trial(seed), seed, self.class)
    }

    pub(super) fn play(&self, seed: u64, limits: &Limits) -> Outcome<Played> {
        simulate::play_plan(self.trial(seed), &self.plan(seed), limits)
    }

    fn checked(&self, seed: u64, limits: &Limits) -> Outcome<Played> {
        let mut outcome = self.play(seed, limits);
        if self.check
            && let Err(divergence) = self_check(&outcome, limits, |seed, l| self.play(seed, l))
        {
            outcome.verdict = Err(divergence.into());
        }
        outcome
    }

    /// Runs seeds on some threads; `deliver` gets the outcomes in order.
    pub(super) fn run(
        &self,
        name: &str,
        seeds: Vec<u64>,
        jobs: Option<u16>,
        limits: &Limits,
        deliver: impl FnMut(Outcome<Played>) -> bool,
    ) -> BatchSummary {
        let name = name.to_owned();
        let watchdog = Watchdog::new(WALL_LIMIT, move |seed| failure::command(&name, seed));
        Batch::of(seeds)
            .jobs(jobs.map_or_else(processors, usize::from))
            .watchdog(watchdog)
            .run(|seed| self.checked(seed, limits), deliver)
    }
}

/// Carries out `sim SCENARIO`.
pub(super) fn execute(arguments: &SimArguments) -> Ended {
    one_seed_to_trace(arguments)?;
    if let Err(finding) = sameriver_sim::proof::harness() {
        return report_harness(arguments, &finding);
    }
    let mut campaign = Campaign::new(
        choose(&arguments.scenario)?,
        arguments.class.map(Class::from),
    );
    campaign.check = arguments.check;
    let trace = arguments
        .trace
        .as_deref()
        .map(TraceFile::create)
        .transpose();
    let trace = trace.map_err(|message| (Exit::CannotCreate, message))?;
    let limits = Limits {
        capture: trace.is_some(),
        ..Limits::default()
    };
    let mut seeds: Vec<u64> = arguments.seeds.seeds().collect();
    if arguments.reverse {
        seeds.reverse();
    }
    let bar = progress(seeds.len() as u64);
    let mut report = Report::default();
    let mut chunks = Chunks::of(arguments.seeds.seeds());
    let mut printed = Ok(());
    let name = &arguments.scenario;
    let summary = campaign.run(name, seeds, arguments.jobs, &limits, |outcome| {
        bar.inc(1);
        if arguments.hashes {
            let line = format!("{} {}", outcome.seed, outcome.trace_hash);
            printed = bar.suspend(|| print(&line));
        }
        chunks.take(&outcome);
        report.take(outcome);
        printed.is_ok() && !(arguments.fail_fast && report.has_finding())
    });
    bar.finish_and_clear();
    if let Some(trace) = trace {
        let written = trace.write(report.trace());
        written.map_err(|message| (Exit::CannotCreate, message))?;
    }
    printed?;
    if arguments.evidence {
        let written = chunks.append(name);
        written.map_err(|message| (Exit::CannotCreate, message))?;
    }
    let plans = PlanFolder::at(&arguments.plans);
    let mut list = FindingList::default();
    let code = report_failures(&campaign, &plans, &report, &mut list);
    if let Some(path) = &arguments.findings {
        report.put_batch(&mut list, &summary);
        write_findings(&list, path)?;
    }
    for error in report.batch_errors(&summary, |seed| failure::command(name, seed)) {
        complain(&error);
    }
    print(&report.text(&summary))?;
    Ok(report.exit(code, &summary))
}

/// Tells what became of failing seeds; gives the kind of the lowest one.
fn report_failures(
    campaign: &Campaign,
    plans: &PlanFolder,
    report: &Report,
    list: &mut FindingList,
) -> Option<FindingKind> {
    let mut first = None;
    for (seed, finding, hash) in report.failures() {
        let found = failure::report(campaign, plans, seed, finding, hash);
        complain(&found.text);
        first.get_or_insert(found.kind);
        list.add(
            Some(seed),
            &Finding {
                kind: found.kind,
                ..finding.clone()
            },
        );
    }
    first
}

fn write_findings(list: &FindingList, path: &Path) -> Result<(), (Exit, String)> {
    let written = list.write(path);
    written.map_err(|message| (Exit::CannotCreate, message))
}

/// No seed shows anything in a world that does not hurt, or to a judge that does not look.
fn report_harness(arguments: &SimArguments, finding: &Finding) -> Ended {
    complain(&finding.to_string());
    if let Some(path) = &arguments.findings {
        let mut list = FindingList::default();
        list.add(None, finding);
        write_findings(&list, path)?;
    }
    Ok(ExitCode::from(finding.kind.exit_code()))
}

fn one_seed_to_trace(arguments: &SimArguments) -> Result<(), (Exit, String)> {
    if arguments.trace.is_none() || arguments.seeds.count() == 1 {
        return Ok(());
    }
    let first = arguments.seeds.seeds().start;
    Err((
        Exit::Usage,
        format!(
            "--trace writes one seed, but --seeds {} has {}: write --seeds {first}..{}",
            arguments.seeds,
            arguments.seeds.count(),
            first.saturating_add(1),
        ),
    ))
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
