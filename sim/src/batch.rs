//! Runs many seeds on a few threads and delivers their outcomes in order.
//!
//! Invariant: what is delivered does not depend on the number of threads or on who finishes first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::supervisor::Outcome;
use crate::trace::TraceHash;
use crate::watchdog::{self, Watchdog};

/// The fold of the trace hashes of several seeds, in the order in which they are added.
///
/// ```
/// use sameriver_sim::{SeedFold, TraceHash};
/// let mut fold = SeedFold::default();
/// fold.add(7, TraceHash::from_u64(1));
/// assert_ne!(fold.hash(), SeedFold::default().hash());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedFold(TraceHash);

impl SeedFold {
    /// Adds the next seed.
    pub fn add(&mut self, seed: u64, hash: TraceHash) {
        self.0 = self.0.then(seed).then(hash.as_u64());
    }

    /// The fold so far.
    pub fn hash(self) -> TraceHash {
        self.0
    }
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// How many seeds ran.
    pub seeds: u64,
    /// How many of them have a finding.
    pub findings: u64,
    /// The fold of all trace hashes in the order of the seeds.
    pub fold: SeedFold,
    /// How many events there were in all.
    pub events: u64,
    /// How long all runs took inside.
    pub virtual_time: Duration,
    /// How long the batch took outside.
    pub wall_time: Duration,
}

impl BatchSummary {
    /// Counts one outcome; the batch itself does this for each.
    fn add<T>(&mut self, outcome: &Outcome<T>) {
        self.seeds += 1;
        self.findings += u64::from(outcome.verdict.is_err());
        self.fold.add(outcome.seed, outcome.trace_hash);
        self.events += outcome.events;
        self.virtual_time = self.virtual_time.saturating_add(outcome.virtual_time);
    }
}

/// Seeds to run, in the order in which their outcomes are delivered.
///
/// ```
/// use sameriver_sim::{Batch, Limits, run_seed};
/// let mut delivered = Vec::new();
/// let run = |seed| run_seed(seed, &Limits::default(), |_| async { Ok(()) });
/// let summary = Batch::of(3..6).jobs(2).run(run, |outcome| {
///     delivered.push(outcome.seed);
///     true // go on
/// });
/// assert_eq!((delivered, summary.seeds), (vec![3, 4, 5], 3));
/// ```
pub struct Batch {
    seeds: Vec<u64>,
    jobs: usize,
    watchdog: Option<Watchdog>,
}

impl Batch {
    /// These seeds, one after the other.
    pub fn of(seeds: impl IntoIterator<Item = u64>) -> Self {
        Self {
            seeds: seeds.into_iter().collect(),
            jobs: 1,
            watchdog: None,
        }
    }

    /// Runs up to `jobs` seeds at once; 0 counts as 1.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Lets a watchdog end the process when a seed hangs.
    pub fn watchdog(mut self, watchdog: Watchdog) -> Self {
        self.watchdog = Some(watchdog);
        self
    }

    /// Runs the seeds; `deliver` gets each outcome in order and answers whether to go on.
    ///
    /// # Panics
    /// If the system cannot start a thread.
    #[expect(
        clippy::disallowed_methods,
        reason = "it runs worlds, each on its own thread; it is in none"
    )]
    pub fn run<T: Send>(
        self,
        run: impl Fn(u64) -> Outcome<T> + Sync,
        mut deliver: impl FnMut(Outcome<T>) -> bool,
    ) -> BatchSummary {
        let started = watchdog::now();
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let (tx, rx) = mpsc::sync_channel(self.jobs * 4);
        let mut summary = BatchSummary::default();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(self.seeds.len().max(1)) {
                let tx = tx.clone();
                let (batch, next, stop, run) = (&self, &next, &stop, &run);
                scope.spawn(move || batch.work(next, stop, run, &tx));
            }
            drop(tx);
            let mut early = BTreeMap::new();
            let mut due = 0;
            for (position, outcome) in rx {
                early.insert(position, outcome);
                while let Some(outcome) = early.remove(&due) {
                    due += 1;
                    if stop.load(Ordering::Relaxed) {
                        continue;
                    }
                    summary.add(&outcome);
                    if !deliver(outcome) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            }
        });
        summary.wall_time = started.elapsed();
        summary
    }

    fn work<T>(
        &self,
        next: &AtomicUsize,
        stop: &AtomicBool,
        run: &(impl Fn(u64) -> Outcome<T> + Sync),
        outcomes: &mpsc::SyncSender<(usize, Outcome<T>)>,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = self.seeds.get(position) else {
                return;
            };
            let watch = self.watchdog.as_ref().map(|dog| dog.watch(*seed));
            let outcome = run(*seed);
            drop(watch);
            if outcomes.send((position, outcome)).is_err() {
                return;
            }
        }
    }
}
