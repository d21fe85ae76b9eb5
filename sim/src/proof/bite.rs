//! Oracles are shown something wrong and must say so.
//!
//! Invariant: each is shown the smallest thing that breaks its promise, and the same put right.

use std::time::Duration;

use bytes::Bytes;
use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef, JobRecord, RecordStatus};
use sameriver_model::probe::TimerDeed;
use sameriver_model::{
    AttemptNumber, ChannelId, CheckpointId, EdgeId, EventTime, FileHandle, KeyHash, MaxParallelism,
    ProcessingTime, SubtaskId, SubtaskIndex, VertexId, Watermark,
};
use sameriver_runtime::Monotonic;

use super::defect;
use crate::finding::Finding;
use crate::judge::{
    self, Account, AfterHealing, Compared, CutMode, DeclaredOrder, Deed, Fact, FoldStep, History,
    Invariant, Legal, LivenessBounds, Look, Sighting, StoreEvent, StoreFormat, VisibleItem,
    WentThrough, Windowed,
};
use crate::life::Generation;
use crate::probe_log::Seen;

type Verdict = Result<Compared, Finding>;
/// Shows an oracle what is right, or wrong.
type Show = fn(bool) -> Verdict;

pub(super) fn prove() -> Result<(), Finding> {
    let shown: [(Invariant, Show); 15] = [
        (Invariant::Output, output),
        (Invariant::Visible, visible),
        (Invariant::Cut, cut),
        (Invariant::Fold, fold),
        (Invariant::Commit, commit),
        (Invariant::Deposed, deposed),
        (Invariant::Watermark, watermark),
        (Invariant::Window, window),
        (Invariant::Timer, timer),
        (Invariant::Conservation, conservation),
        (Invariant::Metadata, metadata),
        (Invariant::Storage, storage),
        (Invariant::Latest, restored),
        (Invariant::Running, liveness),
        (Invariant::Compared, vacuity),
    ];
    for (invariant, show) in shown {
        if let Err(finding) = show(true) {
            return Err(defect(format!(
                "{invariant} finds something wrong with what is right: {finding}"
            )));
        }
        match show(false) {
            Err(finding) if finding.invariant == Some(invariant) => {}
            Err(other) => {
                return Err(defect(format!(
                    "{invariant} is broken, but `{other}` is found"
                )));
            }
            Ok(_) => {
                return Err(defect(format!(
                    "{invariant} is broken, and its oracle passes it"
                )));
            }
        }
    }
    Ok(())
}

fn output(right: bool) -> Verdict {
    let rows = ["a 1", "b 2"].map(str::to_owned);
    let got = if right { &rows[..] } else { &rows[1..] };
    judge::output(got, &rows, DeclaredOrder::Multiset)
}

fn visible(right: bool) -> Verdict {
    let items = vec![VisibleItem {
        name: "part".to_owned(),
        digest: 1,
    }];
    let items = if right { Vec::new() } else { items };
    let look = Look {
        at: second(1),
        items,
    };
    judge::visible(&History::default(), &[look], "")
}

fn cut(right: bool) -> Verdict {
    let channel = ChannelId::new(EdgeId::new(0), SubtaskIndex::new(0), SubtaskIndex::new(0));
    let (attempt, checkpoint) = (AttemptNumber::of_epoch(1, 1), CheckpointId::new(1));
    let records = if right { 5 } else { 4 };
    let sent = Seen::BarrierSent {
        channel,
        attempt,
        checkpoint,
        records: 5,
    };
    let reflected = Seen::Reflected {
        channel,
        attempt,
        checkpoint,
        records,
    };
    judge::cut(&history([sent, reflected]), CutMode::ExactlyOnce)
}

fn fold(right: bool) -> Verdict {
    let state = if right { 12 } else { 7 };
    let step = |step, input, state| FoldStep {
        key: "a",
        step,
        input,
        state,
    };
    let steps = vec![step(1, 5, 5), step(2, 7, state)];
    judge::fold(steps, &[("a", 5), ("a", 7)], &0, |sum, n| sum + n)
}

fn commit(right: bool) -> Verdict {
    let committed = Seen::Committed {
        operator: "sink".into(),
        what: "part".into(),
        attempt: AttemptNumber::of_epoch(1, 1),
        checkpoint: CheckpointId::new(1),
    };
    judge::commit(&history((!right).then_some(committed)))
}

/// Somebody commits what is not published, as the newest attempt or behind a newer one.
fn deposed(right: bool) -> Verdict {
    let attempt = |ordinal| AttemptNumber::of_epoch(1, ordinal);
    let started = |ordinal| Seen::AttemptStarted {
        attempt: attempt(ordinal),
        from: None,
    };
    let committed = Seen::Committed {
        operator: "sink".into(),
        what: "part".into(),
        attempt: attempt(if right { 2 } else { 1 }),
        checkpoint: CheckpointId::new(1),
    };
    let history = history([started(1), started(2), committed]);
    judge::deposed(&history, &[], FOLDER, FORMAT)
}

/// A record of the log names the metadata of a checkpoint that is there, or not.
fn metadata(right: bool) -> Verdict {
    let created = |path: &str, bytes: &'static [u8]| {
        let path = format!("{FOLDER}{path}");
        store_event(path, Deed::Created(Bytes::from_static(bytes)))
    };
    let named = right.then(|| created(METADATA, METADATA.as_bytes()));
    let events: Vec<_> = named.into_iter().chain([created("log/1", b"")]).collect();
    judge::metadata(&events, FOLDER, FORMAT)
}

