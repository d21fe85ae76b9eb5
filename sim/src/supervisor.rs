//! Runs one seed from its first event to its verdict.
//!
//! Invariant: a run always ends: by its scenario, by the virtual deadline, by the count of polls
//! without progress, by running out of timers, or by the watchdog outside.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use sameriver_runtime::Monotonic;

use crate::counters::lock;
use crate::finding::{Finding, FindingKind};
use crate::sim_world::SimWorld;
use crate::timers::Due;
use crate::trace::{Event, TraceHash};
use crate::{kernel, quiet_panics};

/// How long a run may take, and what it keeps.
///
/// ```
/// let limits = sameriver_sim::Limits::default();
/// assert_eq!(limits.virtual_time, std::time::Duration::from_secs(3_600));
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// Virtual time after which a run is stuck; default one hour.
    pub virtual_time: Duration,
    /// Polls in which nothing but timers moved, after which a run is stuck; default 2 million.
    pub idle_polls: u64,
    /// Whether to keep one line of text per event; default no.
    pub capture: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            virtual_time: Duration::from_hours(1),
            idle_polls: 2_000_000,
            capture: false,
        }
    }
}

/// A panic of a simulated task that nobody caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicReport {
    /// The node.
    pub node: String,
    /// The task.
    pub task: String,
    /// What it said.
    pub message: String,
    /// File, line and column.
    pub place: String,
    /// When, in the world's own time.
    pub at: Monotonic,
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            task,
            message,
            place,
            at,
        } = self;
        write!(
            f,
            "task {task} of {node} panicked at {place} after {at}: {message}"
        )
    }
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// The seed.
    pub seed: u64,
    /// The hash of all events.
    pub trace_hash: TraceHash,
    /// The hash after each block of [`BLOCK_EVENTS`](crate::trace::BLOCK_EVENTS) events.
    pub blocks: Vec<TraceHash>,
    /// How many events there were.
    pub events: u64,
    /// How many times a task was polled.
    pub polls: u64,
    /// How long the run took inside.
    pub virtual_time: Duration,
    /// How long it took outside.
    pub wall_time: Duration,
    /// Panics that nobody caught.
    pub panics: Vec<PanicReport>,
    /// One line per event, if they were kept.
    pub trace: Option<Vec<String>>,
    /// What the scenario returned, or what the run is guilty of.
    pub verdict: Result<T, Finding>,
}

/// Runs a scenario in the world of a seed, on a fresh thread.
///
/// The scenario is a task of the node `supervisor`; what it returns is the verdict, unless a task
/// panicked (see [`SimWorld::tolerate_panics`]) or the run got stuck.
///
/// ```
/// use sameriver_sim::{Limits, run_seed};
/// let hash = |seed| run_seed(seed, &Limits::default(), |sim| async move {
///     sim.supervisor().sleep(std::time::Duration::from_millis(3)).await;
///     Ok(())
/// }).trace_hash;
/// assert_eq!(hash(1), hash(1));
/// assert_ne!(hash(1), hash(2));
/// ```
pub fn run_seed<T, S, F>(seed: u64, limits: &Limits, scenario: S) -> Outcome<T>
where
    T: Send + 'static,
    S: FnOnce(SimWorld) -> F + Send + 'static,
    F: Future<Output = Result<T, Finding>> + Send + 'static,
{
    quiet_panics::install();
    let limits = limits.clone();
    let started = crate::watchdog::now();
    let run = kernel::simulate(seed, move || supervise(seed, limits, scenario));
    let wall_time = started.elapsed();
    match run {
        Ok(outcome) => Outcome {
            wall_time,
            ..outcome
        },
        Err(payload) => Outcome {
            seed,
            trace_hash: TraceHash::default(),
            blocks: Vec::new(),
            events: 0,
            polls: 0,
            virtual_time: Duration::ZERO,
            wall_time,
            panics: Vec::new(),
            trace: None,
            verdict: Err(Finding::harness(format!(
                "the simulator itself panicked: {}",
                sameriver_runtime::Panicked::new("supervisor", &*payload).message
            ))),
        },
    }
}

