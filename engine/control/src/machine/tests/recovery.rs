//! Restarts, leadership and the end of jobs with checkpoints.

use sameriver_model::checkpoint::CheckpointRef;
use sameriver_model::{CheckpointId, FileHandle, ProcessingTime, SubtaskState};

use super::*;
use crate::restart::RestartStrategy;
use crate::settings::CheckpointSettings;

const SECOND_TRY: AttemptNumber = AttemptNumber::of_epoch(3, 2);
const TAKEN: AttemptNumber = AttemptNumber::of_epoch(3, 1);

fn named(id: u64) -> CheckpointRef {
    CheckpointRef {
        id: CheckpointId::new(id),
        attempt: TAKEN,
        metadata: FileHandle {
            path: format!("meta/{id}"),
            length: 1,
            crc: 0,
        },
    }
}

/// A leader in epoch 3 with two restarts of 5 s and checkpoints each 10 s.
struct Rig {
    machine: JobMachine,
    now: Moment,
    out: Vec<Command>,
}

impl Rig {
    fn new() -> Self {
        let settings = JobSettings {
            restart: RestartStrategy::FixedDelay {
                attempts: 2,
                delay: SECOND * 5,
            },
            checkpoints: Some(CheckpointSettings::every(SECOND * 10)),
            ..settings(2)
        };
        let machine = JobMachine::new(machine().plan, settings);
        Self {
            machine,
            now: at(0),
            out: Vec::new(),
        }
    }

    fn leading() -> Self {
        let mut rig = Self::new();
        rig.feed([Fact::Started, led(None)]);
        rig
    }

    fn running() -> Self {
        let mut rig = Self::leading();
        rig.feed([registered(0), registered(1)]);
        rig.run(TAKEN);
        rig
    }

    fn feed(&mut self, facts: impl IntoIterator<Item = Fact>) -> &mut Self {
        for fact in facts {
            self.machine.on(fact, self.now, &mut self.out);
        }
        self
    }

    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = at(seconds);
        self.feed([Fact::DeadlinePassed])
    }

    /// All subtasks of an attempt run.
    fn run(&mut self, attempt: AttemptNumber) -> &mut Self {
        self.feed([Fact::EnumeratorsRead { attempt }]);
        self.feed(subtasks().map(|subtask| Fact::SubtaskRunning { subtask, attempt }))
    }

    fn stopped(&mut self, attempt: AttemptNumber) -> &mut Self {
        self.feed(subtasks().map(|subtask| Fact::SubtaskCancelled { subtask, attempt }))
    }

    fn fail(&mut self, attempt: AttemptNumber) -> &mut Self {
        self.feed([Fact::SubtaskFailed {
            subtask: subtask(0, 0),
            attempt,
            failure: Failure::new(FailureKind::User, "bad record"),
        }])
    }

    /// Triggers have gone out and all subtasks acknowledge.
    fn acknowledge(&mut self, id: u64, attempt: AttemptNumber, is_ended: bool) -> &mut Self {
        let checkpoint = CheckpointId::new(id);
        self.feed([Fact::CheckpointTriggered {
            checkpoint,
            enumerators: Vec::new(),
            created: ProcessingTime::from_millis(0),
        }]);
        self.feed(subtasks().map(|subtask| Fact::SnapshotAcknowledged {
            subtask,
            attempt,
            checkpoint,
            state: SubtaskState {
                subtask,
                files: Vec::new(),
                is_ended,
            },
        }))
    }

    fn published(&mut self, id: u64) -> &mut Self {
        let checkpoint = named(id);
        self.feed([Fact::CheckpointPublished { checkpoint }])
    }

    fn taken(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.out)
    }

    /// The checkpoint that the enumerators of an attempt were asked to begin from.
    fn restored(&mut self) -> Vec<(AttemptNumber, Option<u64>)> {
        let commands = self.taken();
        let opened = commands.iter().filter_map(|command| {
            if let Command::OpenEnumerators { attempt, restore } = command {
                Some((*attempt, restore.as_ref().map(|from| from.id.get())))
            } else {
                None
            }
        });
        opened.collect()
    }
}

fn led(over: Option<JobEnd>) -> Fact {
    Fact::LeadershipTaken {
        epoch: 3,
        latest: None,
        retained: Vec::new(),
        next_checkpoint: CheckpointId::new(1),
        over,
    }
}

