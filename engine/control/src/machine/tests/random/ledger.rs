//! What is true, kept beside the machine by the facts and commands alone, and what follows for
//! every command.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_model::checkpoint::CheckpointRef;
use sameriver_model::{CheckpointId, FileHandle};

use super::super::*;
use crate::restart::RestartStrategy;
use crate::settings::{CheckpointSettings, FailurePolicy};

pub(super) const EPOCH: u32 = 3;

pub(super) fn named(id: u64, attempt: AttemptNumber) -> CheckpointRef {
    CheckpointRef {
        id: CheckpointId::new(id),
        attempt,
        metadata: FileHandle {
            path: format!("meta/{id}"),
            length: 1,
            crc: 0,
        },
    }
}

/// What is true, by the facts and commands alone.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Ledger {
    pub(super) machine: JobMachine,
    pub(super) now: Moment,
    pub(super) max_concurrent: usize,
    pub(super) retained: usize,
    pub(super) lives: [u64; 2],
    pub(super) present: [bool; 2],
    /// The subtasks of the newest deployed attempt that may still run, with their hosts.
    pub(super) live: BTreeMap<SubtaskId, TaskManagerIndex>,
    pub(super) running: BTreeSet<SubtaskId>,
    pub(super) deployed: Option<AttemptNumber>,
    /// Task managers that were told to stop the newest attempt.
    pub(super) cancelled: BTreeSet<TaskManagerIndex>,
    pub(super) acknowledged: BTreeSet<(AttemptNumber, CheckpointId, SubtaskId)>,
    pub(super) last_id: u64,
    pub(super) pending: BTreeSet<u64>,
    pub(super) publishing: Option<CheckpointRef>,
    /// Whose publish has failed; a log that failed may name them all the same.
    refused: BTreeSet<u64>,
    pub(super) asked_publish: u64,
    pub(super) published: Vec<CheckpointRef>,
    pub(super) asked_end: bool,
    pub(super) is_end_published: bool,
    pub(super) is_released: bool,
    pub(super) is_doomed: bool,
    pub(super) silent: bool,
}

impl Ledger {
    pub(super) fn new(max_concurrent: u32, retained: u32) -> Self {
        let checkpoints = CheckpointSettings {
            max_concurrent,
            retained,
            timeout: SECOND * 30,
            failures: FailurePolicy {
                tolerated: 2,
                backoff: crate::Backoff::NONE,
            },
            ..CheckpointSettings::every(SECOND * 10)
        };
        let settings = JobSettings {
            restart: RestartStrategy::FixedDelay {
                attempts: 1_000,
                delay: SECOND,
            },
            checkpoints: Some(checkpoints),
            ..settings(2)
        };
        let before = AttemptNumber::of_epoch(EPOCH - 1, 1);
        let published = vec![named(4, before), named(5, before)];
        let mut ledger = Self {
            machine: JobMachine::new(machine().plan, settings),
            now: at(0),
            max_concurrent: max_concurrent as usize,
            retained: retained as usize,
            lives: [10; 2],
            present: [false; 2],
            live: BTreeMap::new(),
            running: BTreeSet::new(),
            deployed: None,
            cancelled: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            last_id: 6,
            pending: BTreeSet::new(),
            publishing: None,
            refused: BTreeSet::new(),
            asked_publish: 0,
            asked_end: false,
            is_end_published: false,
            is_released: false,
            is_doomed: false,
            silent: false,
            published: published.clone(),
        };
        ledger.feed(Fact::Started);
        ledger.feed(Fact::LeadershipTaken {
            epoch: EPOCH,
            latest: published.last().cloned(),
            retained: published,
            next_checkpoint: CheckpointId::new(7),
            over: None,
        });
        ledger
    }

    pub(super) fn feed(&mut self, fact: Fact) {
        self.note(&fact);
        let before = self.machine.status();
        let is_wait = matches!(fact, Fact::DeadlinePassed);
        let mut out = Vec::new();
        self.machine.on(fact, self.now, &mut out);
        if before.is_terminal() {
            assert_eq!((self.machine.status(), out.len()), (before, 0), "terminal");
        }
        for command in out {
            self.check(command);
        }
        if is_wait && let Some(deadline) = self.machine.deadline() {
            assert!(
                deadline > self.now,
                "a deadline that has passed is not asked for again"
            );
        }
    }

    /// What a fact makes true.
    fn note(&mut self, fact: &Fact) {
        if let Fact::SubtaskRunning { subtask, attempt } | Fact::SubtaskEnded { subtask, attempt } =
            fact
            && Some(*attempt) == self.deployed
        {
            self.running.insert(*subtask);
        }
        if let Fact::SubtaskFinished { subtask, attempt }
        | Fact::SubtaskCancelled { subtask, attempt }
        | Fact::SubtaskFailed {
            subtask, attempt, ..
        } = fact
            && Some(*attempt) == self.deployed
        {
            self.live.remove(subtask);
        }
        if let Fact::SnapshotAcknowledged {
            subtask,
            attempt,
            checkpoint,
            ..
        } = fact
        {
            self.acknowledged.insert((*attempt, *checkpoint, *subtask));
        }
        if let Fact::CheckpointPublished { checkpoint } = fact
            && self
                .publishing
                .take_if(|asked| asked == checkpoint)
                .is_some()
        {
            self.published.push(checkpoint.clone());
            self.refused.clear();
        }
        if let Fact::PublishFailed { checkpoint, .. } = fact {
            let failed = self.publishing.take_if(|asked| asked.id == *checkpoint);
            self.refused.extend(failed.map(|failed| failed.id.get()));
        }
        self.is_end_published |= self.asked_end && matches!(fact, Fact::EndPublished);
    }

