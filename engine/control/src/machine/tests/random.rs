//! Random orders of facts, stale, repeated, late and out of order, against a ledger that is kept
//! without the machine's help; then a world that answers everything, in which the job must end.

use proptest::prelude::*;
use sameriver_model::{CheckpointId, ProcessingTime, SubtaskState};

use super::*;

mod ledger;

use ledger::{EPOCH, Ledger, named};

const CASES: u32 = 2_000;

/// A draw; which attempt, life or checkpoint is meant is counted from the newest one.
#[derive(Clone, Copy, Debug)]
enum Draw {
    Wait(u64),
    Register {
        index: u32,
        older: u64,
    },
    Lose {
        index: u32,
        older: u64,
    },
    Read {
        older: u32,
    },
    Answer {
        subtask: usize,
        older: u32,
        what: u32,
    },
    AllRun,
    AllStop,
    Checkpoint(CheckpointDraw),
    End(EndDraw),
}

#[derive(Clone, Copy, Debug)]
enum CheckpointDraw {
    AllAcknowledge,
    Triggered { older: u64 },
    Acknowledge { subtask: usize, older: u32, id: u64 },
    Decline { subtask: usize, id: u64 },
    Published { older: u64 },
    PublishFailed { older: u64 },
    Request,
}

#[derive(Clone, Copy, Debug)]
enum EndDraw {
    Published,
    Unpublished,
    Fail,
    FailForGood,
    Cancel,
    Depose,
}

fn any_draw() -> impl Strategy<Value = Draw> {
    let subtask = || 0_usize..4;
    prop_oneof![
        8 => (0_u64..25).prop_map(Draw::Wait),
        4 => (0_u32..2, 0_u64..3).prop_map(|(index, older)| Draw::Register { index, older }),
        2 => (0_u32..2, 0_u64..3).prop_map(|(index, older)| Draw::Lose { index, older }),
        4 => (0_u32..2).prop_map(|older| Draw::Read { older }),
        4 => (subtask(), 0_u32..3, 0_u32..5)
            .prop_map(|(subtask, older, what)| Draw::Answer { subtask, older, what }),
        8 => Just(Draw::AllRun),
        3 => Just(Draw::AllStop),
        28 => any_checkpoint_draw().prop_map(Draw::Checkpoint),
        4 => any_end_draw().prop_map(Draw::End),
    ]
}

fn any_checkpoint_draw() -> impl Strategy<Value = CheckpointDraw> {
    use CheckpointDraw as D;
    let subtask = || 0_usize..4;
    prop_oneof![
        5 => Just(D::AllAcknowledge),
        6 => (0_u64..3).prop_map(|older| D::Triggered { older }),
        8 => (subtask(), 0_u32..2, 0_u64..3)
            .prop_map(|(subtask, older, id)| D::Acknowledge { subtask, older, id }),
        1 => (subtask(), 0_u64..3).prop_map(|(subtask, id)| D::Decline { subtask, id }),
        5 => (0_u64..2).prop_map(|older| D::Published { older }),
        1 => (0_u64..2).prop_map(|older| D::PublishFailed { older }),
        2 => Just(D::Request),
    ]
}

fn any_end_draw() -> impl Strategy<Value = EndDraw> {
    prop_oneof![
        10 => Just(EndDraw::Published),
        10 => Just(EndDraw::Unpublished),
        20 => Just(EndDraw::Fail),
        1 => Just(EndDraw::FailForGood),
        1 => Just(EndDraw::Cancel),
        1 => Just(EndDraw::Depose),
    ]
}

impl Ledger {
    fn attempt(&self, older: u32) -> AttemptNumber {
        let newest = self.machine.attempt();
        AttemptNumber::of_epoch(EPOCH, newest.ordinal().saturating_sub(older))
    }

