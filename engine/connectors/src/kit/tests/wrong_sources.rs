//! Sources that are wrong, each caught at its step.

use std::collections::VecDeque;

use sameriver_model::SubtaskIndex;
use sameriver_operator::source::{
    Assignment, Enumerator, EnumeratorArgs, ReadBatch, ReadStatus, Reader, ReaderArgs, Source,
    SourceError, SourceReader, SplitEnumerator,
};
use sameriver_runtime::BoxFuture;
use sameriver_runtime_tokio::TokioWorld;

use crate::kit::{KitFailure, Rule, SourceKit};
use crate::stored;

/// What a source does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The place after the next record is kept.
    KeepsThePlaceBehind,
    /// The place of the record that was read last is kept.
    KeepsThePlaceBefore,
    /// The splits that wait are left out of a reader's snapshot.
    ForgetsWaitingSplits,
    /// The enumerator begins anew.
    HandsOutAgain,
    /// The enumerator keeps nothing.
    ForgetsTheRest,
}

/// Ranges of numbers; two at a time.
#[derive(Clone, Copy)]
struct Ranges(Wrong);

type Range = (u64, u64);

impl Source for Ranges {
    type Out = u64;
    type Split = Range;

    fn describe(&self) -> String {
        "ranges".to_owned()
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn enumerate(&self, args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
        let restored = args.restored.filter(|_| self.0 != Wrong::HandsOutAgain);
        let rest = match restored {
            Some(bytes) => stored::from_bytes(&bytes).expect("what it has kept"),
            None => (0..6).map(|n| (n * 10, n * 10 + n)).collect(),
        };
        let wrong = self.0;
        Box::pin(async move {
            let rest: Enumerator<Self> = Box::new(Rest { wrong, rest });
            Ok(rest)
        })
    }

    fn reader(&self, _: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        Ok(Box::new(RangeReader {
            wrong: self.0,
            splits: VecDeque::new(),
            current: 0,
            no_more: false,
        }))
    }
}

struct Rest {
    wrong: Wrong,
    rest: Vec<Range>,
}

impl SplitEnumerator<Range> for Rest {
    fn assign(&mut self, _: SubtaskIndex) -> Assignment<Range> {
        let two = self.rest.len().min(2);
        Assignment {
            splits: self.rest.drain(..two).collect(),
            no_more: self.rest.is_empty(),
        }
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        let kept: &[Range] = match self.wrong {
            Wrong::ForgetsTheRest => &[],
            Wrong::Nothing
            | Wrong::KeepsThePlaceBehind
            | Wrong::KeepsThePlaceBefore
            | Wrong::ForgetsWaitingSplits
            | Wrong::HandsOutAgain => &self.rest,
        };
        Ok(stored::to_bytes(kept).expect("numbers can be encoded"))
    }
}

struct RangeReader {
    wrong: Wrong,
    splits: VecDeque<Range>,
    current: usize,
    no_more: bool,
}

impl SourceReader<u64, Range> for RangeReader {
    fn add_splits(&mut self, splits: Vec<Range>, no_more: bool) -> Result<(), SourceError> {
        self.splits.extend(splits);
        self.no_more |= no_more;
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<u64>, max: usize) -> Result<ReadStatus, SourceError> {
        let Some((from, to)) = self.splits.front_mut() else {
            return Ok(if self.no_more {
                ReadStatus::Finished
            } else {
                ReadStatus::NeedSplit
            });
        };
        let next = (*to).min(*from + max as u64);
        batch.split = self.current;
        batch.records.extend(*from..next);
        *from = next;
        if from >= to {
            batch.ended.push(self.current);
            self.splits.pop_front();
            self.current += 1;
        }
        Ok(ReadStatus::Ready)
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, Range)>, SourceError> {
        let rest = (self.current..).zip(self.splits.iter().copied());
        let mut rest: Vec<(usize, Range)> = rest.collect();
        let started = rest.first_mut().filter(|(_, (from, _))| from % 10 > 0);
        match (self.wrong, started) {
            (Wrong::KeepsThePlaceBehind, Some((_, (from, _)))) => *from += 1,
            (Wrong::KeepsThePlaceBefore, Some((_, (from, _)))) => *from -= 1,
            (Wrong::ForgetsWaitingSplits, _) => rest.truncate(1),
            (
                Wrong::Nothing
                | Wrong::KeepsThePlaceBehind
                | Wrong::KeepsThePlaceBefore
                | Wrong::HandsOutAgain
                | Wrong::ForgetsTheRest,
                _,
            ) => {}
        }
        Ok(rest)
    }
}

fn judge(wrong: Wrong) -> Result<(), KitFailure> {
    let tokio = TokioWorld::builder().build().expect("a world");
    let kit = SourceKit::of(Ranges(wrong));
    tokio.block_on(kit.run(|| tokio.world()))
}

fn check(wrong: Wrong, step: &str, rule: Rule, seen: &str) {
    let failure = judge(wrong).expect_err("the source is wrong");
    assert_eq!(failure.rule, rule, "{failure}");
    assert!(failure.step.starts_with(step), "{failure}");
    assert_eq!(failure.seen, seen, "{failure}");
}

#[test]
fn the_ranges_themselves_conform() {
    assert_eq!(judge(Wrong::Nothing), Ok(()));
}

#[test]
fn a_reader_that_keeps_a_place_too_far_loses_a_record() {
    let step = "restore, ";
    check(
        Wrong::KeepsThePlaceBehind,
        step,
        Rule::ExactlyTheRest,
        "record 21 is lost",
    );
}

#[test]
fn a_reader_that_keeps_a_place_too_early_repeats_a_record() {
    let step = "restore, ";
    check(
        Wrong::KeepsThePlaceBefore,
        step,
        Rule::ExactlyTheRest,
        "record 20 comes a second time",
    );
}

#[test]
fn a_reader_that_forgets_splits_that_wait_is_caught_at_the_snapshot() {
    check(
        Wrong::ForgetsWaitingSplits,
        "snapshot, ",
        Rule::SplitsOnce,
        "a snapshot holds the splits [0], but [0, 1] go on",
    );
}

#[test]
fn an_enumerator_that_begins_anew_repeats_records() {
    check(
        Wrong::HandsOutAgain,
        "restore, ",
        Rule::ExactlyTheRest,
        "record 10 comes a second time",
    );
}

#[test]
fn an_enumerator_that_keeps_nothing_loses_records() {
    check(
        Wrong::ForgetsTheRest,
        "restore, ",
        Rule::ExactlyTheRest,
        "record 10 is lost",
    );
}
