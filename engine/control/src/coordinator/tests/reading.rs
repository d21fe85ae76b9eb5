//! Checkpoints that are due by what sources have read.

use sameriver_model::ReadCounts;

use super::*;

impl Rig {
    /// The source tells what it has read since the barrier of checkpoint `after`, 0 for none.
    pub(super) fn read(&mut self, after: u64, records: u64, markers: u64) {
        let after = (after > 0).then(|| c(after));
        let counts = ReadCounts {
            records,
            bytes: 0,
            markers,
        };
        self.coordinator.read((subtask(0), FIRST), after, counts);
    }
}

fn every(records: u64) -> CheckpointSettings {
    CheckpointSettings {
        policy: Arc::new(EveryRecords::new(records)),
        ..settings()
    }
}

#[test]
fn what_is_told_again_or_too_late_counts_once() {
    let mut rig = Rig::running(every(10));
    rig.read(0, 6, 0);
    rig.read(0, 6, 0);
    assert_eq!(rig.at(1).said(), [""; 0]);
    rig.read(0, 10, 0);
    assert_eq!(rig.at(2).said(), ["trigger c1"]);
    rig.acks(1);
    rig.published(1).said();
    rig.read(1, 9, 0);
    rig.read(0, 500, 0);
    assert_eq!(rig.at(3).said(), [""; 0], "it was told before the barrier");
    rig.read(1, 10, 0);
    assert_eq!(rig.at(4).said(), ["trigger c2"]);
}

#[test]
fn what_was_read_before_the_last_subtask_ran_counts() {
    let checkpoints = CheckpointSettings {
        policy: Arc::new(OnMarker),
        ..settings()
    };
    let mut rig = Rig::running(checkpoints);
    rig.coordinator.end_attempt();
    rig.coordinator.begin(plan(FIRST), &mut rig.out);
    rig.read(0, 1, 1);
    assert_eq!(rig.at(1).said(), [""; 0], "not all subtasks run");
    rig.coordinator.on_running(at(2));
    assert_eq!(rig.at(2).said(), ["trigger c1"]);
}

#[test]
fn what_an_earlier_attempt_or_another_subtask_has_read_does_not_count() {
    let mut rig = Rig::running(every(1));
    let counts = ReadCounts {
        records: 1,
        ..ReadCounts::default()
    };
    rig.coordinator.read((subtask(1), FIRST), None, counts);
    rig.coordinator
        .read((subtask(0), FIRST.next()), None, counts);
    assert_eq!(rig.at(1).said(), [""; 0]);
    rig.coordinator.end_attempt();
    rig.read(0, 1, 0);
    rig.coordinator.begin(plan(FIRST.next()), &mut rig.out);
    rig.coordinator.on_running(at(2));
    assert_eq!(rig.at(2).said(), [""; 0]);
}

#[test]
fn a_source_that_never_saw_the_trigger_of_a_failed_checkpoint_is_heard_on() {
    let mut rig = Rig::running(every(10));
    rig.read(0, 4, 0);
    rig.coordinator.request();
    assert_eq!(rig.at(1).said(), ["trigger c1"]);
    assert_eq!(rig.decline(1), AckOutcome::Recorded);
    assert_eq!(rig.said(), ["abort c1", "trigger c2"], "asked for by hand");
    assert_eq!(rig.decline(2), AckOutcome::Recorded);
}

#[test]
fn sources_tell_their_share_of_what_the_policy_counts() {
    let reports = Rig::running(every(10)).coordinator.reports();
    let steps = reports.and_then(|reports| reports.records);
    assert_eq!(
        steps.map(|steps| (steps.step, steps.enough)),
        Some((10, 10))
    );
    let by_time = Rig::running(settings()).coordinator.reports();
    assert_eq!(by_time, None);
}