    fn register(&mut self, index: u32, older: u64) {
        let life = (self.lives[index as usize] + 1).saturating_sub(older);
        let incarnation = Incarnation::new(life);
        if self.machine.admits(tm(index), incarnation).is_ok() {
            self.lose(tm(index));
            self.lives[index as usize] = life;
            self.present[index as usize] = true;
        }
        self.feed(Fact::TaskManagerRegistered {
            task_manager: tm(index),
            incarnation,
            slots: 1 + index,
            data_address: String::new(),
        });
    }

    fn all(&mut self, fact: impl Fn(SubtaskId, AttemptNumber) -> Fact) {
        let attempt = self.machine.attempt();
        for subtask in subtasks() {
            self.feed(fact(subtask, attempt));
        }
    }

    fn acknowledge(&mut self, subtask: SubtaskId, attempt: AttemptNumber, id: u64, ended: bool) {
        let state = SubtaskState {
            subtask,
            files: Vec::new(),
            is_ended: ended,
        };
        self.feed(Fact::SnapshotAcknowledged {
            subtask,
            attempt,
            checkpoint: CheckpointId::new(id),
            state,
        });
    }

    fn triggered(&mut self, id: u64) {
        self.feed(Fact::CheckpointTriggered {
            checkpoint: CheckpointId::new(id),
            enumerators: Vec::new(),
            created: ProcessingTime::from_millis(0),
        });
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
        self.feed(Fact::DeadlinePassed);
    }

    fn play(&mut self, draw: Draw) {
        let failure = Failure::new(FailureKind::User, "drawn");
        match draw {
            Draw::Wait(seconds) => self.wait(seconds),
            Draw::Register { index, older } => self.register(index, older),
            Draw::Lose { index, older } => {
                let life = self.lives[index as usize].saturating_sub(older);
                if older == 0 {
                    self.lose(tm(index));
                }
                self.feed(Fact::TaskManagerLost {
                    task_manager: tm(index),
                    incarnation: Incarnation::new(life),
                    cause: "drawn".to_owned(),
                });
            }
            Draw::Read { older } => {
                let attempt = self.attempt(older);
                self.feed(Fact::EnumeratorsRead { attempt });
            }
            Draw::Answer {
                subtask,
                older,
                what,
            } => {
                let (subtask, attempt) = (subtasks()[subtask], self.attempt(older));
                self.feed(match what {
                    0 => Fact::SubtaskRunning { subtask, attempt },
                    1 => Fact::SubtaskEnded { subtask, attempt },
                    2 => Fact::SubtaskFinished { subtask, attempt },
                    3 => Fact::SubtaskCancelled { subtask, attempt },
                    _ => Fact::SubtaskFailed {
                        subtask,
                        attempt,
                        failure,
                    },
                });
            }
            Draw::AllRun => self.all(|subtask, attempt| Fact::SubtaskRunning { subtask, attempt }),
            Draw::AllStop => {
                if self.machine.status() == S::Restarting {
                    self.all(|subtask, attempt| Fact::SubtaskCancelled { subtask, attempt });
                }
            }
            Draw::Checkpoint(draw) => self.play_checkpoint(draw, failure),
            Draw::End(draw) => self.play_end(draw, failure),
        }
    }

    fn play_checkpoint(&mut self, draw: CheckpointDraw, failure: Failure) {
        use CheckpointDraw as D;
        let older_id = |ledger: &Self, older: u64| (ledger.last_id + 1).saturating_sub(older);
        match draw {
            D::AllAcknowledge => {
                let (id, attempt) = (self.last_id, self.machine.attempt());
                self.triggered(id);
                for subtask in subtasks() {
                    self.acknowledge(subtask, attempt, id, false);
                }
            }
            D::Triggered { older } => self.triggered(self.last_id.saturating_sub(older)),
            D::Acknowledge { subtask, older, id } => {
                let id = older_id(self, id);
                self.acknowledge(subtasks()[subtask], self.attempt(older), id, false);
            }
            D::Decline { subtask, id } => self.feed(Fact::SnapshotDeclined {
                subtask: subtasks()[subtask],
                attempt: self.attempt(0),
                checkpoint: CheckpointId::new(older_id(self, id)),
                failure,
            }),
            D::Published { older } => self.publish_answer(older, None),
            D::PublishFailed { older } => self.publish_answer(older, Some(failure)),
            D::Request => self.feed(Fact::CheckpointRequested),
        }
    }

