//! Tests a sink that commits.
//!
//! Invariant: every case starts with a new trial, so that cases do not meet each other's records.
//! Does not know what is checked after a step: see [`sink_drive`](super::sink_drive).

use std::fmt::Debug;
use std::sync::Arc;

use sameriver_model::Element;
use sameriver_operator::CommitRule;
use sameriver_operator::sink::Sink;
use sameriver_runtime::{BoxFuture, World};

use super::failure::{KitFailure, Rule};
use super::sink_case::{self, Case};
use super::sink_drive::Drive;

type Look<R> = Box<dyn Fn() -> BoxFuture<R> + Send + Sync>;

/// A sink, an empty outside, and the way to look at it from there.
pub struct SinkTrial<T> {
    pub(super) sink: Arc<dyn Sink<T>>,
    pub(super) worlds: Box<dyn Fn() -> World + Send + Sync>,
    pub(super) visible: Look<Vec<T>>,
    pub(super) left_over: Option<Look<Vec<String>>>,
}

impl<T: Element> SinkTrial<T> {
    /// A sink whose outside is empty. `worlds` gives the world of each attempt; `visible` reads all
    /// records that a user of the output would see, in any order.
    pub fn new(
        sink: impl Sink<T>,
        worlds: impl Fn() -> World + Send + Sync + 'static,
        visible: impl Fn() -> BoxFuture<Vec<T>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            sink: Arc::new(sink),
            worlds: Box::new(worlds),
            visible: Box::new(visible),
            left_over: None,
        }
    }

    /// Also looks for what is staged and not committed: at the end of a job nothing may be.
    pub fn left_over(
        mut self,
        left_over: impl Fn() -> BoxFuture<Vec<String>> + Send + Sync + 'static,
    ) -> Self {
        self.left_over = Some(Box::new(left_over));
        self
    }
}

/// Drives a sink through checkpoints and crashes it after every step.
///
/// The cases: a crash after each of write, flush, stage, snapshot, publish and commit; the same
/// checkpoint restored twice, before and after its commits; an attempt that was declared dead and
/// goes on; notices lost, late, doubled, with a lost answer and cut short; checkpoints that are
/// staged and never published; an older checkpoint restored; no checkpoints at all. After each step
/// the visible records must be those that were committed, each once.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use sameriver_connectors::kit::{SinkKit, SinkTrial};
/// use sameriver_connectors::{Collect, CollectedResults};
/// # fn world_with(results: &CollectedResults) -> sameriver_runtime::World { unreachable!() }
///
/// # async fn conforms() -> Result<(), sameriver_connectors::kit::KitFailure> {
/// let kit = SinkKit::of(|_case| {
///     let results = CollectedResults::new();
///     let there = results.clone();
///     SinkTrial::new(
///         Collect::named("numbers"),
///         move || world_with(&there), // a world that offers `collect:`
///         move || {
///             let visible = results.read::<u64>("numbers");
///             Box::pin(async { visible.unwrap_or_default() })
///         },
///     )
/// });
/// kit.run(|number| number).await?;
/// # Ok(())
/// # }
/// ```
pub struct SinkKit<F> {
    trial: F,
}

impl<F> SinkKit<F> {
    /// Tests the sink that `trial` makes for the case with each number: each with an outside of its
    /// own, a folder with that number for example.
    pub fn of<T>(trial: F) -> Self
    where
        T: Element + Ord + Clone + Debug,
        F: Fn(usize) -> SinkTrial<T>,
    {
        Self { trial }
    }

    /// Runs all cases; `record` makes the record with a number, equal ones for equal numbers alone.
    ///
    /// # Errors
    /// The first broken rule.
    pub async fn run<T>(&self, record: impl Fn(u64) -> T) -> Result<(), KitFailure>
    where
        T: Element + Ord + Clone + Debug,
        F: Fn(usize) -> SinkTrial<T>,
    {
        let cases = sink_case::all();
        for (number, case) in cases.iter().enumerate() {
            let trial = (self.trial)(number);
            run(&trial, &record, case, CommitRule::OnCheckpoint).await?;
        }
        let trial = (self.trial)(cases.len());
        let case = sink_case::without_checkpoints();
        run(&trial, &record, &case, CommitRule::AtEnd).await
    }
}

async fn run<T: Element + Ord + Clone + Debug>(
    trial: &SinkTrial<T>,
    record: &impl Fn(u64) -> T,
    case: &Case,
    commits: CommitRule,
) -> Result<(), KitFailure> {
    let failure = |step: String, rule, seen| KitFailure {
        case: case.name.clone(),
        step,
        rule,
        seen,
    };
    if !trial.sink.commits() {
        let seen = "Sink::commits answers no".to_owned();
        return Err(failure("open".to_owned(), Rule::CommittedOnce, seen));
    }
    let drive = Drive::open(trial, record, commits);
    let mut drive = drive.map_err(|broken| failure("open".to_owned(), broken.rule, broken.seen))?;
    for step in &case.steps {
        let name = format!("{step} of {}", drive.attempt());
        let done = drive.step(*step).await;
        done.map_err(|broken| failure(name, broken.rule, broken.seen))?;
    }
    Ok(())
}
