//! The job log: one leader, no record lost, whatever the store answers.

mod contest;
mod flaky_blobs;

use std::time::Duration;

use sameriver_model::{CheckpointRef, RecordStatus};
use sameriver_runtime::BlobAbilities;
use sameriver_runtime_tokio::TokioWorld;

use super::*;
use crate::examples;
use crate::memory_blobs::MemoryBlobs;
use flaky_blobs::{Fault, FlakyBlobs, Script};

/// The fingerprint of the job's graph.
const GRAPH: u64 = 0xf1;

const PATIENCE: Patience = Patience {
    tries: 3,
    pause: Duration::ZERO,
    pause_max: Duration::ZERO,
    answer: Duration::from_hours(1),
};

struct Rig {
    tokio: TokioWorld,
    memory: MemoryBlobs,
}

impl Rig {
    fn new() -> Self {
        let tokio = TokioWorld::builder().build();
        Self {
            tokio: tokio.expect("the process may start threads"),
            memory: MemoryBlobs::new("memory:"),
        }
    }

    /// The log on a store that fails as told, and then never.
    fn log(&self, faults: &[Fault]) -> JobLog {
        let script = Script::of_creates(faults);
        let store = FlakyBlobs::new(self.memory.clone(), script);
        let log = JobLog::open(&self.tokio.world(), Arc::new(store), "job");
        log.expect("the store can keep a log")
            .with_patience(PATIENCE)
    }

    fn lead(&self, nonce: u64) -> Lead {
        match self
            .tokio
            .block_on(self.log(&[]).take_leadership(nonce, GRAPH))
        {
            Ok(Leadership::Leading(lead)) => lead,
            other => panic!("{other:?}"),
        }
    }

    fn append(&self, lead: &mut Lead, faults: &[Fault], id: u64) -> Result<Appended, LogError> {
        let (running, named) = (RecordStatus::Running, named(id));
        let log = self.log(faults);
        let appended = log.append(lead, running, Some(named.clone()), vec![named]);
        self.tokio.block_on(appended)
    }

    fn newest(&self) -> JobRecord {
        let newest = self.tokio.block_on(self.log(&[]).read());
        newest.expect("it is readable").expect("it is there")
    }
}

fn named(id: u64) -> CheckpointRef {
    CheckpointRef {
        id: sameriver_model::CheckpointId::new(id),
        ..examples::checkpoint_ref()
    }
}

#[test]
fn a_new_leader_goes_on_from_the_newest_record() {
    let rig = Rig::new();
    let mut first = rig.lead(1);
    let written = rig.append(&mut first, &[], 7);
    assert_eq!(written, Ok(Appended::Written { sequence: 2 }));
    let second = rig.lead(2);
    assert_eq!((second.epoch(), second.record().sequence), (2, 3));
    assert_eq!(second.record().latest, Some(named(7)));
}

#[test]
fn every_record_names_the_job_that_the_first_leader_began() {
    let rig = Rig::new();
    let mut first = rig.lead(0x1f3c_09ab_0000_0001);
    let job = first.record().job;
    assert_eq!(job.to_string(), "1f3c09ab");
    rig.append(&mut first, &[], 7).expect("memory takes it");
    let second = rig.lead(2);
    assert_eq!((second.record().job, rig.newest().job), (job, job));
}

#[test]
fn the_log_of_another_job_graph_is_refused_while_it_runs_and_when_it_is_over() {
    let rig = Rig::new();
    let mut lead = rig.lead(1);
    let log = rig.log(&[]);
    let says = "the log of job job in memory: is of another job graph (00000000000000f1, this \
                00000000000000f2): run the job that it is of, or give this one another folder for \
                checkpoints";
    for status in [RecordStatus::Running, RecordStatus::Finished] {
        let appended = log.append(&mut lead, status, None, vec![]);
        rig.tokio.block_on(appended).expect("memory takes it");
        let newest = rig.newest();
        let read = rig.tokio.block_on(log.read_of(GRAPH + 1));
        assert_eq!(
            read.map_err(|error| error.to_string()),
            Err(says.to_owned())
        );
        let taken = rig.tokio.block_on(log.take_leadership(2, GRAPH + 1));
        assert!(
            matches!(taken, Err(LogError::OtherGraph { .. })),
            "{taken:?}"
        );
        assert_eq!(rig.newest(), newest);
    }
}

#[test]
fn a_deposed_leader_can_append_nothing_more() {
    let rig = Rig::new();
    let mut first = rig.lead(1);
    let _second = rig.lead(2);
    for _ in 0..2 {
        let appended = rig.append(&mut first, &[], 7);
        assert_eq!(appended, Ok(Appended::Deposed { by_epoch: 2 }));
    }
    assert_eq!(rig.newest().latest, None);
}

#[test]
fn a_leader_that_slept_while_records_were_removed_is_deposed_by_the_listing() {
    let rig = Rig::new();
    let mut slept = rig.lead(1);
    let mut awake = rig.lead(2);
    for id in 0..40 {
        assert!(rig.append(&mut awake, &[], id).is_ok());
    }
    let listed = crate::now(rig.memory.list("job/log/")).expect("memory can be listed");
    assert_eq!(listed.len() as u64, RECORDS_KEPT + 1);
    // Its place is free again.
    let appended = rig.append(&mut slept, &[], 99);
    assert_eq!(appended, Ok(Appended::Deposed { by_epoch: 2 }));
    assert_eq!(rig.newest().latest, Some(named(39)));
}

