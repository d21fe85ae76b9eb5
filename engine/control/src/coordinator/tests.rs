//! The coordinator against tables of facts; the mistakes of other systems, each by name.

use std::sync::Arc;
use std::time::Duration;

use sameriver_model::{FileHandle, SubtaskIndex};

use super::*;
use crate::backoff::Backoff;
use crate::settings::FailurePolicy;
use crate::trigger::{EveryRecords, OnMarker};

mod abandoned;
mod failures;
mod reading;

const SECOND: Duration = Duration::from_secs(1);
const FIRST: AttemptNumber = AttemptNumber::of_epoch(1, 1);

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn c(id: u64) -> CheckpointId {
    CheckpointId::new(id)
}

fn subtask(index: u32) -> SubtaskId {
    SubtaskId::new(VertexId::new(0), SubtaskIndex::new(index))
}

fn tm() -> TaskManagerIndex {
    TaskManagerIndex::new(0)
}

fn plan(attempt: AttemptNumber) -> CheckpointPlan {
    CheckpointPlan {
        attempt,
        subtasks: vec![subtask(0), subtask(1)],
        sources: vec![(tm(), subtask(0))],
        task_managers: vec![tm()],
    }
}

fn state(index: u32, is_ended: bool) -> SubtaskState {
    SubtaskState {
        subtask: subtask(index),
        files: Vec::new(),
        is_ended,
    }
}

fn named(id: u64, attempt: AttemptNumber) -> CheckpointRef {
    CheckpointRef {
        id: c(id),
        attempt,
        metadata: FileHandle {
            path: format!("meta/{id}"),
            length: 1,
            crc: 0,
        },
    }
}

fn failure() -> Failure {
    Failure::new(FailureKind::OutputUnwritable, "the store is full")
}

/// Each 10 s, time-out 60 s, one failure tolerated.
fn settings() -> CheckpointSettings {
    CheckpointSettings {
        timeout: SECOND * 60,
        failures: FailurePolicy {
            tolerated: 1,
            backoff: Backoff::NONE,
        },
        ..CheckpointSettings::every(SECOND * 10)
    }
}

/// What went out, in a form that reads well in an assertion.
fn said(commands: &[Command]) -> Vec<String> {
    let say = |command: &Command| match command {
        Command::TriggerCheckpoint { checkpoint, .. } => format!("trigger {checkpoint}"),
        Command::AbortCheckpoint {
            checkpoint, cause, ..
        } => match cause {
            AbortCause::Failed(_) => format!("abort {checkpoint}"),
            AbortCause::Overtaken => format!("{checkpoint} is overtaken"),
        },
        Command::PublishCheckpoint { metadata, retained } => {
            let retained: Vec<_> = retained.iter().map(|kept| kept.id.get()).collect();
            format!("publish {} beside {retained:?}", metadata.id)
        }
        Command::NotifyComplete { checkpoint, .. } => format!("notify {checkpoint}"),
        Command::Discard { checkpoints } => {
            let ids: Vec<_> = checkpoints.iter().map(|(_, id)| id.get()).collect();
            format!("discard {ids:?}")
        }
        other @ (Command::OpenEnumerators { .. }
        | Command::Deploy { .. }
        | Command::Cancel { .. }
        | Command::Disconnect { .. }
        | Command::Release { .. }
        | Command::PublishEnd(_)
        | Command::JobEnded(_)
        | Command::StandDown { .. }) => panic!("no matter of the coordinator: {other:?}"),
    };
    commands.iter().map(say).collect()
}

struct Rig {
    coordinator: CheckpointCoordinator,
    now: Moment,
    out: Vec<Command>,
    failed: Option<Failure>,
}

impl Rig {
    /// All subtasks run since instant 0.
    fn running(settings: CheckpointSettings) -> Self {
        let coordinator = CheckpointCoordinator::new(settings, 0xf1, MaxParallelism::default());
        let mut rig = Self {
            coordinator,
            now: at(0),
            out: Vec::new(),
            failed: None,
        };
        rig.coordinator.lead(None, Vec::new(), c(1));
        rig.coordinator.begin(plan(FIRST), &mut rig.out);
        rig.coordinator.on_running(at(0));
        rig
    }