fn came_back(index: u32, life: u64) -> Fact {
    Fact::TaskManagerRegistered {
        task_manager: tm(index),
        incarnation: Incarnation::new(life),
        slots: 2,
        data_address: format!("node{index}:{life}"),
    }
}

#[test]
fn a_failed_attempt_is_cancelled_awaited_delayed_and_followed_by_the_next() {
    let mut rig = Rig::running();
    rig.taken();
    assert_eq!(rig.fail(TAKEN).machine.status(), S::Restarting);
    let cancels = [0, 1].map(|index| Command::Cancel {
        task_manager: tm(index),
        attempt: TAKEN,
    });
    assert_eq!(rig.taken(), cancels);
    rig.now = at(2);
    assert_eq!(rig.stopped(TAKEN).taken(), []);
    assert_eq!(rig.machine.deadline(), Some(at(7)));
    assert_eq!(rig.at(6).taken(), []);
    assert_eq!(rig.at(7).restored(), [(SECOND_TRY, None)]);
    assert_eq!(rig.machine.status(), S::Restarting);
    rig.run(SECOND_TRY);
    assert_eq!(rig.machine.status(), S::Running);
    assert_eq!(rig.machine.attempt(), SECOND_TRY);
}

#[test]
fn an_attempt_starts_from_the_latest_published_checkpoint() {
    let mut rig = Rig::running();
    rig.at(10).acknowledge(1, TAKEN, false).published(1);
    rig.at(20).acknowledge(2, TAKEN, false);
    rig.fail(TAKEN).stopped(TAKEN).taken();
    // The record of c2 may be in the log: nothing begins before that is known.
    assert_eq!(rig.at(60).restored(), []);
    assert_eq!(rig.machine.deadline(), Some(at(65)));
    assert_eq!(rig.published(2).restored(), [(SECOND_TRY, Some(2))]);
    let deploys = rig.run(SECOND_TRY).taken();
    let from = |command: &Command| {
        let Command::Deploy { restore, .. } = command else {
            return false;
        };
        restore.as_ref().map(|from| from.id.get()) == Some(2)
    };
    assert_eq!(deploys.iter().filter(|command| from(command)).count(), 2);
}

/// M13: a checkpoint that was only started is taken for the latest.
#[test]
fn a_checkpoint_that_was_not_published_is_never_restored() {
    let mut rig = Rig::running();
    rig.at(10).acknowledge(1, TAKEN, false).published(1).at(20);
    rig.fail(TAKEN).stopped(TAKEN).taken();
    assert_eq!(rig.at(100).restored(), [(SECOND_TRY, Some(1))]);
}

#[test]
fn failures_of_a_failing_attempt_use_up_one_restart_only() {
    let mut rig = Rig::running();
    rig.fail(TAKEN);
    let more = subtasks().map(|subtask| Fact::SubtaskFailed {
        subtask,
        attempt: TAKEN,
        failure: Failure::new(FailureKind::Cluster, "peer is gone"),
    });
    rig.feed(more).at(5).run(SECOND_TRY);
    assert_eq!(rig.machine.status(), S::Running);
    rig.fail(SECOND_TRY).stopped(SECOND_TRY).at(10);
    let third = SECOND_TRY.next();
    assert_eq!(rig.run(third).machine.status(), S::Running);
    rig.fail(third).stopped(third).taken();
    assert_eq!(rig.machine.status(), S::Failing, "no restart is left");
}

#[test]
fn no_restart_tries_to_mend_an_output_that_another_job_has_taken() {
    let mut rig = Rig::running();
    rig.feed([Fact::SubtaskFailed {
        subtask: subtask(0, 0),
        attempt: TAKEN,
        failure: Failure::new(FailureKind::OutputTaken, "it holds part-0.txt"),
    }]);
    assert_eq!(rig.stopped(TAKEN).machine.status(), S::Failing);
}