async fn supervise<T, S, F>(seed: u64, limits: Limits, scenario: S) -> Outcome<T>
where
    T: Send + 'static,
    S: FnOnce(SimWorld) -> F + Send + 'static,
    F: Future<Output = Result<T, Finding>> + Send + 'static,
{
    let world = SimWorld::new(seed, limits);
    let result = Arc::new(Mutex::new(None));
    let (inside, slot) = (world.clone(), Arc::clone(&result));
    let task = world.spawn_supervised(Box::pin(async move {
        let verdict = scenario(inside).await;
        *lock(&slot) = Some(verdict);
    }));
    let stuck = drive(&world, task.join()).await;
    let verdict = lock(&result).take();
    let outcome = conclude(&world, stuck, verdict);
    world.dissolve();
    outcome
}

/// Advances the clock whenever no task is ready, until the scenario ends or the run is stuck.
async fn drive(world: &SimWorld, scenario: impl Future) -> Option<Finding> {
    let mut scenario = pin!(scenario);
    let counters = world.counters();
    poll_fn(|cx: &mut Context<'_>| {
        loop {
            if scenario.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if let Some(finding) = counters.alarm() {
                return Poll::Ready(Some(finding));
            }
            counters.park_driver(cx.waker());
            if !counters.is_idle() {
                return Poll::Pending;
            }
            if let Some(finding) = world.jump() {
                return Poll::Ready(Some(finding));
            }
        }
    })
    .await
}

fn conclude<T>(
    world: &SimWorld,
    stuck: Option<Finding>,
    verdict: Option<Result<T, Finding>>,
) -> Outcome<T> {
    let (panics, tolerated) = world.take_panics();
    let panic = panics.first().filter(|_| !tolerated);
    let verdict = match (panic, stuck, verdict) {
        (Some(panic), _, _) => Err(Finding::new(FindingKind::Panic, panic.to_string())),
        (None, Some(stuck), _) => Err(stuck),
        (None, None, Some(verdict)) => verdict,
        (None, None, None) => {
            let said = panics.iter().find(|panic| panic.task == "scenario");
            let said = said.map_or_else(String::new, ToString::to_string);
            Err(Finding::new(FindingKind::Panic, said))
        }
    };
    let mut trace = lock(world.trace_parts());
    Outcome {
        seed: world.seed(),
        trace_hash: trace.hash(),
        blocks: trace.take_blocks(),
        events: trace.events(),
        polls: world.counters().polls(),
        virtual_time: world.now().elapsed(),
        wall_time: Duration::ZERO,
        panics,
        trace: trace.take_lines(),
        verdict,
    }
}

impl SimWorld {
    /// Counts a poll, fires what became due in a busy world, and raises the alarms.
    pub(crate) fn before_poll(&self) {
        let counters = self.counters();
        let idle_polls = counters.polled();
        if idle_polls > self.limits().idle_polls {
            counters.raise(Finding::liveness(format!(
                "{idle_polls} polls in a row moved nothing: a task wakes itself for ever; {}",
                self.unfinished()
            )));
        }
        let now = self.now_nanos();
        if now > crate::virtual_clock::nanos(self.limits().virtual_time) {
            counters.raise(self.overdue());
        }
        self.fire(now);
    }

    /// Calls the driver when only a timer can go on, or when an alarm was raised.
    pub(crate) fn after_poll(&self) {
        let counters = self.counters();
        if counters.is_idle() {
            counters.wake_driver();
        }
    }

    /// Moves the idle world to its next timer.
    fn jump(&self) -> Option<Finding> {
        let next = lock(self.timers()).next();
        let Some(at) = next else {
            return Some(Finding::liveness(format!(
                "every task waits and no timer is set; {}",
                self.unfinished()
            )));
        };
        if at > crate::virtual_clock::nanos(self.limits().virtual_time) {
            return Some(self.overdue());
        }
        self.clock().advance_to(at);
        self.fire(self.now_nanos());
        None
    }

    fn fire(&self, now: u64) {
        loop {
            let due = lock(self.timers()).pop_due(now);
            let Some(((at, _), timer)) = due else {
                return;
            };
            if timer.life.as_ref().is_some_and(crate::life::Life::is_stale) {
                continue;
            }
            let node = timer.life.as_ref().map(crate::life::Life::node);
            match timer.due {
                Due::Wake(waker) => {
                    if let Some(node) = node {
                        self.trace(node, Event::Timer, at, String::new);
                    }
                    waker.wake();
                }
                Due::Act(act) => act(self),
            }
        }
    }

    fn overdue(&self) -> Finding {
        let limit = self.limits().virtual_time;
        Finding::liveness(format!(
            "the scenario did not end within {limit:?} of virtual time; {}",
            self.unfinished()
        ))
    }

    fn unfinished(&self) -> String {
        format!("unfinished tasks: {}", self.unfinished_tasks())
    }
}
