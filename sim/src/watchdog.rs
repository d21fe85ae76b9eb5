//! Ends the process when one seed takes too long outside.
//!
//! Invariant: it looks at the real clock and never into a world: a loop that does not yield
//! cannot hide from it.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it watches worlds from outside, where time is real"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::counters::lock;
use crate::finding::FindingKind;

/// The real time; only what watches a world from outside may ask for it.
pub(crate) fn now() -> Instant {
    Instant::now()
}

type Command = dyn Fn(u64) -> String + Send + Sync;

struct Watched {
    running: Mutex<Running>,
    changed: Condvar,
    limit: Duration,
    command: Box<Command>,
}

#[derive(Default)]
struct Running {
    seeds: BTreeMap<u64, (u64, Instant)>,
    next: u64,
    ended: bool,
}

/// A thread that prints the command which repeats a stuck seed and ends the process with the exit
/// code of a liveness finding.
///
/// ```
/// use sameriver_sim::Watchdog;
/// use std::time::Duration;
/// let dog = Watchdog::new(Duration::from_secs(30), |seed| {
///     format!("sameriver sim all --seeds {seed}..{}", seed + 1)
/// });
/// let watch = dog.watch(7); // dropped when the seed has ended
/// ```
pub struct Watchdog {
    watched: Arc<Watched>,
}

/// Keeps an eye on one seed until dropped.
#[must_use = "the seed is watched until this is dropped"]
pub struct Watch {
    watched: Arc<Watched>,
    key: u64,
}

impl Watchdog {
    /// Watches seeds; one may take `limit`. `command` gives the command that repeats a seed.
    ///
    /// # Panics
    /// If the system cannot start a thread.
    pub fn new(limit: Duration, command: impl Fn(u64) -> String + Send + Sync + 'static) -> Self {
        let watched = Arc::new(Watched {
            running: Mutex::default(),
            changed: Condvar::new(),
            limit,
            command: Box::new(command),
        });
        let inside = Arc::clone(&watched);
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || inside.run())
            .expect("the system can start one more thread");
        Self { watched }
    }

    /// Watches one seed from now on.
    pub fn watch(&self, seed: u64) -> Watch {
        let mut running = lock(&self.watched.running);
        let key = running.next;
        running.next += 1;
        running.seeds.insert(key, (seed, now()));
        Watch {
            watched: Arc::clone(&self.watched),
            key,
        }
    }
}

impl Watched {
    fn run(&self) {
        let mut running = lock(&self.running);
        while !running.ended {
            let overdue = running
                .seeds
                .values()
                .find(|(_, since)| since.elapsed() > self.limit);
            if let Some((seed, _)) = overdue {
                self.bite(*seed);
            }
            let waited = self.changed.wait_timeout(running, self.limit / 8);
            running = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn bite(&self, seed: u64) -> ! {
        let (limit, command) = (self.limit, (self.command)(seed));
        eprintln!(
            "liveness: seed {seed} did not end within {limit:?} of real time: a task loops \
             without yielding\nrepeat it with: {command}"
        );
        std::process::exit(i32::from(FindingKind::Liveness.exit_code()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.watched.running).seeds.remove(&self.key);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        lock(&self.watched.running).ended = true;
        self.watched.changed.notify_all();
    }
}
