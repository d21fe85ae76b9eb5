//! What sources have read since the last trigger, as far as they have told.
//!
//! Invariant: a repeated report adds nothing; one of another attempt, or of before a barrier that
//! the source has passed since, is not heard. What made a failed checkpoint due is not lost.

use sameriver_model::{AttemptNumber, CheckpointId, ReadCounts, ReadReports, SubtaskId};

use super::CheckpointCoordinator;
use crate::trigger::SinceTrigger;

/// What made a checkpoint due; it counts again when that checkpoint fails.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) seen: SinceTrigger,
    pub(super) requests: u32,
}

impl Counted {
    pub(super) fn add(&mut self, other: Self) {
        self.seen.read.add(other.seen.read);
        self.requests = self.requests.saturating_add(other.requests);
    }
}

/// What a source has told last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    after: Option<CheckpointId>,
    counts: ReadCounts,
}

impl CheckpointCoordinator {
    /// A source has read so much since its last barrier. What it tells only after that barrier's
    /// trigger counts for the next checkpoint as well: that may come early, never late.
    pub fn read(
        &mut self,
        (subtask, attempt): (SubtaskId, AttemptNumber),
        after: Option<CheckpointId>,
        counts: ReadCounts,
    ) {
        let Some(plan) = self.plan.as_ref().filter(|plan| plan.attempt == attempt) else {
            return;
        };
        if !plan.sources.iter().any(|(_, source)| *source == subtask) {
            return;
        }
        let told = self.told.entry(subtask).or_default();
        if after < told.after {
            return;
        }
        if after > told.after {
            *told = Told {
                after,
                ..Told::default()
            };
        }
        self.since.seen.read.add(counts.beyond(told.counts));
        told.counts = told.counts.highest(counts);
    }

    /// What each source tells of what it reads, because the policy wants it counted; `None` if
    /// nothing.
    pub fn reports(&self) -> Option<ReadReports> {
        let sources = self.plan.as_ref().map_or(0, |plan| plan.sources.len());
        self.settings.policy.counts().reports(sources)
    }
}
