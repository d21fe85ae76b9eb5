//! Decides which input channels wait behind the barrier of a checkpoint.
//!
//! Invariant: a checkpoint is complete when every channel has delivered its barrier, once, and
//! never after a later one was seen or it was given up; between its first barrier and its last one
//! a channel that has delivered is blocked, unless records may take effect twice. A channel whose
//! input has ended delivers barriers like any other. Knows nothing of elements, state or time.

use std::collections::BTreeSet;

use sameriver_model::{Barrier, CheckpointId};

/// What a barrier means for its subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// Other channels have not delivered: this one waits.
    Block(usize),
    /// Other channels have not delivered, but this one goes on: at-least-once only.
    Pass(usize),
    /// All channels have delivered: snapshot.
    Complete(CheckpointId),
    /// A later checkpoint began, so this one can never be complete; its channels go on. The
    /// barrier counts for its own checkpoint.
    Superseded(CheckpointId),
    /// The barrier is of a checkpoint that is over here.
    Stale,
}

/// A checkpoint that waits for barriers.
#[derive(Debug)]
struct Pending {
    checkpoint: CheckpointId,
    delivered: Vec<bool>,
}

/// Joins the barriers of the channels of one gate.
#[derive(Debug)]
pub(crate) struct Aligner {
    channels: usize,
    blocks: bool,
    pending: Option<Pending>,
    /// The latest checkpoint that is over: complete, superseded or given up.
    over: Option<CheckpointId>,
    /// Later ones that were given up before a barrier of theirs came.
    aborted: BTreeSet<CheckpointId>,
}

impl Aligner {
    /// Nothing is pending on `channels`; without `blocks` no channel ever waits.
    pub(crate) fn new(channels: usize, blocks: bool) -> Self {
        Self {
            channels,
            blocks,
            pending: None,
            over: None,
            aborted: BTreeSet::new(),
        }
    }

    /// A channel delivered a barrier.
    pub(crate) fn on_barrier(&mut self, channel: usize, barrier: Barrier) -> Alignment {
        let id = barrier.checkpoint;
        if self.is_over(id) {
            return Alignment::Stale;
        }
        let superseded = match &self.pending {
            Some(pending) if pending.checkpoint > id => return Alignment::Stale,
            Some(pending) if pending.checkpoint < id => Some(pending.checkpoint),
            Some(_) | None => None,
        };
        if let Some(old) = superseded {
            self.close(old);
        }
        let pending = self.pending.get_or_insert_with(|| Pending {
            checkpoint: id,
            delivered: vec![false; self.channels],
        });
        if std::mem::replace(&mut pending.delivered[channel], true) {
            return Alignment::Stale;
        }
        if pending.delivered.iter().all(|delivered| *delivered) {
            self.close(id);
            return Alignment::Complete(id);
        }
        match superseded {
            Some(old) => Alignment::Superseded(old),
            None if self.blocks => Alignment::Block(channel),
            None => Alignment::Pass(channel),
        }
    }

    /// The checkpoint is given up; answers whether it was pending. Its channels go on, and what
    /// comes of it later is stale.
    pub(crate) fn abort(&mut self, checkpoint: CheckpointId) -> bool {
        let pending = self.pending();
        if pending == Some(checkpoint) {
            self.close(checkpoint);
            return true;
        }
        if !self.is_over(checkpoint) {
            self.aborted.insert(checkpoint);
        }
        false
    }

    /// Whether a channel waits.
    #[inline]
    pub(crate) fn blocks(&self, channel: usize) -> bool {
        let pending = self.pending.as_ref().filter(|_| self.blocks);
        pending.is_some_and(|pending| pending.delivered[channel])
    }

    /// The checkpoint that waits for barriers.
    pub(crate) fn pending(&self) -> Option<CheckpointId> {
        self.pending.as_ref().map(|pending| pending.checkpoint)
    }

    fn is_over(&self, id: CheckpointId) -> bool {
        self.over.is_some_and(|over| id <= over) || self.aborted.contains(&id)
    }

    fn close(&mut self, id: CheckpointId) {
        self.pending = None;
        self.over = self.over.max(Some(id));
        self.aborted.retain(|aborted| *aborted > id);
    }
}

#[cfg(test)]
mod tests;
