//! Tests a user's own job under faults, in a few lines.
//!
//! Reading order: [`Simulation`] → `request` (what the environment asks for) → `play` (one seed)
//! → `outputs` and `reference` (what is compared) → `report` (what a red test says).
//!
//! Invariant: the job function is the production one; its named sources and sinks are replaced in
//! the graph, where their types are checked. A seed fixes workload, settings, faults and schedule.

mod outputs;
mod play;
mod reference;
mod report;
mod request;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sameriver::{BuildError, Environment, Settings};
use sameriver_model::Element;

use crate::batch::Batch;
use crate::fault::Class;
use crate::finding::{Finding, FindingKind};
use crate::job::JobFunction;
use crate::plan::{Expectation, Plan, PlanFolder, Replay};
use crate::supervisor::{Limits, Outcome};
use crate::tally::Tally;
use crate::watchdog::Watchdog;

use self::outputs::AnyOutput;
use self::play::{Played, Trial};
use self::reference::{AnyReference, Reference};
use self::request::Request;

/// So many seeds of a hundred may show nothing.
const VACUOUS_OF_HUNDRED_MAX: u64 = 10;
/// A user's few seeds are not judged for vacuity.
const VACUOUS_SEEDS_MIN: u64 = 20;
/// One seed may take so long outside before the process is ended.
const WALL_LIMIT: Duration = Duration::from_mins(2);

/// A job's trial under faults, with a source and a sink that the test holds.
///
/// A seed draws how the records arrive and in how many partitions, the settings of the engine, what
/// goes wrong and when, and every latency and task switch. The job must give what it has to, each
/// row as often as it should, and keep every promise of the engine.
///
/// ```no_run
/// use sameriver::prelude::*;
/// use sameriver_sim::Simulation;
///
/// fn doubled(env: &mut Environment) -> Result<(), BuildError> {
///     let lines = env.source("numbers", FileSource::lines("numbers.txt"));
///     lines.map(|line| line.len() as u64 * 2).sink("doubled", FileSink::lines("out"))
/// }
///
/// Simulation::of(doubled)
///     .source("numbers", ["a", "bc"].map(String::from))
///     .sink::<u64>("doubled")
///     .exactly_once_against(|lines: &[String]| lines.iter().map(|l| l.len() as u64 * 2).collect())
///     .seeds(0..200)
///     .run();
/// ```
///
/// # Your crate
///
/// The simulator needs two compiler flags, which nothing else of yours should see: they stand in
/// files that only `cargo simtest` reads. In `Cargo.toml`:
///
/// ```toml
/// [target.'cfg(madsim)'.dev-dependencies]
/// sameriver-sim = { path = "../sameriver/sim" }
/// ```
///
/// in `.cargo/config.toml`:
///
/// ```toml
/// [alias]
/// simtest = ["test", "--config", ".cargo/sim.toml", "--test", "sim"]
/// ```
///
/// in `.cargo/sim.toml`:
///
/// ```toml
/// [build]
/// rustflags = ["--cfg", "madsim", "--cfg", "tokio_unstable"]
/// target-dir = "target/sim"
/// ```
///
/// and `tests/sim.rs`, with the tests, begins with `#![cfg(madsim)]`.
///
/// # Asked from outside
///
/// [`run`](Self::run) follows these variables; one that it does not know is an error.
///
/// | variable | example | meaning |
/// |---|---|---|
/// | `SAMERIVER_SEEDS` | `7..8` | these seeds instead of the test's |
/// | `SAMERIVER_CLASS` | `solo` | [`class`](Self::class) |
/// | `SAMERIVER_PLAN` | `sim-failures/doubled-7.toml` | this plan instead of seeds |
/// | `SAMERIVER_SCHEDULES` | `9` | the plan under so many further schedules |
/// | `SAMERIVER_TRACE` | `events.trace` | every event of the one seed, or of the plan, in a file |
#[must_use = "nothing runs before `run`"]
pub struct Simulation {
    trial: Trial,
    seeds: Range<u64>,
    plans: PlanFolder,
}

impl Simulation {
    /// A trial of a job, which reports and plans call by the name of its function.
    pub fn of<J>(job: J) -> Self
    where
        J: Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
    {
        let job: JobFunction = Arc::new(job);
        Self {
            trial: Trial::new(&name_of::<J>(), job),
            seeds: 0..100,
            plans: PlanFolder::default(),
        }
    }

    /// Gives these records to the source of that name, spread over a drawn number of partitions,
    /// one to four: records of one partition stay in order, and arrive while faults happen.
    ///
    /// The order across partitions is nobody's promise; a job to which the order of the records of
    /// a key matters wants [`source_by`](Self::source_by).
    pub fn source<T: Element + Clone + Sync>(
        mut self,
        name: &str,
        records: impl IntoIterator<Item = T>,
    ) -> Self {
        let records = records.into_iter().collect();
        self.trial.add_source::<T, _>(name, records, play::in_turn);
        self
    }

