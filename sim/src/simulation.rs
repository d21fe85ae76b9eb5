//! Tests a user's own job under faults, in a few lines.
//!
//! Invariant: the job function is the production one; its named sources and sinks are replaced in
//! the graph, where their types are checked. A seed fixes workload, settings, faults and schedule.

mod outputs;
mod play;
mod reference;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sameriver::{BuildError, Environment};
use sameriver_model::Element;

use crate::batch::Batch;
use crate::finding::{Finding, FindingKind};
use crate::job::JobFunction;
use crate::plan::{Expectation, Plan, PlanFolder, Replay};
use crate::supervisor::{Limits, Outcome};
use crate::tally::Tally;

use self::outputs::AnyOutput;
use self::play::{Played, Trial};
use self::reference::{AnyReference, Reference};

/// So many seeds of a hundred may show nothing.
const VACUOUS_OF_HUNDRED_MAX: u64 = 10;
/// A user's few seeds are not judged for vacuity.
const VACUOUS_SEEDS_MIN: u64 = 20;

/// A job's trial under faults, with a source and a sink that the test holds.
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
#[must_use = "nothing runs before `run`"]
pub struct Simulation {
    trial: Trial,
    seeds: Range<u64>,
    plans: PlanFolder,
}

impl Simulation {
    /// A trial of a job.
    pub fn of<J>(job: J) -> Self
    where
        J: Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
    {
        let job: JobFunction = Arc::new(job);
        let path = std::any::type_name::<J>();
        let name = path.rsplit("::").find(|part| !part.starts_with('{'));
        Self {
            trial: Trial::new(name.unwrap_or("job"), job),
            seeds: 0..100,
            plans: PlanFolder::default(),
        }
    }

    /// Gives these records to the source of that name, spread over a drawn number of partitions:
    /// records of one partition stay in order, and arrive while faults happen.
    pub fn source<T: Element + Clone + Sync>(
        mut self,
        name: &str,
        records: impl IntoIterator<Item = T>,
    ) -> Self {
        self.trial
            .add_source(name, records.into_iter().collect::<Vec<T>>());
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

    /// The seeds to run; default 0..100.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Where the plan of a failing seed goes; default `sim-failures` in the current folder.
    pub fn plans(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plans = PlanFolder::at(folder);
        self
    }

    /// Runs the seeds.
    ///
    /// # Panics
    /// With the broken promise, the evidence, the plan's file and how to repeat it, when a seed
    /// fails; also when the test itself is wrong, or no seed showed anything.
    pub fn run(self) {
        if let Err(report) = self.try_run() {
            panic!("{report}");
        }
    }

    /// Repeats a plan that [`run`](Self::run) has written.
    ///
    /// # Panics
    /// When the plan cannot be read, and with the finding when the run breaks a promise.
    pub fn replay(self, plan: impl AsRef<Path>) {
        let replay = Plan::load(plan.as_ref())
            .map_err(|error| error.to_string())
            .and_then(|plan| {
                let trial = self
                    .trial
                    .prepared()
                    .map_err(|finding| finding.to_string())?;
                let replay = Replay::run(&plan, 0, |plan| trial.play_plan(plan));
                match replay.first() {
                    Some(finding) => Err(format!("{finding}\n{replay}")),
                    None => Ok(()),
                }
            });
        if let Err(report) = replay {
            panic!("{report}");
        }
    }

    /// As [`run`](Self::run), with the report as an error.
    ///
    /// # Errors
    /// The report.
    pub fn try_run(self) -> Result<Tally, String> {
        let seeds = self.seeds.clone();
        if seeds.is_empty() {
            return Err(format!("no seeds in {seeds:?}: write `.seeds(0..100)`"));
        }
        let trial = self
            .trial
            .prepared()
            .map_err(|finding| finding.to_string())?;
        let limits = Limits::default();
        let mut tally = Tally::default();
        let mut vacuous: Vec<Outcome<Played>> = Vec::new();
        let mut failed = None;
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Batch::of(seeds.clone()).jobs(jobs).run(
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
        let count = vacuous.len() as u64;
        let all = tally.seeds + count;
        let is_too_much = all >= VACUOUS_SEEDS_MIN && count * 100 > all * VACUOUS_OF_HUNDRED_MAX;
        if let Some(first) = vacuous.first().filter(|_| tally.seeds == 0 || is_too_much) {
            let Err(finding) = &first.verdict else {
                return Ok(tally);
            };
            return Err(format!(
                "{count} of {all} seeds showed nothing, the first one: {finding}"
            ));
        }
        Ok(tally)
    }

    /// The report of a failing seed, which was run once more; its plan is written.
    fn report(&self, trial: &Trial, outcome: &Outcome<Played>, limits: &Limits) -> String {
        let seed = outcome.seed;
        let Err(finding) = &outcome.verdict else {
            return String::new();
        };
        let again = trial.play(seed, limits);
        if again.trace_hash != outcome.trace_hash {
            let (first, second) = (outcome.trace_hash, again.trace_hash);
            let finding = Finding::new(
                FindingKind::Nondeterminism,
                format!(
                    "seed {seed} gave {first} and then {second}: the job reads something that no \
                     seed fixes, such as a clock, a global, or the order of a hash map"
                ),
            );
            return finding.to_string();
        }
        let mut plan = trial.plan(seed);
        plan.expectation = Some(Expectation::of(finding, outcome.trace_hash));
        let written = match self.plans.write(&plan) {
            Ok(path) => {
                let path = path.display().to_string();
                format!(
                    "plan: {path}\nrepeat: in this test, write `.replay(\"{path}\")` instead of \
                     `.run()`"
                )
            }
            Err(error) => format!(
                "{error}\nrepeat: `.seeds({seed}..{})`",
                seed.saturating_add(1)
            ),
        };
        format!("seed {seed}: {finding}\n{written}")
    }
}