fn watermark(right: bool) -> Verdict {
    let at = |millis| Seen::Watermark {
        operator: "source".into(),
        subtask: subtask(),
        attempt: AttemptNumber::of_epoch(1, 1),
        watermark: Watermark::at(EventTime::from_millis(millis)),
    };
    let legal = Legal {
        highest: None,
        none_late: false,
    };
    judge::watermark(&history([at(10), at(if right { 20 } else { 5 })]), legal)
}

/// The only window has the total of its records, or another one.
fn window(right: bool) -> Verdict {
    let clock = Seen::Watermark {
        operator: "totals".into(),
        subtask: subtask(),
        attempt: AttemptNumber::of_epoch(1, 1),
        watermark: Watermark::at(EventTime::from_millis(10)),
    };
    let windowed = Windowed {
        operator: "totals".to_owned(),
        length_millis: 10,
        lateness_millis: 0,
        input: vec![("a", 3, 5), ("a", 4, 7)],
        late: Vec::new(),
        panes: vec![("a", 0, if right { 12 } else { 7 })],
    };
    judge::window(&history([clock]), &windowed)
}

fn timer(right: bool) -> Verdict {
    let timer = |what| Seen::Timer {
        operator: "process".into(),
        subtask: subtask(),
        attempt: AttemptNumber::of_epoch(1, 1),
        key: KeyHash::of(&7_u64, &mut Vec::new()).expect("a number is a key"),
        time: EventTime::from_millis(5),
        what,
    };
    let fired = (!right).then(|| timer(TimerDeed::Fired));
    judge::timer(&history(fired), false)
}

fn conservation(right: bool) -> Verdict {
    let account = Account::of("cents").comes_in("taken", 5);
    account.goes_out("given", if right { 5 } else { 4 }).judge()
}

fn storage(right: bool) -> Verdict {
    let event = |deed| store_event("object".to_owned(), deed);
    let read = if right { "bytes" } else { "other" };
    judge::storage(&[
        event(Deed::Created(Bytes::from_static(b"bytes"))),
        event(Deed::Read {
            offset: 0,
            answer: Bytes::from_static(read.as_bytes()),
        }),
    ])
}

/// An attempt begins from the published checkpoint, or from nothing.
fn restored(right: bool) -> Verdict {
    let record = (FORMAT.record)(1, b"").map_err(Finding::harness)?;
    let published = Fact::Published(record);
    let started = Fact::Said(Seen::AttemptStarted {
        attempt: AttemptNumber::of_epoch(1, 2),
        from: right.then(|| checkpoint().id),
    });
    judge::restored(&history_of([published, started]))
}

fn liveness(right: bool) -> Verdict {
    let bound = Duration::from_secs(10);
    let after = AfterHealing {
        looked_until: second(100),
        running: right.then(|| second(1)),
        completed: Some(second(2)),
        ended: Some(second(3)),
        ..AfterHealing::default()
    };
    let bounds = LivenessBounds {
        running: bound,
        completes: bound,
        drains: bound,
        progress: bound,
        attempts: 3,
    };
    let after = AfterHealing {
        ended: after.ended.filter(|_| right),
        ..after
    };
    judge::liveness(&after, &bounds)
}

fn vacuity(right: bool) -> Verdict {
    let compared = u64::from(right);
    judge::vacuity(&WentThrough {
        compared,
        ..WentThrough::default()
    })?;
    Ok(Compared {
        invariant: Invariant::Compared,
        items: compared,
    })
}

fn store_event(path: String, deed: Deed) -> StoreEvent {
    StoreEvent {
        at: second(1),
        node: "n".into(),
        generation: Generation::FIRST,
        path,
        deed,
    }
}

/// The folder of a job in a store.
const FOLDER: &str = "job/";
/// The metadata of the only checkpoint: its bytes are its name.
const METADATA: &str = "meta/1-1-c1";

/// Every record names the only checkpoint, which has no state.
const FORMAT: StoreFormat = StoreFormat {
    record: |sequence, _| {
        Ok(JobRecord {
            sequence,
            epoch: 1,
            nonce: 1,
            job: sameriver_model::JobNonce::new(1),
            fingerprint: 1,
            status: RecordStatus::Running,
            latest: Some(checkpoint()),
            retained: vec![checkpoint()],
        })
    },
    metadata: |_| {
        let CheckpointRef { id, attempt, .. } = checkpoint();
        Ok(CheckpointMetadata {
            id,
            attempt,
            fingerprint: 1,
            max_parallelism: MaxParallelism::default(),
            subtasks: Vec::new(),
            enumerators: Vec::new(),
            ended: false,
            created: ProcessingTime::from_millis(0),
        })
    },
};

fn checkpoint() -> CheckpointRef {
    CheckpointRef {
        id: CheckpointId::new(1),
        attempt: AttemptNumber::of_epoch(1, 1),
        metadata: FileHandle {
            path: METADATA.to_owned(),
            length: METADATA.len() as u64,
            crc: crc32c::crc32c(METADATA.as_bytes()),
        },
    }
}

fn subtask() -> SubtaskId {
    SubtaskId::new(VertexId::new(0), SubtaskIndex::new(0))
}

fn second(seconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_secs(seconds))
}

fn history(said: impl IntoIterator<Item = Seen>) -> History {
    history_of(said.into_iter().map(Fact::Said))
}

fn history_of(facts: impl IntoIterator<Item = Fact>) -> History {
    let sightings = (1..).zip(facts).map(|(at, fact)| Sighting {
        at: second(at),
        node: "n".into(),
        generation: Generation::FIRST,
        fact,
    });
    History {
        sightings: sightings.collect(),
    }
}