    /// As [`source`](Self::source), with all records of a key in one partition, and so in order.
    pub fn source_by<T, K, F>(
        mut self,
        name: &str,
        records: impl IntoIterator<Item = T>,
        key: F,
    ) -> Self
    where
        T: Element + Clone + Sync,
        K: Ord,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        let records = records.into_iter().collect();
        let deal = move |records: &[T], partitions| play::by_key(records, partitions, &key);
        self.trial.add_source(name, records, deal);
        self
    }

    /// Takes the records of the sink of that name, of type `T`; they are compared.
    pub fn sink<T: Element + std::fmt::Debug>(mut self, name: &str) -> Self {
        self.trial.add_sink(name, AnyOutput::of::<T>());
        self
    }

    /// Says what the records of the last source must come to in the last sink, in any order: each
    /// row as often as here. Left out, fault-free runs are the reference, once five of them agree.
    pub fn exactly_once_against<S, T, F>(mut self, reference: F) -> Self
    where
        S: Element + Clone + Sync,
        T: Element + std::fmt::Debug,
        F: Fn(&[S]) -> Vec<T> + Send + Sync + 'static,
    {
        let reference: Arc<dyn AnyReference> = Arc::new(Reference::new(reference));
        self.trial.reference = Some(reference);
        self
    }

    /// Changes what a seed draws as settings: for a job that wants, say, a parallelism of its own,
    /// or checkpoints at a certain interval. `checkpoints` itself is the simulation's.
    ///
    /// ```no_run
    /// # let job = |_: &mut sameriver::Environment| Ok(());
    /// # use std::time::Duration;
    /// sameriver_sim::Simulation::of(job)
    ///     .settings(|settings| settings.checkpoint_interval = Duration::from_millis(250))
    ///     .run();
    /// ```
    pub fn settings(mut self, change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Self {
        self.trial.add_adjustment(change);
        self
    }

    /// How much of the fault menu every seed gets; left out, each seed draws it: a tenth is calm
    /// (no faults), some have one family of faults (solo), most some (swarm), a few all (storm).
    pub fn class(mut self, class: Class) -> Self {
        self.trial.class = Some(class);
        self
    }

    /// The seeds to run; default 0..100.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Where the plan of a failing seed goes; default `sim-failures` in the current folder, which
    /// is that of the crate under `cargo test`.
    pub fn plans(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plans = PlanFolder::at(folder);
        self
    }

    /// Runs the seeds, or what the environment asks for.
    ///
    /// # Panics
    /// With the broken promise, the evidence, the plan's file and how to repeat it, when a seed
    /// fails; also when the test itself is wrong, or no seed showed anything. A seed that hangs for
    /// two minutes ends the process and is named.
    #[track_caller]
    pub fn run(self) {
        let report = Request::of_the_process().and_then(|request| self.carry_out(&request));
        if let Err(report) = report {
            panic!("{report}");
        }
    }

    /// Repeats a plan that [`run`](Self::run) has written: a kept plan is a regression test.
    ///
    /// # Panics
    /// When the plan cannot be read, and with the finding when the run breaks a promise.
    #[track_caller]
    pub fn replay(self, plan: impl AsRef<Path>) {
        if let Err(report) = self.try_replay(plan.as_ref(), &Request::default()) {
            panic!("{report}");
        }
    }

    /// As [`run`](Self::run), with the report as an error and whatever the environment says.
    ///
    /// # Errors
    /// The report.
    pub fn try_run(self) -> Result<Tally, String> {
        self.seeds_run(&Request::default())
    }

    fn carry_out(mut self, request: &Request) -> Result<(), String> {
        if let Some(plan) = &request.plan {
            return self.try_replay(plan, request);
        }
        self.seeds = request.seeds.clone().unwrap_or(self.seeds);
        self.trial.class = request.class.or(self.trial.class);
        self.seeds_run(request).map(|_| ())
    }

    fn prepared(&self) -> Result<Trial, String> {
        let trial = self.trial.prepared();
        trial.map_err(|finding| finding.to_string())
    }

    fn try_replay(self, path: &Path, request: &Request) -> Result<(), String> {
        let plan = Plan::load(path).map_err(|error| error.to_string())?;
        if plan.scenario != self.trial.name() {
            let (of, job) = (&plan.scenario, self.trial.name());
            let path = path.display();
            return Err(format!(
                "{path} is a plan of job {of}, this test has {job}: name its own test"
            ));
        }
        let trial = self.prepared()?;
        if let Some(file) = &request.trace {
            trace(file, &traced(), |limits| trial.play_plan(&plan, limits))?;
        }
        let limits = Limits::default();
        let play = |plan: &Plan| trial.play_plan(plan, &limits);
        let replay = Replay::run(&plan, request.schedules, play);
        match replay.first() {
            Some(finding) => {
                let finding = report::finding(&plan, finding, trial.reference_is());
                Err(format!("{finding}\n  replay: {replay}"))
            }
            None => Ok(()),
        }
    }

    fn seeds_run(self, request: &Request) -> Result<Tally, String> {
        let seeds = self.seeds.clone();
        if seeds.is_empty() {
            return Err(format!("no seeds in {seeds:?}: write `.seeds(0..100)`"));
        }
        let traced_seed = request.traced(&seeds)?;
        let trial = self.prepared()?;
        if let Some((seed, file)) = traced_seed {
            trace(file, &traced(), |limits| trial.play(seed, limits))?;
        }
        let limits = Limits::default();
        let mut tally = Tally::default();
        let mut vacuous: Vec<Outcome<Played>> = Vec::new();
        let mut failed = None;
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // The test's thread is asked here: the watchdog has its own.
        let (before, after) = report::seed_command_parts();
        let watchdog = Watchdog::new(WALL_LIMIT, move |seed| {
            let end = seed.saturating_add(1);
            format!("{before}{seed}..{end}{after}")
        });
        Batch::of(seeds).jobs(jobs).watchdog(watchdog).run(
            |seed| trial.play(seed, &limits),
            |outcome| {
                match &outcome.verdict {
                    Ok(played) => tally.take(&played.figures),
                    Err(finding) if finding.kind == FindingKind::Vacuous => vacuous.push(outcome),
                    Err(_) => failed = Some(outcome),
                }
                failed.is_none()
            },
        );
        if let Some(outcome) = failed {
            return Err(self.report(&trial, &outcome, &limits));
        }
        judged(tally, &vacuous)
    }

    /// The report of a failing seed, which was run once more; its plan is written.
    fn report(&self, trial: &Trial, outcome: &Outcome<Played>, limits: &Limits) -> String {
        let seed = outcome.seed;
        let Err(finding) = &outcome.verdict else {
            return String::new();
        };
        if finding.kind == FindingKind::Harness {
            return format!("seed {seed}: {finding}");
        }
        let again = trial.play(seed, limits);
        let mut plan = trial.plan(seed);
        if again.trace_hash != outcome.trace_hash {
            let (first, second) = (outcome.trace_hash, again.trace_hash);
            let other = Finding::new(
                FindingKind::Nondeterminism,
                format!(
                    "a run gave {first} and the next one {second}: the job reads something that \
                     no seed fixes, such as a clock, a global, or the order of a hash map; the \
                     first run ended with {finding}"
                ),
            );
            return report::finding(&plan, &other, trial.reference_is());
        }
        plan.expectation = Some(Expectation::of(finding, outcome.trace_hash));
        let mut text = report::finding(&plan, finding, trial.reference_is());
        match self.plans.write(&plan) {
            Ok(path) => report::put_repeat(&mut text, &path),
            Err(error) => report::put_repeat_seed(&mut text, seed, &error.to_string()),
        }
        text
    }
}

