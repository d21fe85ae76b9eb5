//! One attempt: where its subtasks are, and what they said last.
//!
//! Invariant: a subtask only moves forward: deploying, running, ended, then finished or stopped;
//! only what is said in this attempt moves it.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_model::checkpoint::CheckpointRef;
use sameriver_model::{AttemptNumber, JobPlan, SubtaskId, TaskManagerIndex};

use crate::assignment::SlotAssignment;
use crate::coordinator::CheckpointPlan;
use crate::names::shortened;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SubtaskPhase {
    Deploying,
    Running,
    /// Its input has ended; it still passes barriers.
    Ended,
    /// Everything that it made is outside.
    Finished,
    /// Failed, cancelled, or on a lost task manager: it does not run any more.
    Stopped,
}

impl SubtaskPhase {
    /// Whether it has to be stopped.
    pub(crate) const fn is_live(self) -> bool {
        match self {
            Self::Deploying | Self::Running | Self::Ended => true,
            Self::Finished | Self::Stopped => false,
        }
    }

    /// Whether its input has ended and it goes on well.
    pub(crate) const fn has_ended(self) -> bool {
        match self {
            Self::Ended | Self::Finished => true,
            Self::Deploying | Self::Running | Self::Stopped => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) number: AttemptNumber,
    /// The checkpoint that it starts from.
    pub(crate) restore: Option<CheckpointRef>,
    /// Whether the subtasks were told that they may finish.
    pub(crate) is_released: bool,
    assignment: SlotAssignment,
    subtasks: BTreeMap<SubtaskId, SubtaskPhase>,
}

impl Attempt {
    /// Not deployed yet.
    pub(crate) fn new(number: AttemptNumber, restore: Option<CheckpointRef>) -> Self {
        Self {
            number,
            restore,
            is_released: false,
            assignment: SlotAssignment::default(),
            subtasks: BTreeMap::new(),
        }
    }

    pub(crate) const fn assignment(&self) -> &SlotAssignment {
        &self.assignment
    }

    /// From now on every subtask of the assignment is live.
    pub(crate) fn deploy(&mut self, assignment: SlotAssignment) {
        let subtasks = assignment.hosts().keys();
        self.subtasks = subtasks.map(|id| (*id, SubtaskPhase::Deploying)).collect();
        self.assignment = assignment;
    }

    /// Records what a subtask said; false if it is stale, repeated, or about nothing that is live.
    pub(crate) fn move_to(
        &mut self,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        to: SubtaskPhase,
    ) -> bool {
        if attempt != self.number {
            return false;
        }
        match self.subtasks.get_mut(&subtask) {
            Some(phase) if phase.is_live() && *phase < to => {
                *phase = to;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Counts the live subtasks of a task manager as stopped; false if it has none.
    pub(crate) fn lose(&mut self, task_manager: TaskManagerIndex) -> bool {
        let mut any = false;
        for (subtask, phase) in &mut self.subtasks {
            if phase.is_live() && self.assignment.task_manager(*subtask) == Some(task_manager) {
                *phase = SubtaskPhase::Stopped;
                any = true;
            }
        }
        any
    }

    pub(crate) fn all(&self, is: impl Fn(SubtaskPhase) -> bool) -> bool {
        self.subtasks.values().all(|phase| is(*phase))
    }

    pub(crate) fn any(&self, is: impl Fn(SubtaskPhase) -> bool) -> bool {
        self.subtasks.values().any(|phase| is(*phase))
    }

    /// The hosts of all subtasks, by ascending index.
    pub(crate) fn hosts(&self) -> Vec<TaskManagerIndex> {
        let hosts = self.assignment.hosts().values().map(|(host, _)| *host);
        hosts.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The hosts of live subtasks, by ascending index.
    pub(crate) fn live_hosts(&self) -> Vec<TaskManagerIndex> {
        let live = self.subtasks.iter().filter(|(_, phase)| phase.is_live());
        let hosts = live.filter_map(|(subtask, _)| self.assignment.task_manager(*subtask));
        hosts.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The names of the subtasks that are in a phase.
    pub(crate) fn list(&self, wanted: impl Fn(SubtaskPhase) -> bool) -> String {
        let wanted = self.subtasks.iter().filter(|(_, phase)| wanted(**phase));
        let names: Vec<_> = wanted.map(|(subtask, _)| subtask.to_string()).collect();
        shortened(&names)
    }

    pub(crate) fn checkpoint_plan(&self, plan: &JobPlan) -> CheckpointPlan {
        let is_source = |subtask: &SubtaskId| plan.vertex(subtask.vertex).is_source;
        let hosts = self.assignment.hosts().iter();
        let sources = hosts.filter(|(subtask, _)| is_source(subtask));
        CheckpointPlan {
            attempt: self.number,
            subtasks: self.subtasks.keys().copied().collect(),
            sources: sources.map(|(subtask, host)| (host.0, *subtask)).collect(),
            task_managers: self.hosts(),
        }
    }
}