#[test]
fn a_lost_answer_is_settled_by_reading() {
    for fault in [Fault::LostBefore, Fault::LostAfter, Fault::Late(1)] {
        let rig = Rig::new();
        let mut lead = rig.lead(1);
        let written = rig.append(&mut lead, &[fault], 7);
        assert_eq!(written, Ok(Appended::Written { sequence: 2 }), "{fault:?}");
    }
}

#[test]
fn a_silent_store_is_an_error_and_no_hang() {
    let rig = Rig::new();
    let patience = Patience {
        answer: Duration::ZERO,
        ..PATIENCE
    };
    let log = rig.log(&[Fault::Silent; 3]).with_patience(patience);
    let taken = rig.tokio.block_on(log.take_leadership(1, GRAPH));
    assert_eq!(
        taken.map_err(|error| error.to_string()),
        Err(
            "whether job/log/00000000000000000001 was written is not known: memory: does not \
             answer for job/log/00000000000000000001: no answer within 0ns: look whether it can be \
             reached and is not overloaded"
                .to_owned()
        )
    );
}

#[test]
fn a_record_whose_answers_were_all_lost_stands_and_the_next_is_behind_it() {
    let rig = Rig::new();
    let mut lead = rig.lead(1);
    let lost = [Fault::LostAfter; 3];
    let unknown = rig.append(&mut lead, &lost, 7);
    assert!(
        matches!(unknown, Err(LogError::Unknown { .. })),
        "{unknown:?}"
    );
    let written = rig.append(&mut lead, &[], 8);
    assert_eq!(written, Ok(Appended::Written { sequence: 3 }));
    assert_eq!(rig.newest().latest, Some(named(8)));
}

#[test]
fn a_record_that_never_got_there_leaves_its_place_to_the_next() {
    let rig = Rig::new();
    let mut lead = rig.lead(1);
    let unknown = rig.append(&mut lead, &[Fault::LostBefore; 3], 7);
    assert!(
        matches!(unknown, Err(LogError::Unknown { .. })),
        "{unknown:?}"
    );
    let written = rig.append(&mut lead, &[], 8);
    assert_eq!(written, Ok(Appended::Written { sequence: 2 }));
}

#[test]
fn a_job_that_has_ended_is_led_by_nobody() {
    let rig = Rig::new();
    let mut lead = rig.lead(1);
    let log = rig.log(&[]);
    let end = |lead: &mut Lead| {
        let ended = log.append(lead, RecordStatus::Cancelled, None, vec![]);
        rig.tokio.block_on(ended)
    };
    assert_eq!(end(&mut lead), Ok(Appended::Written { sequence: 2 }));
    let again = rig.tokio.block_on(log.take_leadership(2, GRAPH));
    assert_eq!(again, Ok(Leadership::Ended(rig.newest())));
    let status = "cancelled".to_owned();
    assert_eq!(end(&mut lead), Err(LogError::Ended { status }));
}

#[test]
fn an_unreadable_newest_record_is_an_error_and_never_passed_over() {
    let rig = Rig::new();
    let _lead = rig.lead(1);
    let garbage = rig
        .memory
        .create("job/log/00000000000000000002", vec!["garbage".into()]);
    crate::now(garbage).expect("memory takes the object");
    let read = rig.tokio.block_on(rig.log(&[]).read());
    let error = read.expect_err("it is not readable").to_string();
    let remedy = "removing the file makes the job go on from the record before it";
    assert!(error.contains(remedy), "{error}");
    let taken = rig.tokio.block_on(rig.log(&[]).take_leadership(2, GRAPH));
    assert!(
        matches!(taken, Err(LogError::Unreadable { .. })),
        "{taken:?}"
    );
}

#[test]
fn what_is_not_named_as_a_record_is_passed_over() {
    let rig = Rig::new();
    let lead = rig.lead(1);
    let foreign = rig
        .memory
        .create("job/log/.nfs0001", vec!["foreign".into()]);
    crate::now(foreign).expect("memory takes the object");
    assert_eq!(rig.newest(), *lead.record());
}

#[test]
fn a_store_that_cannot_keep_two_leaders_apart_is_refused_by_name() {
    let rig = Rig::new();
    let open = |creates_if_absent, lists_all| {
        let abilities = BlobAbilities {
            creates_if_absent,
            lists_all,
        };
        let store = FlakyBlobs::new(rig.memory.clone(), Script::default()).with(abilities);
        let opened = JobLog::open(&rig.tokio.world(), Arc::new(store), "job");
        opened.map(|_log| ()).map_err(|error| error.to_string())
    };
    assert_eq!(open(true, true), Ok(()));
    let remedy = "so it cannot keep the log of a job: choose another store, or switch high \
                  availability off";
    assert_eq!(
        open(false, true),
        Err(format!(
            "memory: cannot create an object only if there is none, {remedy}"
        ))
    );
    assert_eq!(
        open(true, false),
        Err(format!(
            "memory: cannot list every finished object at once, {remedy}"
        ))
    );
}
