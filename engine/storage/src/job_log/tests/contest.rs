//! Contenders for one job, interleaved and disturbed in every way that a script of bytes can say.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use proptest::prelude::*;
use sameriver_model::{CheckpointRef, RecordStatus};
use sameriver_runtime::World;
use sameriver_runtime_tokio::TokioWorld;

use super::{FlakyBlobs, GRAPH, PATIENCE, Script, named};
use crate::job_log::{Appended, JobLog, Leadership};
use crate::memory_blobs::MemoryBlobs;

const CONTENDERS: u64 = 3;
const LEADERSHIPS: u64 = 4;
const APPENDS: u64 = 14;
/// Far more polls than a contest without a livelock needs.
const POLLS_MAX: u32 = 100_000;

/// What counted.
#[derive(Clone, Debug)]
enum Event {
    Led {
        epoch: u32,
        sequence: u64,
        retained: Vec<CheckpointRef>,
    },
    Published {
        epoch: u32,
        sequence: u64,
        checkpoint: CheckpointRef,
    },
}

type Events = Arc<Mutex<Vec<Event>>>;
type Contender = Pin<Box<dyn Future<Output = ()>>>;

fn push(events: &Events, event: Event) {
    let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
    events.push(event);
}

/// Leads as often as it may, and publishes checkpoints that nobody else publishes.
async fn contend(log: JobLog, contender: u64, events: Events) {
    for leadership in 0..LEADERSHIPS {
        let nonce = contender * 1_000 + leadership;
        let Ok(Leadership::Leading(mut lead)) = log.take_leadership(nonce, GRAPH).await else {
            continue;
        };
        push(
            &events,
            Event::Led {
                epoch: lead.epoch(),
                sequence: lead.record().sequence,
                retained: lead.record().retained.clone(),
            },
        );
        for append in 0..APPENDS {
            let checkpoint = named(nonce * 100 + append);
            let mut retained = lead.record().retained.clone();
            retained.push(checkpoint.clone());
            let latest = Some(checkpoint.clone());
            match log
                .append(&mut lead, RecordStatus::Running, latest, retained)
                .await
            {
                Ok(Appended::Written { sequence }) => push(
                    &events,
                    Event::Published {
                        epoch: lead.epoch(),
                        sequence,
                        checkpoint,
                    },
                ),
                Ok(Appended::Deposed { .. }) => break,
                // It may be there or not; the next append finds out.
                Err(_) => {}
            }
        }
    }
}

/// Runs a contest to its end; answers what counted, and what a new leader then finds.
fn contest(world: &World, bytes: Vec<u8>) -> (Vec<Event>, Vec<CheckpointRef>) {
    let (memory, script) = (MemoryBlobs::new("memory:"), Script::of_bytes(bytes));
    let store = Arc::new(FlakyBlobs::new(memory.clone(), script.clone()));
    let events = Events::default();
    let open = |store| JobLog::open(world, store, "job").expect("the store can keep a log");
    let contender = |number| -> Contender {
        let log = open(store.clone()).with_patience(PATIENCE);
        Box::pin(contend(log, number, events.clone()))
    };
    let mut contenders: Vec<Contender> = (0..CONTENDERS).map(contender).collect();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if contenders.is_empty() {
            break;
        }
        let next = usize::from(script.draw()) % contenders.len();
        if contenders[next].as_mut().poll(&mut cx).is_ready() {
            drop(contenders.swap_remove(next));
        }
    }
    assert!(contenders.is_empty(), "the contest ends");
    let healthy = open(Arc::new(memory));
    let newest = crate::now(healthy.read()).expect("the newest record is readable");
    let retained = newest.map(|newest| newest.retained).unwrap_or_default();
    let events = events
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    (events, retained)
}

fn judge(events: &[Event], found: &[CheckpointRef]) {
    let mut epochs = BTreeSet::new();
    let mut sequences = BTreeSet::new();
    for event in events {
        let (Event::Led { sequence, .. } | Event::Published { sequence, .. }) = event;
        assert!(
            sequences.insert(*sequence),
            "record {sequence} counted twice"
        );
        if let Event::Led { epoch, .. } = event {
            assert!(epochs.insert(*epoch), "epoch {epoch} has two leaders");
        }
    }
    for event in events {
        let Event::Published {
            epoch,
            sequence,
            checkpoint,
        } = event
        else {
            continue;
        };
        assert!(
            found.contains(checkpoint),
            "{checkpoint} was published and is lost"
        );
        for other in events {
            let Event::Led {
                epoch: later,
                sequence: led,
                retained,
            } = other
            else {
                continue;
            };
            if later > epoch {
                assert!(
                    sequence < led,
                    "{checkpoint} of e{epoch} counted after e{later} led"
                );
                assert!(
                    retained.contains(checkpoint),
                    "e{later} does not know {checkpoint}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_leader_at_a_time_counts_and_no_published_record_is_ever_lost(
        bytes in proptest::collection::vec(any::<u8>(), 0..3_000),
    ) {
        let tokio = TokioWorld::builder().build().expect("the process may start threads");
        let (events, found) = contest(&tokio.world(), bytes);
        judge(&events, &found);
    }
}

#[test]
fn a_contest_without_faults_has_every_contender_lead() {
    let tokio = TokioWorld::builder()
        .build()
        .expect("the process may start threads");
    let (events, found) = contest(&tokio.world(), Vec::new());
    judge(&events, &found);
    let led = events
        .iter()
        .filter(|event| matches!(event, Event::Led { .. }))
        .count();
    assert_eq!(
        (led as u64, found.len() as u64),
        (CONTENDERS * LEADERSHIPS, CONTENDERS * LEADERSHIPS * APPENDS,)
    );
}