#[test]
fn what_no_restart_can_mend_ends_the_job() {
    let hopeless = || Fact::FailedForGood {
        failure: Failure::new(FailureKind::BadData, "c7 cannot be read"),
    };
    let limit = Fact::SubtaskFailed {
        subtask: subtask(0, 0),
        attempt: TAKEN,
        failure: Failure::new(FailureKind::Limit, "no memory for it"),
    };
    let mut deploying = Rig::leading();
    let read = Fact::EnumeratorsRead { attempt: TAKEN };
    deploying.feed([registered(0), registered(1), read, limit.clone()]);
    let mut running = Rig::running();
    let mut restarting = Rig::running();
    restarting.fail(TAKEN);
    for rig in [
        &mut deploying,
        running.feed([hopeless()]),
        restarting.feed([hopeless()]),
    ] {
        assert_eq!(rig.stopped(TAKEN).machine.status(), S::Failing);
        assert!(matches!(
            rig.taken().last(),
            Some(Command::PublishEnd(JobEnd::Failed(_)))
        ));
    }
    let mut late = Rig::running();
    late.feed([limit]);
    assert_eq!(
        late.machine.status(),
        S::Restarting,
        "it ran before: it may again"
    );
}

/// M46: the slots of a silent worker are used again while its subtasks still run.
#[test]
fn a_task_manager_that_does_not_stop_is_struck_off_until_it_registers_anew() {
    let mut rig = Rig::running();
    rig.fail(TAKEN);
    let rest = [subtask(0, 0), subtask(1, 0)].map(|subtask| Fact::SubtaskCancelled {
        subtask,
        attempt: TAKEN,
    });
    rig.feed(rest).taken();
    assert_eq!(rig.at(29).taken(), []);
    let disconnect = Command::Disconnect {
        task_manager: tm(1),
        incarnation: Incarnation::new(1),
    };
    assert_eq!(rig.at(30).taken(), [disconnect]);
    rig.at(35).feed([Fact::EnumeratorsRead {
        attempt: SECOND_TRY,
    }]);
    rig.taken();
    assert_eq!(rig.machine.status(), S::Restarting, "one slot is too few");
    let stale = Err(AdmissionError::Duplicate {
        task_manager: tm(1),
    });
    assert_eq!(rig.machine.admits(tm(1), Incarnation::new(1)), stale);
    rig.feed([came_back(1, 2)]);
    let deploys = rig.taken();
    assert_eq!((deploys.len(), is_deploy_on(&deploys[1], 1)), (2, true));
}

#[test]
fn a_lost_task_manager_is_waited_for_and_done_without_when_slots_are_enough() {
    let mut rig = Rig::leading();
    rig.feed([came_back(0, 1), came_back(1, 1)]).run(TAKEN);
    rig.feed([lost(1)]).stopped(TAKEN).at(5);
    rig.feed([Fact::EnumeratorsRead {
        attempt: SECOND_TRY,
    }]);
    rig.taken();
    assert_eq!(rig.machine.deadline(), Some(at(10)), "the grace time");
    let commands = rig.at(10).taken();
    assert_eq!((commands.len(), is_deploy_on(&commands[0], 0)), (1, true));
    // The lost one comes back and is there for the attempt after.
    rig.run(SECOND_TRY).feed([came_back(1, 2)]);
    assert_eq!(rig.machine.status(), S::Running);
    rig.fail(SECOND_TRY).stopped(SECOND_TRY).at(15);
    rig.taken();
    rig.feed([Fact::EnumeratorsRead {
        attempt: SECOND_TRY.next(),
    }]);
    assert_eq!(rig.taken().len(), 2);
}

#[test]
fn a_task_manager_that_starts_anew_unseen_loses_what_it_ran() {
    let mut rig = Rig::running();
    rig.taken();
    rig.feed([came_back(1, 2)]);
    assert_eq!(rig.machine.status(), S::Restarting);
    assert!(
        matches!(rig.taken()[0], Command::Disconnect { incarnation, .. }
        if incarnation == Incarnation::new(1))
    );
    rig.feed([lost(1)]);
    let addresses: Vec<_> = rig.machine.data_addresses().map(|(_, at)| at).collect();
    assert_eq!(
        addresses,
        ["node0:1", "node1:2"],
        "the old life's loss is stale"
    );
}

#[test]
fn a_restart_that_finds_no_task_managers_fails_by_name() {
    let mut rig = Rig::running();
    rig.feed([lost(1)])
        .stopped(TAKEN)
        .at(5)
        .at(15)
        .at(20)
        .at(30);
    assert_eq!(rig.machine.status(), S::Failing);
    let message = "task managers tm1 of 2 have not registered within 10s: start them, or raise \
                   registration_timeout";
    let end = JobEnd::Failed(Failure::new(FailureKind::Cluster, message));
    assert_eq!(rig.taken().last(), Some(&Command::PublishEnd(end)));
}

