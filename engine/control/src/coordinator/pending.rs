//! A checkpoint that was triggered and is not yet published.
//!
//! Invariant: it is complete when the triggers were sent and every subtask has acknowledged, each
//! counted once by its name. Knows neither attempts nor limits.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_model::checkpoint::CheckpointMetadata;
use sameriver_model::{
    AttemptNumber, CheckpointId, MaxParallelism, ProcessingTime, SubtaskId, SubtaskState, VertexId,
};

use super::Counted;
use crate::moment::Moment;
use crate::names::shortened;

/// What the driver said when it had sent the triggers.
#[derive(Clone, Debug)]
struct Triggered {
    enumerators: Vec<(VertexId, Vec<u8>)>,
    created: ProcessingTime,
}

#[derive(Clone, Debug)]
pub(super) struct PendingCheckpoint {
    /// When it is given up.
    pub(super) until: Moment,
    pub(super) since: Counted,
    /// Whether all subtasks had ended when it was triggered.
    pub(super) is_final: bool,
    triggered: Option<Triggered>,
    awaited: BTreeSet<SubtaskId>,
    states: BTreeMap<SubtaskId, SubtaskState>,
}

impl PendingCheckpoint {
    /// Awaits all of `subtasks`.
    pub(super) fn new(
        subtasks: &[SubtaskId],
        until: Moment,
        since: Counted,
        is_final: bool,
    ) -> Self {
        Self {
            until,
            since,
            is_final,
            triggered: None,
            awaited: subtasks.iter().copied().collect(),
            states: BTreeMap::new(),
        }
    }

    pub(super) fn triggered(
        &mut self,
        enumerators: Vec<(VertexId, Vec<u8>)>,
        created: ProcessingTime,
    ) {
        let triggered = Triggered {
            enumerators,
            created,
        };
        self.triggered.get_or_insert(triggered);
    }

    pub(super) fn awaits(&self, subtask: SubtaskId) -> bool {
        self.awaited.contains(&subtask)
    }

    pub(super) fn acknowledge(&mut self, state: SubtaskState) {
        if self.awaited.remove(&state.subtask) {
            self.states.insert(state.subtask, state);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.awaited.is_empty() && self.triggered.is_some()
    }

    /// Says who has not answered.
    pub(super) fn missing(&self) -> String {
        if self.awaited.is_empty() {
            return "its triggers were not sent".to_owned();
        }
        let names: Vec<_> = self.awaited.iter().map(ToString::to_string).collect();
        format!("subtasks {} have not acknowledged", shortened(&names))
    }

    /// What is published.
    ///
    /// # Panics
    /// If it is not complete.
    pub(super) fn into_metadata(
        self,
        id: CheckpointId,
        attempt: AttemptNumber,
        fingerprint: u64,
        max_parallelism: MaxParallelism,
    ) -> CheckpointMetadata {
        assert!(self.awaited.is_empty(), "{id} lacks acknowledgements");
        let triggered = self.triggered.expect("a complete checkpoint was triggered");
        let subtasks: Vec<_> = self.states.into_values().collect();
        CheckpointMetadata {
            id,
            attempt,
            fingerprint,
            max_parallelism,
            ended: subtasks.iter().all(|state| state.is_ended),
            subtasks,
            enumerators: triggered.enumerators,
            created: triggered.created,
        }
    }
}