/// The name of a job's function; what has none, such as a pointer to a function, is called after
/// the test.
fn name_of<J>() -> String {
    let path = std::any::type_name::<J>();
    let is_pointer = path.contains('(');
    let path = path.split('<').next().unwrap_or_default();
    let name = path.rsplit("::").find(|part| !part.starts_with('{'));
    match name.filter(|_| !is_pointer) {
        Some(name) => name.to_owned(),
        None => report::test().unwrap_or_else(|| "job".to_owned()),
    }
}

/// Whether enough seeds showed something.
fn judged(tally: Tally, vacuous: &[Outcome<Played>]) -> Result<Tally, String> {
    let count = vacuous.len() as u64;
    let all = tally.seeds + count;
    let is_too_much = all >= VACUOUS_SEEDS_MIN && count * 100 > all * VACUOUS_OF_HUNDRED_MAX;
    let first = vacuous.first().filter(|_| tally.seeds == 0 || is_too_much);
    match first.map(|first| (first.seed, &first.verdict)) {
        Some((seed, Err(finding))) => Err(format!(
            "{count} of {all} seeds showed nothing, the first is {seed}: {finding}; give the job \
             more records, or more seeds"
        )),
        Some((_, Ok(_))) | None => Ok(tally),
    }
}

fn traced() -> Limits {
    Limits {
        capture: true,
        ..Limits::default()
    }
}

/// Writes every event of a run, a line each.
#[expect(
    clippy::disallowed_methods,
    reason = "a file of the user's, outside of any world"
)]
fn trace(
    file: &Path,
    limits: &Limits,
    play: impl Fn(&Limits) -> Outcome<Played>,
) -> Result<(), String> {
    let mut lines = play(limits).trace.unwrap_or_default().join("\n");
    lines.push('\n');
    let written = std::fs::write(file, lines);
    written.map_err(|error| {
        let file = file.display();
        format!("cannot write the trace to {file}: {error}: name a file in a folder that is there")
    })
}
