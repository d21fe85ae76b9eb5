//! Judges by the job log when it is time to try to take leadership.
//!
//! Invariant: a hint for liveness, never for safety: who leads is decided by the log's
//! create-if-absent. Only the observer's own monotonic clock counts, so a skewed one costs
//! availability only.

use std::time::Duration;

use crate::moment::Moment;

/// The sign of life that a leader leaves in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaderBeat {
    /// The highest sequence of the job log.
    pub sequence: u64,
    /// How often its writer has said since that it lives.
    pub beat: u64,
}

/// What an observer should do about leadership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderVerdict {
    /// Watch on: somebody leads, as far as we know until this instant.
    WatchUntil(Moment),
    /// Try to append a record of our own.
    TryToLead,
}

/// Watches the leader of one job.
///
/// ```
/// use sameriver_control::{LeaderBeat, LeaderVerdict, LeaderWatch, Moment};
/// use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let at = |seconds| Moment::from_origin(second * seconds);
/// let mut watch = LeaderWatch::new(second * 10, at(0));
/// watch.observe(Some(LeaderBeat { sequence: 3, beat: 1 }), at(5));
/// watch.observe(Some(LeaderBeat { sequence: 3, beat: 1 }), at(9));
/// assert_eq!(watch.judge(at(14)), LeaderVerdict::WatchUntil(at(15)));
/// assert_eq!(watch.judge(at(15)), LeaderVerdict::TryToLead);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LeaderWatch {
    timeout: Duration,
    highest: Option<LeaderBeat>,
    changed: Moment,
    is_empty: bool,
    is_gone: bool,
}

impl LeaderWatch {
    /// Begins to watch; what is in the store was not read yet.
    pub const fn new(timeout: Duration, now: Moment) -> Self {
        Self {
            timeout,
            highest: None,
            changed: now,
            is_empty: false,
            is_gone: false,
        }
    }

    /// The store was read; `None` if the log has no record.
    pub fn observe(&mut self, beat: Option<LeaderBeat>, now: Moment) {
        self.is_empty = beat.is_none() && self.highest.is_none();
        // An older answer that comes late says nothing new.
        if beat > self.highest {
            self.highest = beat;
            self.is_gone = false;
            self.changed = self.changed.max(now);
        }
    }

    /// What to do by now (inclusive).
    pub fn judge(&self, now: Moment) -> LeaderVerdict {
        let until = self.changed.saturating_add(self.timeout);
        if self.is_empty || self.is_gone || now >= until {
            LeaderVerdict::TryToLead
        } else {
            LeaderVerdict::WatchUntil(until)
        }
    }

    /// We tried and somebody else was faster, or the store did not answer: watch anew.
    pub fn start_over(&mut self, now: Moment) {
        self.changed = self.changed.max(now);
        self.is_empty = false;
        self.is_gone = false;
    }

    /// Nobody listens where the leader that was observed last did: nothing is waited for, unless
    /// it gives another sign of life. A mistake costs a change of leaders, never safety.
    pub const fn leader_is_gone(&mut self) {
        self.is_gone = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn beat(sequence: u64, beat: u64) -> LeaderBeat {
        LeaderBeat { sequence, beat }
    }

    fn watch() -> LeaderWatch {
        LeaderWatch::new(Duration::from_secs(10), at(0))
    }

    #[test]
    fn a_leader_that_beats_or_writes_is_left_alone() {
        let mut watch = watch();
        let beats = [beat(1, 1), beat(1, 2), beat(2, 0), beat(2, 1)];
        for (second, beat) in (9..).step_by(9).zip(beats) {
            watch.observe(Some(beat), at(second));
            assert_eq!(
                watch.judge(at(second + 9)),
                LeaderVerdict::WatchUntil(at(second + 10))
            );
        }
    }

    #[test]
    fn an_old_answer_of_the_store_is_no_sign_of_life() {
        let mut watch = watch();
        watch.observe(Some(beat(2, 1)), at(0));
        watch.observe(Some(beat(1, 9)), at(9));
        watch.observe(None, at(9));
        assert_eq!(watch.judge(at(10)), LeaderVerdict::TryToLead);
    }

    #[test]
    fn a_leader_that_is_gone_is_not_waited_for_unless_it_beats_again() {
        let mut watch = watch();
        watch.observe(Some(beat(3, 1)), at(1));
        watch.leader_is_gone();
        watch.observe(Some(beat(3, 1)), at(1));
        assert_eq!(watch.judge(at(1)), LeaderVerdict::TryToLead);
        watch.observe(Some(beat(3, 2)), at(2));
        assert_eq!(watch.judge(at(2)), LeaderVerdict::WatchUntil(at(12)));
        watch.leader_is_gone();
        watch.start_over(at(3));
        assert_eq!(watch.judge(at(3)), LeaderVerdict::WatchUntil(at(13)));
    }

    #[test]
    fn an_empty_log_is_tried_at_once_and_an_unread_one_after_the_time_out() {
        let mut watch = watch();
        assert_eq!(watch.judge(at(9)), LeaderVerdict::WatchUntil(at(10)));
        watch.observe(None, at(1));
        assert_eq!(watch.judge(at(1)), LeaderVerdict::TryToLead);
        watch.start_over(at(2));
        assert_eq!(watch.judge(at(11)), LeaderVerdict::WatchUntil(at(12)));
    }
}
