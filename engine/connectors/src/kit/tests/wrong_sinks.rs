//! Five sinks that are wrong in a way that real ones were, each caught at its step.
//!
//! All write to the same kind of outside, a shelf of transactions; only what they do differs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sameriver_model::{AttemptNumber, Batch, CheckpointId};
use sameriver_operator::Progress;
use sameriver_operator::sink::{
    CommitError, Committable, Committer, Sink, SinkError, SinkWriter, WriterArgs,
};
use sameriver_runtime::BoxFuture;
use sameriver_runtime_tokio::TokioWorld;

use crate::kit::{KitFailure, Rule, SinkKit, SinkTrial};
use crate::stored;

/// What a sink does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    CommitsAtTheBarrier,
    RetriesWithoutKey,
    ReadsFencedAsDone,
    DeletesSmallParts,
    SkipsIdsUpToTheLast,
}

/// A transaction: attempt and number.
type Name = (AttemptNumber, u64);

/// The outside.
#[derive(Default)]
struct Shelf {
    staged: BTreeMap<Name, Vec<u64>>,
    visible: BTreeMap<Name, Vec<u64>>,
    /// What was made visible without a name.
    nameless: Vec<u64>,
    last_id: u64,
    newest: Option<AttemptNumber>,
}

impl Shelf {
    fn all(&self) -> Vec<u64> {
        let named = self.visible.values().flatten();
        named.chain(&self.nameless).copied().collect()
    }
}

#[derive(Clone)]
struct ShelfSink {
    wrong: Wrong,
    shelf: Arc<Mutex<Shelf>>,
}

impl ShelfSink {
    fn shelf<R>(&self, work: impl FnOnce(&mut Shelf) -> R) -> R {
        work(&mut self.shelf.lock().expect("no test panics with it"))
    }
}

impl Sink<u64> for ShelfSink {
    fn describe(&self) -> String {
        "shelf".to_owned()
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<u64>>, SinkError> {
        let attempt = args.attempt;
        self.shelf(|shelf| {
            shelf.newest = shelf.newest.max(Some(attempt));
            if self.wrong == Wrong::DeletesSmallParts {
                shelf.staged.retain(|_, records| records.len() > 1);
            }
        });
        Ok(Box::new(ShelfWriter {
            sink: self.clone(),
            attempt,
            number: 0,
            records: Vec::new(),
            staged: Vec::new(),
        }))
    }

    fn commits(&self) -> bool {
        true
    }

    fn committer(&self, _: WriterArgs) -> Result<Option<Box<dyn Committer>>, SinkError> {
        Ok(Some(Box::new(self.clone())))
    }
}

struct ShelfWriter {
    sink: ShelfSink,
    attempt: AttemptNumber,
    number: u64,
    records: Vec<u64>,
    staged: Vec<Committable>,
}

impl ShelfWriter {
    fn close(&mut self, id: u64) {
        let name = (self.attempt, self.number);
        self.number += 1;
        let records = std::mem::take(&mut self.records);
        if records.is_empty() {
            return;
        }
        let now = self.sink.wrong == Wrong::CommitsAtTheBarrier;
        self.sink.shelf(|shelf| {
            let there = if now {
                &mut shelf.visible
            } else {
                &mut shelf.staged
            };
            there.insert(name, records);
        });
        let bytes = stored::to_bytes((name, id)).expect("numbers can be encoded");
        self.staged.push(Committable(bytes));
    }
}

impl SinkWriter<u64> for ShelfWriter {
    fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
        self.records.extend_from_slice(batch.records());
        batch.clear();
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.close(u64::MAX);
        Ok(Progress::Done)
    }

    fn stage(&mut self, checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.close(checkpoint.get());
        Ok(())
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        Ok(Some(std::mem::take(&mut self.staged)))
    }
}

