//! Judges by heartbeats whether a peer is still there.
//!
//! Invariant: only the observer's own monotonic clock counts, no clock of the peer; a peer that was
//! found lost stays lost, and comes back as another one. Used by the job master for each task
//! manager and by the task manager for its job master.

use std::time::Duration;

use crate::moment::Moment;

/// What an observer thinks of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It counts as alive until this instant, unless it beats again.
    AliveUntil(Moment),
    /// It has not beaten for the time-out. That may be a mistake: whoever acts on it must be safe
    /// when the peer is alive.
    Lost,
}

/// Watches one peer.
///
/// ```
/// use sameriver_control::{HeartbeatMonitor, Liveness, Moment};
/// use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let at = |seconds| Moment::from_origin(second * seconds);
/// let mut monitor = HeartbeatMonitor::new(second * 10, at(0));
/// monitor.beat(at(5));
/// assert_eq!(monitor.judge(at(14)), Liveness::AliveUntil(at(15)));
/// assert_eq!(monitor.judge(at(15)), Liveness::Lost);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HeartbeatMonitor {
    timeout: Duration,
    last: Moment,
    is_lost: bool,
}

impl HeartbeatMonitor {
    /// Begins to watch: that counts as the first beat.
    pub const fn new(timeout: Duration, now: Moment) -> Self {
        Self {
            timeout,
            last: now,
            is_lost: false,
        }
    }

    /// Anything was heard of the peer.
    pub fn beat(&mut self, now: Moment) {
        self.judge(now);
        self.last = self.last.max(now);
    }

    /// Whether the peer is lost, by now (inclusive).
    pub fn judge(&mut self, now: Moment) -> Liveness {
        let until = self.last.saturating_add(self.timeout);
        self.is_lost |= now >= until;
        if self.is_lost {
            Liveness::Lost
        } else {
            Liveness::AliveUntil(until)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_peer_that_beats_within_the_time_out_is_never_lost() {
        let mut monitor = HeartbeatMonitor::new(Duration::from_secs(10), at(0));
        for second in (9..900).step_by(9) {
            let until = at(second + 1);
            assert_eq!(monitor.judge(at(second)), Liveness::AliveUntil(until));
            monitor.beat(at(second));
        }
    }

    #[test]
    fn a_beat_that_comes_too_late_does_not_bring_a_lost_peer_back() {
        let mut monitor = HeartbeatMonitor::new(Duration::from_secs(10), at(0));
        monitor.beat(at(10));
        assert_eq!(monitor.judge(at(10)), Liveness::Lost);
        assert_eq!(monitor.judge(at(0)), Liveness::Lost);
    }

    #[test]
    fn a_beat_from_the_past_does_not_shorten_the_wait() {
        let mut monitor = HeartbeatMonitor::new(Duration::from_secs(10), at(5));
        monitor.beat(at(1));
        assert_eq!(monitor.judge(at(14)), Liveness::AliveUntil(at(15)));
    }
}
