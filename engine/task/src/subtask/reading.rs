//! What a source tells of what it has read, where checkpoints may be due by it.
//!
//! Invariant: counts begin anew behind each barrier. What is of interest is told at once when it
//! has grown by a step, and otherwise with a pause; what nobody wants to know is not told. Reads no
//! clock: it goes by that of the turn.

use std::time::Duration;

use sameriver_model::{CheckpointId, ReadCounts, ReadReports, Urgency};
use sameriver_operator::Context;
use sameriver_runtime::Monotonic;

use super::{Feed, Moment, Subtask};
use crate::mail::SlotEvent;

/// How long less than a step waits to be told.
const PAUSE: Duration = Duration::from_secs(1);

/// The counts of one source.
#[derive(Debug)]
pub(super) struct Reading {
    rule: Option<ReadReports>,
    counts: ReadCounts,
    told: ReadCounts,
    after: Option<CheckpointId>,
    /// When it was told last, or the last barrier went.
    since: Monotonic,
}

impl Reading {
    /// Nothing was read.
    pub(super) fn new(rule: Option<ReadReports>) -> Self {
        Self {
            rule,
            counts: ReadCounts::default(),
            told: ReadCounts::default(),
            after: None,
            since: Monotonic::default(),
        }
    }

    /// A slice was read.
    pub(super) fn add(&mut self, cx: &Context) {
        self.counts.add(ReadCounts {
            records: cx.records_read,
            bytes: cx.bytes_read,
            markers: cx.markers_met,
        });
    }

    /// A barrier went: counts begin anew.
    pub(super) fn cut(&mut self, checkpoint: CheckpointId, now: Monotonic) {
        self.counts = ReadCounts::default();
        self.told = ReadCounts::default();
        self.after = Some(checkpoint);
        self.since = now;
    }

    /// When there is something to tell; an instant that has passed is now.
    fn due(&self) -> Option<Monotonic> {
        match self.rule.as_ref()?.urgency(self.counts, self.told)? {
            Urgency::Now => Some(Monotonic::default()),
            Urgency::Sometime => Some(self.since.saturating_add(PAUSE)),
        }
    }
}

impl Subtask {
    /// Tells what was read, if it is time.
    pub(super) fn tell_what_was_read(&mut self, at: &Moment) {
        let Feed::Source { reading, .. } = &mut self.feed else {
            return;
        };
        if reading.due().is_none_or(|due| at.now < due) {
            return;
        }
        reading.told = reading.counts;
        reading.since = at.now;
        self.snapshots.announce(SlotEvent::SourceRead {
            subtask: self.id,
            attempt: self.attempt,
            after: reading.after,
            counts: reading.counts,
        });
    }

    pub(super) fn come_back_to_tell(&self, until: &mut Option<Monotonic>) {
        if let Feed::Source { reading, .. } = &self.feed
            && let Some(due) = reading.due()
        {
            *until = Some(until.map_or(due, |until| until.min(due)));
        }
    }
}

#[cfg(test)]
mod tests {
    use sameriver_model::ReadSteps;

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_origin(Duration::from_millis(millis))
    }

    fn reading() -> Reading {
        Reading::new(Some(ReadReports {
            records: Some(ReadSteps::shared(100, 4)),
            bytes: None,
            markers: true,
        }))
    }

    fn read(reading: &mut Reading, records: u64) {
        reading.counts.records += records;
    }

    #[test]
    fn a_step_is_told_at_once_and_less_of_it_with_a_pause() {
        let mut reading = reading();
        assert_eq!(reading.due(), None, "nothing was read");
        read(&mut reading, 24);
        assert_eq!(reading.due(), Some(at(1_000)));
        read(&mut reading, 1);
        assert_eq!(reading.due(), Some(at(0)));
    }

    #[test]
    fn what_makes_a_checkpoint_due_is_told_once_before_the_next_barrier() {
        let mut reading = reading();
        read(&mut reading, 100);
        reading.told = reading.counts;
        read(&mut reading, 1_000_000);
        assert_eq!(reading.due(), None);
        reading.cut(CheckpointId::new(1), at(7));
        assert_eq!(reading.due(), None, "nothing was read since");
        read(&mut reading, 1);
        assert_eq!(reading.due(), Some(at(1_007)));
    }

    #[test]
    fn without_anybody_who_counts_nothing_is_told() {
        let mut reading = Reading::new(None);
        read(&mut reading, u64::MAX);
        assert_eq!(reading.due(), None);
    }
}
