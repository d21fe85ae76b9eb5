//! The published checkpoints that are kept.
//!
//! Invariant: ids rise; the latest is always among them; what falls out was named by an older
//! record of the log and is not named by the newest.

use sameriver_model::checkpoint::CheckpointRef;

#[derive(Clone, Debug)]
pub(super) struct RetainedCheckpoints {
    /// At least 1.
    keep: usize,
    /// By ascending id.
    kept: Vec<CheckpointRef>,
}

impl RetainedCheckpoints {
    pub(super) fn new(keep: u32) -> Self {
        Self {
            keep: keep.max(1) as usize,
            kept: Vec::new(),
        }
    }

    /// Takes over what the newest record of the log names.
    pub(super) fn take_over(
        &mut self,
        latest: Option<CheckpointRef>,
        retained: Vec<CheckpointRef>,
    ) {
        self.kept = retained;
        self.kept.extend(latest);
        self.kept.sort_by_key(|kept| kept.id);
        self.kept.dedup_by_key(|kept| kept.id);
    }

    pub(super) fn latest(&self) -> Option<&CheckpointRef> {
        self.kept.last()
    }

    /// Those that stay when a new one joins them.
    pub(super) fn beside_a_new_one(&self) -> &[CheckpointRef] {
        let stay = self.kept.len().min(self.keep - 1);
        &self.kept[self.kept.len() - stay..]
    }

    /// Adds the newest one and returns those that are not kept any more.
    pub(super) fn add(&mut self, published: CheckpointRef) -> Vec<CheckpointRef> {
        let stay = self.beside_a_new_one().len();
        let discarded = self.kept.drain(..self.kept.len() - stay).collect();
        self.kept.push(published);
        discarded
    }
}