impl ShelfSink {
    fn publish(&self, shelf: &mut Shelf, name: Name, id: u64) -> Result<(), String> {
        let is_fenced = shelf.newest > Some(name.0);
        match self.wrong {
            Wrong::ReadsFencedAsDone if is_fenced => return Ok(()),
            Wrong::RetriesWithoutKey => {
                let records = shelf.staged.get(&name).cloned();
                shelf.nameless.extend(records.unwrap_or_default());
                return Ok(());
            }
            Wrong::SkipsIdsUpToTheLast if id <= shelf.last_id => return Ok(()),
            Wrong::Nothing
            | Wrong::CommitsAtTheBarrier
            | Wrong::ReadsFencedAsDone
            | Wrong::DeletesSmallParts
            | Wrong::SkipsIdsUpToTheLast => {}
        }
        shelf.last_id = id;
        if shelf.visible.contains_key(&name) {
            return Ok(());
        }
        let records = shelf.staged.remove(&name).ok_or("it is gone")?;
        shelf.visible.insert(name, records);
        Ok(())
    }
}

impl Committer for ShelfSink {
    fn commit(&self, committables: Vec<Committable>) -> BoxFuture<Result<(), CommitError>> {
        let committed = committables.iter().try_for_each(|committable| {
            let (name, id) = stored::from_bytes(&committable.0)?;
            self.shelf(|shelf| self.publish(shelf, name, id))
        });
        let committed = committed.map_err(|cause| CommitError::Refused {
            output: "shelf".to_owned(),
            what: "a transaction".to_owned(),
            cause,
        });
        Box::pin(async { committed })
    }

    fn name(&self, _: &Committable) -> String {
        "a transaction".to_owned()
    }
}

fn judge(wrong: Wrong) -> Result<(), KitFailure> {
    let kit = SinkKit::of(|_case| {
        let shelf: Arc<Mutex<Shelf>> = Arc::default();
        let tokio = TokioWorld::builder().build().expect("a world");
        let sink = ShelfSink {
            wrong,
            shelf: Arc::clone(&shelf),
        };
        let visible = move || shelf.lock().expect("no test panics with it").all();
        SinkTrial::new(
            sink,
            move || tokio.world(),
            move || {
                let visible = visible();
                Box::pin(async { visible })
            },
        )
    });
    let tokio = TokioWorld::builder().build().expect("a world");
    tokio.block_on(kit.run(|number| number))
}

fn check(wrong: Wrong, case: &str, step: &str, rule: Rule) {
    let failure = judge(wrong).expect_err("the sink is wrong");
    assert_eq!(failure.rule, rule, "{failure}");
    assert_eq!(failure.step, step, "{failure}");
    assert_eq!(failure.case, case, "{failure}");
}

#[test]
fn the_shelf_itself_conforms() {
    assert_eq!(judge(Wrong::Nothing), Ok(()));
}

#[test]
fn a_sink_that_commits_at_the_barrier_is_caught_there() {
    check(
        Wrong::CommitsAtTheBarrier,
        "no failure",
        "stage c1 of a1.1",
        Rule::HiddenBeforeCommit,
    );
}

#[test]
fn a_sink_that_repeats_a_commit_without_a_key_is_caught_when_it_is_restored() {
    check(
        Wrong::RetriesWithoutKey,
        "two crashes, the second when all is committed, after publish c1 (step 7)",
        "commit what was restored of a2.1",
        Rule::CommittedOnce,
    );
}

#[test]
fn a_sink_that_reads_fenced_as_done_is_caught_when_it_commits_what_was_restored() {
    check(
        Wrong::ReadsFencedAsDone,
        "crash after publish c1 (step 7)",
        "commit what was restored of a1.2",
        Rule::CommittedIsVisible,
    );
}

#[test]
fn a_sink_that_deletes_a_small_part_is_caught_when_it_commits_what_was_restored() {
    check(
        Wrong::DeletesSmallParts,
        "crash after publish c2 (step 11)",
        "commit what was restored of a1.2",
        Rule::Works,
    );
}

#[test]
fn a_sink_that_skips_ids_up_to_the_last_is_caught_after_an_older_restore() {
    check(
        Wrong::SkipsIdsUpToTheLast,
        "an older checkpoint is restored when the latest is committed",
        "commit up to c2 of a1.2",
        Rule::CommittedIsVisible,
    );
}