    /// Goes to an instant, and answers every trigger.
    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = at(seconds);
        self.step()
    }

    fn step(&mut self) -> &mut Self {
        let from = self.out.len();
        let failed = self.coordinator.advance(self.now, &mut self.out);
        self.failed = self.failed.take().or(failed);
        for command in &self.out[from..] {
            if let Command::TriggerCheckpoint { checkpoint, .. } = command {
                let created = ProcessingTime::from_millis(7);
                let enumerators = vec![(VertexId::new(0), vec![1])];
                self.coordinator
                    .triggered(*checkpoint, enumerators, created);
            }
        }
        self
    }

    fn ack_of(&mut self, attempt: AttemptNumber, id: u64, index: u32) -> AckOutcome {
        let state = state(index, false);
        let outcome = self
            .coordinator
            .acknowledge(subtask(index), attempt, c(id), state);
        self.step();
        outcome
    }

    fn ack(&mut self, id: u64, index: u32) -> AckOutcome {
        self.ack_of(FIRST, id, index)
    }

    fn acks(&mut self, id: u64) -> &mut Self {
        for index in 0..2 {
            assert_eq!(self.ack(id, index), AckOutcome::Recorded);
        }
        self
    }

    fn published(&mut self, id: u64) -> &mut Self {
        self.coordinator
            .published(named(id, FIRST), self.now, &mut self.out);
        self.step()
    }

    fn publish_failed(&mut self, id: u64) -> &mut Self {
        let (now, out) = (self.now, &mut self.out);
        self.coordinator.publish_failed(c(id), failure(), now, out);
        self.step()
    }

    fn decline(&mut self, id: u64) -> AckOutcome {
        let answer = (subtask(1), FIRST, c(id));
        let (now, out) = (self.now, &mut self.out);
        let outcome = self.coordinator.decline(answer, failure(), now, out);
        self.step();
        outcome
    }

    fn overtaken(&mut self, id: u64) -> AckOutcome {
        let answer = (subtask(1), FIRST, c(id));
        let failure = Failure::new(FailureKind::Superseded, "a later barrier came first");
        let (now, out) = (self.now, &mut self.out);
        let outcome = self.coordinator.decline(answer, failure, now, out);
        self.step();
        outcome
    }

    /// What went out since the last look.
    fn said(&mut self) -> Vec<String> {
        said(&std::mem::take(&mut self.out))
    }
}

#[test]
fn checkpoints_that_later_ones_overtake_are_no_failures() {
    let mut rig = Rig::running(CheckpointSettings {
        max_concurrent: 2,
        failures: FailurePolicy {
            tolerated: 0,
            backoff: Backoff::NONE,
        },
        ..settings()
    });
    assert_eq!(rig.at(10).at(20).said(), ["trigger c1", "trigger c2"]);
    assert_eq!(rig.overtaken(1), AckOutcome::Recorded);
    assert_eq!(rig.overtaken(1), AckOutcome::Late);
    assert_eq!(rig.said(), ["c1 is overtaken"]);
    assert_eq!(rig.failed, None);
    rig.acks(2);
    assert_eq!(rig.said(), ["publish c2 beside []"]);
    assert_eq!(rig.decline(2), AckOutcome::Late);
}

#[test]
fn a_checkpoint_goes_from_trigger_to_notice() {
    let mut rig = Rig::running(settings());
    assert_eq!(rig.at(9).said(), [""; 0]);
    assert_eq!(rig.at(10).said(), ["trigger c1"]);
    assert_eq!(rig.ack(1, 0), AckOutcome::Recorded);
    assert_eq!(rig.said(), [""; 0]);
    assert_eq!(rig.ack(1, 1), AckOutcome::Recorded);
    let Some(Command::PublishCheckpoint { metadata, .. }) = rig.out.first() else {
        panic!("{:?}", rig.out);
    };
    assert_eq!(metadata.subtasks, [state(0, false), state(1, false)]);
    assert_eq!(metadata.enumerators, [(VertexId::new(0), vec![1])]);
    assert_eq!((metadata.attempt, metadata.fingerprint), (FIRST, 0xf1));
    assert_eq!(metadata.created, ProcessingTime::from_millis(7));
    assert!(!metadata.ended);
    assert_eq!(rig.said(), ["publish c1 beside []"]);
    assert_eq!(rig.coordinator.latest(), None, "nothing exists yet");
    assert_eq!(rig.published(1).said(), ["notify c1"]);
    assert_eq!(rig.coordinator.latest(), Some(&named(1, FIRST)));
}

#[test]
fn no_checkpoint_is_triggered_before_all_subtasks_run() {
    let mut rig = Rig::running(settings());
    rig.coordinator.end_attempt();
    rig.coordinator.begin(plan(FIRST.next()), &mut rig.out);
    rig.coordinator.request();
    assert_eq!(rig.at(1_000).said(), [""; 0]);
    rig.coordinator.on_running(at(1_000));
    assert_eq!(rig.at(1_000).said(), ["trigger c1"]);
}

/// M08: a repeated acknowledgement stands for the one that is missing.
#[test]
fn a_repeated_acknowledgement_of_one_subtask_counts_once() {
    let mut rig = Rig::running(settings());
    rig.at(10).said();
    assert_eq!(rig.ack(1, 0), AckOutcome::Recorded);
    assert_eq!(rig.ack(1, 0), AckOutcome::Duplicate);
    assert_eq!(rig.said(), [""; 0]);
}