    pub(super) fn lose(&mut self, index: TaskManagerIndex) {
        self.present[index.position()] = false;
        let ran = !self.live.is_empty();
        self.live.retain(|_, host| *host != index);
        if ran && self.live.is_empty() {
            // Nobody is left who would have to be told to stop: the attempt is over.
            self.pending.clear();
        }
    }

    /// Judges a command.
    fn check(&mut self, command: Command) {
        assert!(!self.silent, "{command:?} after standing down");
        match command {
            Command::OpenEnumerators { restore, .. } => {
                assert!(
                    self.publishing.is_none(),
                    "the latest checkpoint is not known"
                );
                assert_eq!(
                    restore.as_ref(),
                    self.published.last(),
                    "restores the latest"
                );
                self.pending.clear();
            }
            Command::Deploy {
                task_manager,
                attempt,
                subtasks,
                reports: _,
                restore,
            } => self.check_deploy(task_manager, attempt, &subtasks, restore.as_ref()),
            Command::Cancel {
                task_manager,
                attempt,
            } => {
                assert_eq!(Some(attempt), self.deployed);
                self.cancelled.insert(task_manager);
                self.pending.clear();
            }
            Command::Disconnect {
                task_manager,
                incarnation,
            } => {
                if incarnation.get() == self.lives[task_manager.position()] {
                    self.lose(task_manager);
                }
            }
            checkpoint @ (Command::TriggerCheckpoint { .. }
            | Command::AbortCheckpoint { .. }
            | Command::PublishCheckpoint { .. }
            | Command::NotifyComplete { .. }
            | Command::Discard { .. }) => self.check_checkpoint(checkpoint),
            Command::Release { attempt, .. } => {
                assert_eq!(Some(attempt), self.deployed);
                self.is_released = true;
            }
            Command::PublishEnd(_) => {
                assert!(self.publishing.is_none(), "one record at a time");
                self.asked_end = true;
            }
            Command::JobEnded(end) => match end {
                JobEnd::Finished | JobEnd::Cancelled => assert!(self.is_end_published),
                JobEnd::Failed(_) => {}
            },
            Command::StandDown { by_epoch } => {
                self.silent = true;
                if by_epoch.is_none() {
                    assert!(self.publishing.is_some(), "the log is known");
                    self.is_doomed = true;
                }
            }
        }
    }

    /// Judges a command about checkpoints.
    fn check_checkpoint(&mut self, command: Command) {
        if let Command::TriggerCheckpoint {
            checkpoint,
            attempt,
            ..
        } = command
        {
            assert!(checkpoint.get() > self.last_id, "ids rise");
            self.last_id = checkpoint.get();
            assert_eq!(Some(attempt), self.deployed);
            assert_eq!(self.running.len(), 4, "all subtasks run");
            self.pending.insert(checkpoint.get());
            let under_way = self.pending.len() + usize::from(self.publishing.is_some());
            assert!(under_way <= self.max_concurrent, "{under_way} under way");
        } else if let Command::AbortCheckpoint { checkpoint, .. } = command {
            self.pending.remove(&checkpoint.get());
        } else if let Command::PublishCheckpoint { metadata, retained } = command {
            let (id, attempt) = (metadata.id, metadata.attempt);
            assert_eq!(Some(attempt), self.deployed);
            assert!(id.get() > self.asked_publish, "publishes by rising id");
            assert!(self.publishing.is_none(), "one publish at a time");
            for subtask in subtasks() {
                let answer = (attempt, id, subtask);
                assert!(
                    self.acknowledged.contains(&answer),
                    "{subtask} has not acknowledged"
                );
            }
            assert!(self.pending.remove(&id.get()), "it is pending");
            let stay = self.published.len().min(self.retained - 1);
            assert_eq!(retained, self.published[self.published.len() - stay..]);
            self.asked_publish = id.get();
            self.publishing = Some(named(id.get(), attempt));
        } else if let Command::NotifyComplete {
            checkpoint,
            attempt,
            ..
        } = command
        {
            let latest = self.published.last();
            let latest = latest.map(|latest| (latest.id, latest.attempt));
            assert_eq!(latest, Some((checkpoint, attempt)), "published before told");
            assert_eq!(Some(attempt), self.deployed);
        } else if let Command::Discard { checkpoints } = command {
            let kept = self.published.len().saturating_sub(self.retained);
            let reached = self.published[kept..].iter().chain(&self.publishing);
            let reached: Vec<_> = reached.map(|kept| (kept.attempt, kept.id)).collect();
            for gone in checkpoints {
                assert!(!reached.contains(&gone), "{gone:?} is reached");
                let id = gone.1.get();
                assert!(!self.pending.contains(&id), "{gone:?} is pending");
                assert!(!self.refused.contains(&id), "{gone:?} may be in the log");
            }
        }
    }

    fn check_deploy(
        &mut self,
        task_manager: TaskManagerIndex,
        attempt: AttemptNumber,
        subtasks: &[crate::PlacedSubtask],
        restore: Option<&CheckpointRef>,
    ) {
        assert_eq!(restore, self.published.last(), "restores the latest");
        assert!(
            self.present[task_manager.position()],
            "deployed where nobody is"
        );
        if self.deployed != Some(attempt) {
            assert!(self.deployed < Some(attempt), "attempts rise");
            assert_eq!(self.live, BTreeMap::new(), "the attempt before still runs");
            self.deployed = Some(attempt);
            self.running.clear();
            self.cancelled.clear();
            self.is_released = false;
        }
        for placed in subtasks {
            let twice = self.live.insert(placed.subtask, task_manager);
            assert_eq!(twice, None, "{} is deployed twice", placed.subtask);
        }
    }
}