    fn play_end(&mut self, draw: EndDraw, failure: Failure) {
        match draw {
            EndDraw::Published if self.asked_end => self.feed(Fact::EndPublished),
            EndDraw::Unpublished if self.asked_end => {
                self.feed(Fact::EndPublishFailed { failure });
            }
            EndDraw::Published | EndDraw::Unpublished => {}
            EndDraw::Fail => self.feed(Fact::Failed { failure }),
            EndDraw::FailForGood => {
                self.is_doomed = true;
                self.feed(Fact::FailedForGood { failure });
            }
            EndDraw::Cancel => {
                self.is_doomed = true;
                self.feed(Fact::CancelRequested);
            }
            EndDraw::Depose => {
                self.is_doomed = true;
                self.feed(Fact::Deposed {
                    by_epoch: EPOCH + 1,
                });
            }
        }
    }

    /// The answer to the publish that was asked for last, or to one before it.
    fn publish_answer(&mut self, older: u64, failure: Option<Failure>) {
        let attempt = self.machine.attempt();
        let asked = self.publishing.clone();
        let asked = asked.unwrap_or_else(|| named(self.asked_publish, attempt));
        let checkpoint = named(asked.id.get().saturating_sub(older), asked.attempt);
        self.feed(match failure {
            Some(failure) => Fact::PublishFailed {
                checkpoint: checkpoint.id,
                failure,
            },
            None => Fact::CheckpointPublished { checkpoint },
        });
    }

    /// One round of a world in which everybody is there and answers.
    fn heal(&mut self) {
        for index in 0..2 {
            if !self.present[index as usize] {
                self.register(index, 0);
            }
        }
        if self.publishing.is_some() {
            self.publish_answer(0, None);
        }
        if self.asked_end {
            self.feed(Fact::EndPublished);
        }
        let attempt = self.machine.attempt();
        match self.machine.status() {
            S::Restarting | S::Failing | S::Cancelling => {
                self.all(|subtask, attempt| Fact::SubtaskCancelled { subtask, attempt });
                self.feed(Fact::EnumeratorsRead { attempt });
            }
            S::Created | S::Waiting => self.feed(Fact::EnumeratorsRead { attempt }),
            S::Deploying => self.all(|subtask, attempt| Fact::SubtaskRunning { subtask, attempt }),
            S::Running | S::Finishing => {
                self.all(|subtask, attempt| Fact::SubtaskEnded { subtask, attempt });
                let id = self.last_id;
                self.triggered(id);
                for subtask in subtasks() {
                    self.acknowledge(subtask, attempt, id, true);
                }
                if self.is_released {
                    self.all(|subtask, attempt| Fact::SubtaskFinished { subtask, attempt });
                }
            }
            S::Finished | S::Failed | S::Cancelled | S::Deposed => {}
        }
        self.wait(1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    })]

    #[test]
    fn random_facts_break_no_promise_and_a_healthy_world_brings_the_job_to_its_end(
        draws in proptest::collection::vec(any_draw(), 0..120),
        max_concurrent in 1_u32..4,
        retained in 1_u32..4,
    ) {
        let mut ledger = Ledger::new(max_concurrent, retained);
        for draw in draws {
            ledger.play(draw);
        }
        for _ in 0..100 {
            ledger.heal();
        }
        let status = ledger.machine.status();
        prop_assert!(status.is_terminal(), "{:?}", ledger.machine);
        prop_assert!(ledger.is_doomed || status == S::Finished, "{:?}", ledger.machine);
        prop_assert!(ledger.published.iter().is_sorted_by(|one, two| one.id < two.id));
    }
}