/// M09: an acknowledgement that comes late completes a checkpoint that was given up.
#[test]
fn a_late_acknowledgement_does_not_complete_a_checkpoint_that_was_given_up() {
    let mut rig = Rig::running(settings());
    rig.at(10);
    rig.ack(1, 0);
    assert_eq!(rig.at(70).said(), ["trigger c1", "abort c1", "trigger c2"]);
    assert_eq!(rig.ack(1, 1), AckOutcome::Late);
    assert_eq!(rig.said(), [""; 0]);
}

/// M10: an acknowledgement of another attempt counts.
#[test]
fn an_acknowledgement_of_another_attempt_is_unknown() {
    let mut rig = Rig::running(settings());
    rig.at(10).said();
    rig.ack(1, 0);
    assert_eq!(rig.ack_of(FIRST.next(), 1, 1), AckOutcome::Unknown);
    let earlier = AttemptNumber::of_epoch(0, 1);
    assert_eq!(rig.ack_of(earlier, 1, 1), AckOutcome::Unknown);
    assert_eq!(rig.said(), [""; 0]);
    assert_eq!(rig.ack(2, 1), AckOutcome::Unknown, "not triggered yet");
    assert_eq!(rig.ack(1, 2), AckOutcome::Unknown, "takes no part");
    let other = state(0, false);
    let outcome = rig.coordinator.acknowledge(subtask(1), FIRST, c(1), other);
    assert_eq!(outcome, AckOutcome::Unknown, "the state of another subtask");
}

/// M04: a newer checkpoint is published and the older one stays pending.
#[test]
fn a_published_checkpoint_aborts_the_older_pending_ones() {
    let mut rig = Rig::running(CheckpointSettings {
        max_concurrent: 3,
        ..settings()
    });
    rig.at(10).at(20).at(30).said();
    rig.ack(1, 0);
    rig.acks(2);
    assert_eq!(rig.said(), ["publish c2 beside []"]);
    assert_eq!(rig.published(2).said(), ["notify c2", "c1 is overtaken"]);
    assert_eq!(rig.ack(1, 1), AckOutcome::Late);
    assert_eq!(rig.acks(3).said(), ["publish c3 beside []"]);
}

/// M12: ids begin at 1 again under a new leader, and sinks skip what they think is committed.
#[test]
fn ids_go_on_under_a_new_leader_and_in_a_new_attempt() {
    let mut rig = Rig::running(settings());
    let latest = named(6, FIRST);
    rig.coordinator
        .lead(Some(latest.clone()), vec![latest], c(9));
    assert_eq!(rig.at(10).said(), ["trigger c9"]);
    rig.coordinator.end_attempt();
    rig.coordinator.begin(plan(FIRST.next()), &mut rig.out);
    rig.coordinator.on_running(at(10));
    assert_eq!(rig.at(20).said(), ["discard [9]", "trigger c10"]);
    rig.coordinator
        .lead(Some(named(20, FIRST)), Vec::new(), c(1));
    assert_eq!(
        rig.coordinator.next,
        c(21),
        "even if the caller counts wrong"
    );
}

/// M13: a restore takes the newest checkpoint that was started.
#[test]
fn the_latest_checkpoint_is_the_newest_published_one() {
    let mut rig = Rig::running(settings());
    rig.at(10).acks(1).published(1).at(20).acks(2);
    assert!(rig.coordinator.is_publishing());
    assert_eq!(rig.coordinator.latest().map(|latest| latest.id), Some(c(1)));
    rig.publish_failed(2);
    assert_eq!(rig.coordinator.latest().map(|latest| latest.id), Some(c(1)));
    let unordered = vec![named(3, FIRST), named(2, FIRST)];
    rig.coordinator.lead(Some(named(3, FIRST)), unordered, c(4));
    assert_eq!(rig.coordinator.latest().map(|latest| latest.id), Some(c(3)));
}

#[test]
fn publishes_are_asked_for_one_at_a_time_by_rising_id() {
    let mut rig = Rig::running(CheckpointSettings {
        max_concurrent: 3,
        ..settings()
    });
    rig.at(10).at(20).at(30).said();
    rig.acks(2);
    rig.acks(3);
    rig.acks(1);
    assert_eq!(rig.said(), ["publish c2 beside []"], "the rest waits");
    assert_eq!(
        rig.published(2).said(),
        ["notify c2", "c1 is overtaken", "publish c3 beside []"]
    );
}

#[test]
fn an_older_checkpoint_is_not_published_behind_a_newer_one_that_failed() {
    let mut rig = Rig::running(CheckpointSettings {
        max_concurrent: 2,
        ..settings()
    });
    rig.at(10).at(20).said();
    rig.acks(2);
    rig.acks(1);
    assert_eq!(
        rig.publish_failed(2).said(),
        ["publish c2 beside []", "c1 is overtaken", "abort c2"]
    );
    assert_eq!(rig.coordinator.failures, 1, "to be overtaken is no failure");
}

