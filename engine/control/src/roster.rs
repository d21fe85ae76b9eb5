//! The task managers of a job: which are there, in which life, with how many slots.
//!
//! Invariant: of each index the highest incarnation that was seen counts, and it only rises; the
//! slots of one that is lost are offered to nobody until it is back as a higher one.

use std::collections::BTreeMap;

use sameriver_model::TaskManagerIndex;
use thiserror::Error;

use crate::assignment::SlotOffer;
use crate::incarnation::Incarnation;
use crate::names::shortened;
use crate::status::JobStatus;

/// Why a task manager may not take part in a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AdmissionError {
    /// Its number is not one of the job's task managers.
    #[error(
        "task manager {task_manager} is unknown: the job has {expected} task managers, numbered \
         from 0: mend its index or raise task_managers"
    )]
    Unknown {
        /// The number it gave.
        task_manager: TaskManagerIndex,
        /// How many the job has.
        expected: u32,
    },
    /// Another one with the same number, as young or younger, was registered before.
    #[error("task manager {task_manager} is already registered: give each its own index")]
    Duplicate {
        /// The number it gave.
        task_manager: TaskManagerIndex,
    },
    /// The job has no use for task managers.
    #[error("task manager {task_manager} cannot register now: the job is {status}")]
    NotWaiting {
        /// The number it gave.
        task_manager: TaskManagerIndex,
        /// What the job does instead.
        status: JobStatus,
    },
}

#[derive(Clone, Debug)]
struct Registered {
    incarnation: Incarnation,
    slots: u32,
    data_address: String,
    is_lost: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Roster {
    expected: u32,
    known: BTreeMap<TaskManagerIndex, Registered>,
}

impl Roster {
    /// Awaits task managers numbered from 0.
    pub(crate) const fn new(expected: u32) -> Self {
        let known = BTreeMap::new();
        Self { expected, known }
    }

    /// Whether a task manager could register, as far as its number and its life go.
    pub(crate) fn admits(
        &self,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
    ) -> Result<(), AdmissionError> {
        if task_manager.get() >= self.expected {
            return Err(AdmissionError::Unknown {
                task_manager,
                expected: self.expected,
            });
        }
        match self.known.get(&task_manager) {
            // One that is lost may come back from a node whose clock has jumped back.
            Some(known) if known.is_lost && incarnation != known.incarnation => Ok(()),
            Some(known) if incarnation <= known.incarnation => {
                Err(AdmissionError::Duplicate { task_manager })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn register(
        &mut self,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
        slots: u32,
        data_address: String,
    ) {
        let registered = Registered {
            incarnation,
            slots,
            data_address,
            is_lost: false,
        };
        self.known.insert(task_manager, registered);
    }

    /// Strikes a task manager off; false if that life of it was not there.
    pub(crate) fn lose(
        &mut self,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
    ) -> bool {
        match self.known.get_mut(&task_manager) {
            Some(known) if known.incarnation == incarnation && !known.is_lost => {
                known.is_lost = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The life of a task manager that is there.
    pub(crate) fn present(&self, task_manager: TaskManagerIndex) -> Option<Incarnation> {
        let known = self.known.get(&task_manager);
        let known = known.filter(|known| !known.is_lost);
        known.map(|known| known.incarnation)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.offers().len() == self.expected as usize
    }

    /// The slots of those that are there, by ascending index.
    pub(crate) fn offers(&self) -> Vec<SlotOffer> {
        let there = self.known.iter().filter(|(_, known)| !known.is_lost);
        let offers = there.map(|(index, known)| SlotOffer {
            task_manager: *index,
            slots: known.slots,
        });
        offers.collect()
    }

    /// Where those that are there are reached with data, by ascending index.
    pub(crate) fn data_addresses(&self) -> impl Iterator<Item = (TaskManagerIndex, &str)> {
        let there = self.known.iter().filter(|(_, known)| !known.is_lost);
        there.map(|(index, known)| (*index, known.data_address.as_str()))
    }

    /// The names of those that are not there.
    pub(crate) fn missing(&self) -> String {
        let all = (0..self.expected).map(TaskManagerIndex::new);
        let missing = all.filter(|index| self.present(*index).is_none());
        let missing: Vec<_> = missing.map(|index| index.to_string()).collect();
        shortened(&missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_manager_comes_back_as_another_incarnation_and_replaces_only_a_lower_one() {
        let (tm, life) = (TaskManagerIndex::new(0), Incarnation::new);
        let mut roster = Roster::new(1);
        roster.register(tm, life(2), 1, "node:1".to_owned());
        let duplicate = Err(AdmissionError::Duplicate { task_manager: tm });
        assert_eq!(roster.admits(tm, life(2)), duplicate);
        assert_eq!(roster.admits(tm, life(1)), duplicate);
        assert!(!roster.lose(tm, life(1)), "a stale loss");
        assert!(roster.is_complete());
        assert!(roster.lose(tm, life(2)));
        assert!(!roster.lose(tm, life(2)), "lost twice");
        assert!(roster.offers().is_empty());
        assert_eq!(roster.admits(tm, life(2)), duplicate);
        assert_eq!(
            roster.admits(tm, life(1)),
            Ok(()),
            "its clock has jumped back"
        );
        assert_eq!(roster.admits(tm, life(3)), Ok(()));
        roster.register(tm, life(3), 1, "node:2".to_owned());
        assert_eq!(roster.data_addresses().next(), Some((tm, "node:2")));
    }
}
