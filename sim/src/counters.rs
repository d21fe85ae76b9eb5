//! How many tasks are ready, how many polls were made, and when something last moved.
//!
//! Invariant: `ready` is exactly the number of node tasks in the executor's queue, so zero means
//! that only a timer can go on.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::finding::Finding;

/// Locks a part of the world; a panic elsewhere does not hide it.
pub(crate) fn lock<T: ?Sized>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
pub(crate) struct Counters {
    ready: AtomicUsize,
    polls: AtomicU64,
    progress_at: AtomicU64,
    driver: Mutex<Option<Waker>>,
    alarm: Mutex<Option<Finding>>,
}

impl Counters {
    pub(crate) fn task_ready(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn task_taken(&self) {
        let before = self.ready.fetch_sub(1, Ordering::Relaxed);
        debug_assert!(before > 0, "a task was polled that was never made ready");
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.ready.load(Ordering::Relaxed) == 0
    }

    /// Counts a poll and answers how many there were since something last moved.
    pub(crate) fn polled(&self) -> u64 {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed) + 1;
        polls.saturating_sub(self.progress_at.load(Ordering::Relaxed))
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    pub(crate) fn progressed(&self) {
        self.progress_at.store(self.polls(), Ordering::Relaxed);
    }

    /// Raises an alarm; the first one counts.
    pub(crate) fn raise(&self, finding: Finding) {
        lock(&self.alarm).get_or_insert(finding);
        self.wake_driver();
    }

    pub(crate) fn alarm(&self) -> Option<Finding> {
        lock(&self.alarm).clone()
    }

    pub(crate) fn park_driver(&self, waker: &Waker) {
        let mut driver = lock(&self.driver);
        if !driver.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    pub(crate) fn wake_driver(&self) {
        let driver = lock(&self.driver).take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(crate) fn forget_driver(&self) {
        lock(&self.driver).take();
    }
}
