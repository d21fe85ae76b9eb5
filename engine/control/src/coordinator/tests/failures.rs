//! Failures of checkpoints, and the last checkpoint of a job.

use super::*;

#[test]
fn failures_in_a_row_beyond_the_tolerated_fail_the_job_with_the_cause() {
    let mut rig = Rig::running(settings());
    rig.at(10);
    rig.decline(1);
    assert_eq!(rig.failed, None);
    rig.at(20).acks(2).published(2).at(30);
    rig.decline(3);
    assert_eq!(rig.failed, None, "a success begins the row anew");
    rig.at(40);
    rig.decline(4);
    let failed = rig.failed.take().unwrap();
    assert_eq!(failed.kind, FailureKind::OutputUnwritable);
    assert_eq!(
        failed.to_string(),
        "subtask v0/1: checkpoint c4 failed: the store is full; 2 in a row, tolerated 1"
    );
}

#[test]
fn every_kind_of_failure_counts_and_a_stale_one_does_not() {
    let mut rig = Rig::running(CheckpointSettings {
        failures: FailurePolicy {
            tolerated: 100,
            backoff: Backoff::NONE,
        },
        ..settings()
    });
    rig.at(10);
    for _ in 0..2 {
        let out = &mut rig.out;
        rig.coordinator.trigger_failed(c(1), failure(), at(10), out);
    }
    assert_eq!(rig.coordinator.failures, 1);
    rig.at(20);
    assert_eq!(rig.decline(2), AckOutcome::Recorded);
    assert_eq!(rig.decline(2), AckOutcome::Late);
    assert_eq!(rig.coordinator.failures, 2);
    rig.at(30).at(90);
    assert_eq!(rig.coordinator.failures, 3, "expired");
    rig.acks(4).publish_failed(4).publish_failed(4);
    assert_eq!(rig.coordinator.failures, 4);
    assert_eq!(rig.failed, None);
}

#[test]
fn an_expired_checkpoint_names_who_is_missing_and_the_setting() {
    let mut rig = Rig::running(CheckpointSettings::every(SECOND));
    rig.at(1);
    rig.ack(1, 0);
    rig.at(1_000);
    assert_eq!(
        rig.failed.unwrap().message,
        "checkpoint c1 failed: subtasks v0/1 have not acknowledged within 600s: look for \
         back-pressure or a slow store, or raise checkpoint_timeout; 1 in a row, tolerated 0"
    );
}

#[test]
fn the_wait_before_the_next_trigger_grows_with_failures_and_ends_with_a_success() {
    let mut rig = Rig::running(CheckpointSettings {
        failures: FailurePolicy {
            tolerated: 100,
            backoff: Backoff {
                initial: SECOND * 20,
                max: SECOND * 1_000,
                multiplier_percent: 200,
            },
        },
        ..settings()
    });
    let mut now = 10;
    for (id, wait) in [(1, 20), (2, 40), (3, 80)] {
        rig.at(now).said();
        rig.decline(id);
        rig.said();
        assert_eq!(rig.coordinator.deadline(), Some(at(now + wait)));
        assert_eq!(rig.at(now + wait - 1).said(), [""; 0]);
        now += wait;
    }
    rig.at(now).acks(4).published(4).said();
    assert_eq!(rig.coordinator.deadline(), Some(at(now + 10)));
}

#[test]
fn the_last_checkpoint_is_triggered_at_once_when_all_have_ended() {
    let mut rig = Rig::running(CheckpointSettings {
        min_pause: SECOND * 1_000,
        max_concurrent: 2,
        ..settings()
    });
    rig.at(10);
    rig.ack(1, 0);
    rig.said();
    rig.coordinator.on_ended();
    assert_eq!(rig.at(11).said(), ["c1 is overtaken", "trigger c2"]);
    assert_eq!(rig.at(12).said(), [""; 0], "one is enough");
    for index in 0..2 {
        let state = state(index, true);
        rig.coordinator
            .acknowledge(subtask(index), FIRST, c(2), state);
    }
    rig.step();
    assert!(matches!(
        rig.out.first(),
        Some(Command::PublishCheckpoint { metadata, .. }) if metadata.ended
    ));
    assert!(!rig.coordinator.is_done());
    rig.published(2);
    assert!(rig.coordinator.is_done());
    rig.said();
    rig.coordinator.request();
    assert_eq!(
        rig.at(1_000).said(),
        [""; 0],
        "nothing follows the last one"
    );
}