#[test]
fn what_the_retained_set_does_not_hold_is_discarded_after_the_publish_only() {
    let mut rig = Rig::running(CheckpointSettings {
        retained: 2,
        ..settings()
    });
    rig.at(10).acks(1).published(1).at(20).acks(2).published(2);
    rig.at(30).said();
    rig.acks(3);
    assert_eq!(rig.said(), ["publish c3 beside [2]"]);
    assert_eq!(rig.published(3).said(), ["notify c3", "discard [1]"]);
}

#[test]
fn a_failed_publish_discards_nothing_that_is_kept_and_notifies_nobody() {
    let mut rig = Rig::running(settings());
    rig.at(10).acks(1).published(1).at(20).acks(2);
    rig.said();
    assert_eq!(rig.publish_failed(2).said(), ["abort c2"]);
    assert_eq!(rig.publish_failed(2).said(), [""; 0], "said twice");
    assert_eq!(rig.published(2).said(), [""; 0], "nobody asked any more");
}

#[test]
fn what_is_being_published_does_not_expire_and_keeps_others_from_being_triggered() {
    let mut rig = Rig::running(settings());
    rig.at(10).acks(1);
    rig.said();
    assert_eq!(rig.at(10_000).said(), [""; 0]);
    assert_eq!(rig.published(1).said(), ["notify c1", "trigger c2"]);
}

#[test]
fn a_publish_of_an_attempt_that_ended_meanwhile_counts_and_notifies_nobody() {
    let mut rig = Rig::running(settings());
    rig.at(10).acks(1);
    rig.coordinator.end_attempt();
    rig.said();
    assert_eq!(rig.published(1).said(), [""; 0]);
    assert_eq!(rig.coordinator.latest(), Some(&named(1, FIRST)));
}

#[test]
fn at_most_so_many_are_under_way_at_once() {
    let mut rig = Rig::running(CheckpointSettings {
        max_concurrent: 2,
        ..settings()
    });
    assert_eq!(
        rig.at(10).at(20).at(30).said(),
        ["trigger c1", "trigger c2"]
    );
    rig.acks(2);
    assert_eq!(rig.said(), ["publish c2 beside []"], "publishing counts");
    assert_eq!(
        rig.published(2).said(),
        ["notify c2", "c1 is overtaken", "trigger c3"]
    );
}

/// FLINK-5216: the pause is counted from the start of a slow checkpoint.
#[test]
fn the_pause_begins_when_a_checkpoint_ends() {
    let mut rig = Rig::running(CheckpointSettings {
        min_pause: SECOND * 7,
        ..settings()
    });
    rig.at(10).acks(1).at(50).published(1).said();
    assert_eq!(rig.at(56).said(), [""; 0]);
    assert_eq!(rig.coordinator.deadline(), Some(at(57)));
    assert_eq!(rig.at(57).said(), ["trigger c2"]);
}

#[test]
fn a_request_by_hand_waits_for_no_interval_and_no_pause() {
    let mut rig = Rig::running(CheckpointSettings {
        min_pause: SECOND * 100,
        ..settings()
    });
    rig.coordinator.request();
    assert_eq!(rig.at(1).said(), ["trigger c1"]);
    rig.coordinator.request();
    assert_eq!(rig.at(2).said(), [""; 0], "one at a time");
    rig.acks(1);
    assert_eq!(
        rig.published(1).said(),
        ["publish c1 beside []", "notify c1", "trigger c2"]
    );
}

#[test]
fn a_request_by_hand_outlives_its_attempt() {
    let mut rig = Rig::running(CheckpointSettings::every(SECOND * 1_000));
    rig.coordinator.request();
    rig.at(1).said();
    rig.coordinator.end_attempt();
    rig.coordinator.begin(plan(FIRST.next()), &mut rig.out);
    rig.coordinator.on_running(at(2));
    assert_eq!(rig.at(2).said(), ["discard [1]", "trigger c2"]);
}

#[test]
fn what_made_a_failed_checkpoint_due_makes_the_next_one_due() {
    for policy in [
        Arc::new(EveryRecords::new(5)) as Arc<dyn crate::TriggerPolicy>,
        Arc::new(OnMarker),
    ] {
        let mut rig = Rig::running(CheckpointSettings {
            policy,
            ..settings()
        });
        rig.read(0, 3, 0);
        assert_eq!(rig.at(1).said(), [""; 0]);
        rig.read(0, 5, 1);
        assert_eq!(rig.at(2).said(), ["trigger c1"]);
        assert_eq!(rig.decline(1), AckOutcome::Recorded);
        assert_eq!(rig.said(), ["abort c1", "trigger c2"]);
    }
}
