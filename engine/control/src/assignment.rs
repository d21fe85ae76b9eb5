//! Which slot of which task manager hosts a subtask.
//!
//! Invariant: a pure function of the plan and the offers. Slot *s* of the job hosts subtask *s* of
//! each vertex, so neighbours along a forward edge share a thread; the job's slots go round the
//! task managers in ascending order, so that load spreads.

use std::collections::BTreeMap;

use sameriver_model::{JobPlan, SlotIndex, SubtaskId, TaskManagerIndex};
use thiserror::Error;

use crate::command::PlacedSubtask;

/// The slots that one task manager offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotOffer {
    /// The task manager.
    pub task_manager: TaskManagerIndex,
    /// How many slots it has.
    pub slots: u32,
}

/// The offers cannot host the job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AssignmentError {
    /// Fewer slots than the highest parallelism of the job.
    #[error(
        "job {job} needs {needed} slots and {task_managers} task managers offer {available}: raise \
         slots or task_managers, or lower the parallelism"
    )]
    TooFewSlots {
        /// The name of the job.
        job: String,
        /// How many slots the job needs: its highest parallelism.
        needed: u32,
        /// How many slots there are.
        available: u64,
        /// How many task managers offer them.
        task_managers: usize,
    },
}

/// Where each subtask of a job runs.
///
/// ```
/// use sameriver_control::{SlotAssignment, SlotOffer};
/// use sameriver_model::{JobPlan, MaxParallelism, TaskManagerIndex};
/// let plan = JobPlan {
///     name: "empty".to_owned(),
///     max_parallelism: MaxParallelism::default(),
///     vertices: Vec::new(),
///     edges: Vec::new(),
/// };
/// let offer = SlotOffer { task_manager: TaskManagerIndex::new(0), slots: 1 };
/// let assignment = SlotAssignment::of(&plan, &[offer])?;
/// assert!(assignment.hosts().is_empty());
/// # Ok::<(), sameriver_control::AssignmentError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotAssignment {
    hosts: BTreeMap<SubtaskId, (TaskManagerIndex, SlotIndex)>,
}

impl SlotAssignment {
    /// Spreads the subtasks of `plan` over the offered slots; `offers` ascend by task manager.
    ///
    /// # Errors
    /// [`AssignmentError::TooFewSlots`].
    pub fn of(plan: &JobPlan, offers: &[SlotOffer]) -> Result<Self, AssignmentError> {
        let needed = plan.slots();
        let slots: Vec<_> = slots_in_turn(offers).take(needed as usize).collect();
        if slots.len() < needed as usize {
            return Err(AssignmentError::TooFewSlots {
                job: plan.name.clone(),
                needed,
                available: offers.iter().map(|offer| u64::from(offer.slots)).sum(),
                task_managers: offers.len(),
            });
        }
        let place = |subtask: SubtaskId| (subtask, slots[subtask.index.position()]);
        let hosts = plan.subtasks().map(place).collect();
        Ok(Self { hosts })
    }

    /// The host of every subtask.
    pub fn hosts(&self) -> &BTreeMap<SubtaskId, (TaskManagerIndex, SlotIndex)> {
        &self.hosts
    }

    /// The task manager that hosts a subtask.
    pub fn task_manager(&self, subtask: SubtaskId) -> Option<TaskManagerIndex> {
        self.hosts.get(&subtask).map(|(host, _)| *host)
    }

    /// The subtasks of one task manager, vertex by vertex.
    pub fn subtasks_on(&self, task_manager: TaskManagerIndex) -> Vec<PlacedSubtask> {
        let here = self.hosts.iter().filter(|(_, host)| host.0 == task_manager);
        here.map(|(subtask, host)| PlacedSubtask {
            subtask: *subtask,
            slot: host.1,
        })
        .collect()
    }
}

/// Slot 0 of every task manager, then slot 1 of each that has one, and so on.
fn slots_in_turn(offers: &[SlotOffer]) -> impl Iterator<Item = (TaskManagerIndex, SlotIndex)> + '_ {
    let rounds = offers.iter().map(|offer| offer.slots).max().unwrap_or(0);
    (0..rounds).flat_map(move |round| {
        let in_round = offers.iter().filter(move |offer| round < offer.slots);
        in_round.map(move |offer| (offer.task_manager, SlotIndex::new(round)))
    })
}

#[cfg(test)]
mod tests {
    use sameriver_model::{MaxParallelism, Parallelism, PlanVertex, SubtaskIndex, VertexId};

    use super::*;

    fn plan(parallelisms: &[u32]) -> JobPlan {
        let vertices = (0_u32..)
            .zip(parallelisms)
            .map(|(id, parallelism)| PlanVertex {
                id: VertexId::new(id),
                name: format!("vertex {id}"),
                parallelism: Parallelism::new(*parallelism).unwrap(),
                is_source: id == 0,
            });
        JobPlan {
            name: "job".to_owned(),
            max_parallelism: MaxParallelism::default(),
            vertices: vertices.collect(),
            edges: Vec::new(),
        }
    }

    fn offers(slots: &[u32]) -> Vec<SlotOffer> {
        let offers = (0_u32..).zip(slots).map(|(index, slots)| SlotOffer {
            task_manager: TaskManagerIndex::new(index),
            slots: *slots,
        });
        offers.collect()
    }

    fn hosts_of_vertex(assignment: &SlotAssignment, vertex: u32) -> Vec<(u32, u32)> {
        let hosts = assignment.hosts().iter();
        let hosts = hosts.filter(|(subtask, _)| subtask.vertex.get() == vertex);
        hosts
            .map(|(_, (task_manager, slot))| (task_manager.get(), slot.get()))
            .collect()
    }

    #[test]
    fn slots_go_round_the_task_managers_and_skip_full_ones() {
        let check = |slots: &[u32], expected: &[(u32, u32)]| {
            let assignment = SlotAssignment::of(&plan(&[4]), &offers(slots)).unwrap();
            assert_eq!(hosts_of_vertex(&assignment, 0), expected, "{slots:?}");
        };
        check(&[4], &[(0, 0), (0, 1), (0, 2), (0, 3)]);
        check(&[2, 2], &[(0, 0), (1, 0), (0, 1), (1, 1)]);
        check(&[1, 3], &[(0, 0), (1, 0), (1, 1), (1, 2)]);
        check(&[0, 4], &[(1, 0), (1, 1), (1, 2), (1, 3)]);
    }

    #[test]
    fn subtasks_with_one_index_share_a_slot() {
        let assignment = SlotAssignment::of(&plan(&[1, 2, 2]), &offers(&[1, 1])).unwrap();
        assert_eq!(hosts_of_vertex(&assignment, 0), [(0, 0)]);
        assert_eq!(hosts_of_vertex(&assignment, 1), [(0, 0), (1, 0)]);
        assert_eq!(hosts_of_vertex(&assignment, 2), [(0, 0), (1, 0)]);
        let second = SubtaskId::new(VertexId::new(2), SubtaskIndex::new(1));
        let host = TaskManagerIndex::new(1);
        assert_eq!(assignment.task_manager(second), Some(host));
        assert_eq!(assignment.subtasks_on(host).len(), 2);
    }

    #[test]
    fn too_few_slots_are_refused_with_both_numbers_and_the_setting() {
        let error = SlotAssignment::of(&plan(&[4]), &offers(&[1, 2])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "job job needs 4 slots and 2 task managers offer 3: raise slots or \
             task_managers, or lower the parallelism"
        );
    }
}