#[test]
fn a_last_checkpoint_that_fails_is_tried_again() {
    let mut rig = Rig::running(settings());
    rig.coordinator.on_ended();
    rig.at(1);
    rig.decline(1);
    assert_eq!(rig.said(), ["trigger c1", "abort c1", "trigger c2"]);
    assert!(!rig.coordinator.is_done());
}

#[test]
fn all_acknowledgements_without_the_enumerators_are_not_enough() {
    let mut rig = Rig::running(settings());
    let mut out = Vec::new();
    rig.coordinator.advance(at(10), &mut out);
    rig.acks(1);
    assert_eq!(rig.said(), [""; 0]);
    let created = ProcessingTime::from_millis(0);
    rig.coordinator.triggered(c(1), Vec::new(), created);
    assert_eq!(rig.step().said(), ["publish c1 beside []"]);
}

#[test]
fn each_checkpoint_that_fails_is_reported_once_with_its_cause_and_an_overtaken_one_is_not() {
    let mut rig = Rig::running(CheckpointSettings {
        max_concurrent: 2,
        failures: FailurePolicy {
            tolerated: 100,
            backoff: Backoff::NONE,
        },
        ..settings()
    });
    rig.at(10).at(20).acks(2).published(2);
    rig.at(30).acks(3).publish_failed(3);
    rig.at(40);
    let out = &mut rig.out;
    rig.coordinator.trigger_failed(c(4), failure(), at(40), out);
    rig.at(50).at(110);
    let mut reported = Vec::new();
    for command in &rig.out {
        if let Command::AbortCheckpoint {
            checkpoint, cause, ..
        } = command
        {
            let cause = match cause {
                AbortCause::Failed(failure) => failure.message.as_str(),
                AbortCause::Overtaken => "overtaken",
            };
            reported.push(format!("{checkpoint}: {cause}"));
        }
    }
    assert_eq!(
        reported,
        [
            "c1: overtaken",
            "c3: the store is full",
            "c4: the store is full",
            "c5: subtasks v0/0, v0/1 have not acknowledged within 60s: look for back-pressure or a \
             slow store, or raise checkpoint_timeout",
        ]
    );
}

#[test]
fn a_publish_that_nobody_answers_counts_as_failed_again_and_again_but_is_not_given_up() {
    let mut rig = Rig::running(settings());
    rig.at(10).acks(1);
    assert_eq!(rig.coordinator.deadline(), Some(at(70)));
    rig.at(69);
    assert_eq!(rig.coordinator.failures, 0);
    rig.at(70);
    assert_eq!(rig.coordinator.failures, 1);
    assert_eq!(rig.coordinator.deadline(), Some(at(130)));
    assert_eq!(rig.failed, None, "one failure is tolerated");
    rig.at(130);
    assert_eq!(
        rig.failed.take().unwrap().message,
        "checkpoint c1 failed: the store has not said within 60s whether it is published: look \
         whether the checkpoint store answers; 2 in a row, tolerated 1"
    );
    assert!(rig.coordinator.is_publishing());
    rig.coordinator.end_attempt();
    assert_eq!(rig.coordinator.deadline(), None, "nobody waits for it here");
    rig.said();
    assert_eq!(rig.published(1).said(), [""; 0]);
    assert_eq!(rig.coordinator.latest(), Some(&named(1, FIRST)));
}