#[test]
fn a_user_may_cancel_at_any_step_of_a_restart() {
    let mut stopping = Rig::running();
    stopping.fail(TAKEN).feed([Fact::CancelRequested]);
    assert_eq!(stopping.machine.status(), S::Cancelling);
    stopping.stopped(TAKEN);
    let mut delayed = Rig::running();
    delayed
        .fail(TAKEN)
        .stopped(TAKEN)
        .feed([Fact::CancelRequested]);
    let mut waiting = Rig::running();
    waiting
        .fail(TAKEN)
        .stopped(TAKEN)
        .at(5)
        .feed([Fact::CancelRequested]);
    for rig in [&mut stopping, &mut delayed, &mut waiting] {
        let last = rig.taken();
        assert_eq!(last.last(), Some(&Command::PublishEnd(JobEnd::Cancelled)));
        rig.feed([Fact::EndPublished]);
        assert_eq!(rig.machine.status(), S::Cancelled);
    }
}

#[test]
fn a_job_finishes_by_a_last_checkpoint_a_release_and_a_record() {
    let mut rig = Rig::running();
    rig.taken();
    let attempt = TAKEN;
    rig.feed(subtasks().map(|subtask| Fact::SubtaskEnded { subtask, attempt }));
    assert!(matches!(
        rig.taken()[..],
        [Command::TriggerCheckpoint { .. }]
    ));
    rig.acknowledge(1, TAKEN, true).taken();
    let commands = rig.published(1).taken();
    assert!(matches!(commands[0], Command::NotifyComplete { .. }));
    let task_managers = vec![tm(0), tm(1)];
    let release = Command::Release {
        attempt,
        task_managers,
    };
    assert_eq!(commands[1..], [release]);
    rig.feed(subtasks().map(|subtask| Fact::SubtaskFinished { subtask, attempt }));
    assert_eq!(rig.taken(), [Command::PublishEnd(JobEnd::Finished)]);
    assert_eq!(rig.machine.status(), S::Finishing);
    rig.feed([Fact::EndPublished]);
    assert_eq!(rig.taken(), [Command::JobEnded(JobEnd::Finished)]);
}

#[test]
fn subtasks_without_checkpoints_are_released_when_all_have_ended() {
    let mut machine = all_running();
    let attempt = FIRST;
    let ended = |subtask| Fact::SubtaskEnded { subtask, attempt };
    assert_eq!(
        feed(&mut machine, subtasks()[..3].iter().copied().map(ended)),
        []
    );
    let commands = feed(&mut machine, [ended(subtask(1, 1)), running(subtask(1, 1))]);
    assert!(
        matches!(commands[..], [Command::Release { .. }]),
        "{commands:?}"
    );
}

#[test]
fn a_subtask_that_finishes_unreleased_fails_an_attempt_with_checkpoints() {
    let mut rig = Rig::running();
    rig.feed([Fact::SubtaskFinished {
        subtask: subtask(0, 0),
        attempt: TAKEN,
    }]);
    assert_eq!(rig.machine.status(), S::Restarting);
}

#[test]
fn an_end_that_the_log_does_not_take_is_tried_again_and_given_up_with_the_reason() {
    let mut rig = Rig::leading();
    rig.feed([Fact::CancelRequested]).taken();
    let refused = || Fact::EndPublishFailed {
        failure: Failure::new(FailureKind::OutputUnwritable, "the store is full"),
    };
    rig.feed([refused(), refused()]);
    assert_eq!(rig.at(1).taken(), [Command::PublishEnd(JobEnd::Cancelled)]);
    rig.feed([refused()]).at(40);
    let commands = rig.taken();
    assert_eq!(
        message_of(&commands),
        "the job is cancelled, but its log does not say so after 40s (the store is full): mend \
         the checkpoint store and start the job again"
    );
}

#[test]
fn a_job_that_is_over_by_its_log_ends_at_once_in_the_same_way() {
    for end in [JobEnd::Finished, JobEnd::Cancelled] {
        let mut rig = Rig::new();
        rig.feed([Fact::Started, led(Some(end.clone()))]);
        assert_eq!(rig.taken(), [Command::JobEnded(end)]);
        assert_eq!(rig.feed([registered(0), registered(1)]).taken(), []);
    }
}

