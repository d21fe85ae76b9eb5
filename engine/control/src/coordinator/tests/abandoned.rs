//! What becomes of the snapshots of checkpoints that are never published.

use super::*;

fn tolerant() -> Rig {
    Rig::running(CheckpointSettings {
        failures: FailurePolicy {
            tolerated: 100,
            backoff: Backoff::NONE,
        },
        ..settings()
    })
}

#[test]
fn a_failed_checkpoint_is_discarded_when_the_next_one_has_ended_however_it_ends() {
    let mut rig = tolerant();
    rig.at(10);
    rig.decline(1);
    rig.at(20).said();
    rig.decline(2);
    assert_eq!(rig.said(), ["abort c2", "discard [1]"]);
    rig.at(30).acks(3).published(3);
    assert_eq!(
        rig.said(),
        [
            "trigger c3",
            "publish c3 beside []",
            "notify c3",
            "discard [2]"
        ]
    );
    rig.at(40).acks(4).published(4);
    assert_eq!(
        rig.said(),
        [
            "trigger c4",
            "publish c4 beside []",
            "notify c4",
            "discard [3]"
        ],
        "once, and with it what is not kept any more"
    );
}

#[test]
fn a_checkpoint_whose_publish_has_failed_stays_until_a_later_one_is_published() {
    let mut rig = tolerant();
    rig.at(10).acks(1).said();
    assert_eq!(rig.publish_failed(1).said(), ["abort c1"]);
    rig.coordinator.end_attempt();
    rig.coordinator.begin(plan(FIRST.next()), &mut rig.out);
    assert_eq!(rig.out, [], "the log may name it all the same");
    assert_eq!(rig.coordinator.refused, [(FIRST, c(1))]);
}

#[test]
fn the_next_published_checkpoint_discards_one_whose_publish_had_failed() {
    let mut rig = tolerant();
    rig.at(10).acks(1).publish_failed(1);
    rig.at(20).acks(2).said();
    assert_eq!(rig.published(2).said(), ["notify c2", "discard [1]"]);
}

#[test]
fn a_checkpoint_whose_publish_fails_after_its_attempt_is_reported_too() {
    let mut rig = tolerant();
    rig.at(10).acks(1).said();
    rig.coordinator.end_attempt();
    assert_eq!(rig.publish_failed(1).said(), ["abort c1"]);
}

#[test]
fn what_was_pending_when_an_attempt_ended_is_discarded_when_nothing_of_it_runs_any_more() {
    let mut rig = tolerant();
    rig.at(10);
    rig.ack(1, 0);
    rig.coordinator.end_attempt();
    assert_eq!(rig.at(20).said(), ["trigger c1"]);
    rig.coordinator.begin(plan(FIRST.next()), &mut rig.out);
    assert_eq!(
        rig.out,
        [Command::Discard {
            checkpoints: vec![(FIRST, c(1))]
        }]
    );
}

#[test]
fn what_is_being_published_when_an_attempt_ends_is_not_discarded() {
    let mut rig = tolerant();
    rig.at(10).acks(1).said();
    rig.coordinator.end_attempt();
    rig.coordinator.discard_abandoned(&mut rig.out);
    assert_eq!(rig.said(), [""; 0]);
}
