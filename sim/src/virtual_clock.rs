//! The world's one clock: integer nanoseconds since the start of the run.
//!
//! Invariant: it never stands still under a busy loop (the executor adds 50 to 100 ns to each
//! poll) and never goes back. The operating system's clocks, as intercepted, agree with it.

use std::time::Duration;

use madsim::time::TimeHandle;

#[derive(Clone)]
pub(crate) struct VirtualClock(TimeHandle);

impl VirtualClock {
    /// The clock of the runtime that this thread runs.
    pub(crate) fn current() -> Self {
        Self(TimeHandle::current())
    }

    pub(crate) fn now(&self) -> u64 {
        nanos(self.0.elapsed())
    }

    /// Jumps to an instant, if it lies ahead.
    pub(crate) fn advance_to(&self, at: u64) {
        let ahead = at.saturating_sub(self.now());
        if ahead > 0 {
            self.0.advance(Duration::from_nanos(ahead));
        }
    }
}

/// Nanoseconds of a duration; the longest ones are cut to about 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