#[test]
fn a_job_with_a_log_does_nothing_before_it_leads() {
    let mut rig = Rig::new();
    assert_eq!(
        rig.feed([Fact::Started, registered(0)]).at(1_000).taken(),
        []
    );
    assert_eq!(rig.machine.status(), S::Created);
    assert_eq!(rig.feed([led(None)]).restored(), [(TAKEN, None)]);
}

/// FLINK-25486: an old master that lost leadership cleans up behind the new one.
#[test]
fn a_deposed_master_stands_down_and_asks_for_nothing_any_more() {
    let mut rig = Rig::running();
    rig.at(10).acknowledge(1, TAKEN, false);
    rig.taken();
    rig.feed([Fact::Deposed { by_epoch: 4 }]);
    let by_epoch = Some(4);
    assert_eq!(rig.taken(), [Command::StandDown { by_epoch }]);
    assert_eq!(rig.machine.status(), S::Deposed);
    assert_eq!(rig.machine.deadline(), None);
    rig.published(1)
        .fail(TAKEN)
        .at(1_000)
        .feed([Fact::CancelRequested]);
    assert_eq!(rig.taken(), []);
}

#[test]
fn too_many_failed_checkpoints_restart_the_job() {
    let mut rig = Rig::running();
    rig.at(10).feed([Fact::SnapshotDeclined {
        subtask: subtask(0, 0),
        attempt: TAKEN,
        checkpoint: CheckpointId::new(1),
        failure: Failure::new(FailureKind::OutputUnwritable, "the store is full"),
    }]);
    assert_eq!(rig.machine.status(), S::Restarting);
}

#[test]
fn a_restart_that_waits_in_vain_for_the_last_publish_stands_down_so_that_the_log_is_read_anew() {
    let mut rig = Rig::running();
    rig.at(10).acknowledge(1, TAKEN, false);
    rig.fail(TAKEN).stopped(TAKEN).taken();
    // The delay of the restart, then as long as the end of the job may take to be written.
    assert_eq!(rig.machine.deadline(), Some(at(15)));
    assert_eq!(rig.at(15).taken(), []);
    assert_eq!(rig.machine.deadline(), Some(at(55)));
    assert_eq!(rig.at(54).taken(), []);
    let by_epoch = None;
    assert_eq!(rig.at(55).taken(), [Command::StandDown { by_epoch }]);
    assert_eq!(rig.machine.status(), S::Deposed);
}

#[test]
fn metadata_that_does_not_come_is_named_and_the_sources_are_not_blamed() {
    let mut rig = Rig::new();
    let restored = Fact::LeadershipTaken {
        epoch: 3,
        latest: Some(named(4)),
        retained: vec![named(4)],
        next_checkpoint: CheckpointId::new(5),
        over: None,
    };
    let taken = restored.clone();
    rig.feed([Fact::Started, taken, registered(0), registered(1)]);
    // Twice the attempt waits in vain, 5 s apart.
    for seconds in [10, 15, 25] {
        rig.at(seconds);
    }
    rig.at(30).feed([Fact::MetadataRead {
        attempt: AttemptNumber::of_epoch(3, 3),
    }]);
    let failed = |commands: &[Command]| match commands.last() {
        Some(Command::PublishEnd(JobEnd::Failed(failure))) => failure.message.clone(),
        other => panic!("the last command is {other:?}"),
    };
    rig.at(40);
    assert_eq!(
        failed(&rig.taken()),
        "the sources have not found their splits within 10s: look at what they read, or raise \
         registration_timeout"
    );
    let mut rig = Rig::new();
    rig.feed([Fact::Started, restored, registered(0), registered(1)]);
    for seconds in [10, 15, 25, 30, 40] {
        rig.at(seconds);
    }
    assert_eq!(
        failed(&rig.taken()),
        "the metadata of checkpoint c4 of a3.1 has not come within 10s: look whether the \
         checkpoint store answers, or raise registration_timeout"
    );
}

#[test]
fn what_a_job_is_stopped_for_can_be_told_with_its_subtask() {
    let mut rig = Rig::running();
    assert_eq!(rig.machine.cause(), None);
    rig.fail(TAKEN);
    assert_eq!(rig.machine.status(), S::Restarting);
    assert_eq!(
        rig.machine.cause().map(ToString::to_string),
        Some("subtask v0/0: bad record".to_owned())
    );
}
