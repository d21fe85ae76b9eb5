//! The source driver against a reader that follows a script.

use std::collections::VecDeque;

use super::*;
use crate::context::Position;
use crate::testing::{Collecting, Log, Seen, args, context, reopened};
use crate::watermark::Watermarks;

/// One read: the split, its records, the splits that end, the status.
struct Read(usize, Vec<i64>, Vec<usize>, ReadStatus);

struct Script(VecDeque<Read>);

impl SourceReader<i64, u32> for Script {
    fn add_splits(&mut self, splits: Vec<u32>, _no_more: bool) -> Result<(), SourceError> {
        if splits.contains(&13) {
            return Err(SourceError::Other {
                input: "split 13".into(),
                cause: "is unlucky".into(),
            });
        }
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<i64>, _max: usize) -> Result<ReadStatus, SourceError> {
        assert!(batch.records.is_empty() && batch.ended.is_empty());
        let Read(split, records, ended, status) =
            self.0.pop_front().expect("not read after its end");
        batch.records.extend(records);
        batch.split = split;
        batch.ended = ended;
        batch.position = Position::Source {
            split: format!("split {split}").into(),
            from: 0,
            to: 9,
            unit: "line",
        };
        Ok(status)
    }
}

fn driver(
    splits: u32,
    strategy: Option<WatermarkStrategy<i64>>,
    reads: Vec<Read>,
    answers: Vec<Progress>,
) -> (Box<dyn SourceHead>, Log<i64>) {
    let (end, seen) = Collecting::answering(answers);
    let mut head = source_driver(
        "numbers",
        Box::new(Script(reads.into())),
        strategy,
        &args(8),
        end,
    )
    .expect("opens");
    let splits: Vec<_> = (0..splits)
        .map(|split| wire::encode(&split).expect("a number"))
        .collect();
    head.assign(&splits, true).expect("no bad split");
    (head, seen)
}

fn ascending() -> WatermarkStrategy<i64> {
    Watermarks::ascending().event_time(|at: &i64| *at)
}

/// Runs all reads and compares what the chain saw.
fn check(splits: u32, reads: Vec<Read>, expected: &[Seen<i64>]) {
    let count = reads.len();
    let (mut head, seen) = driver(splits, Some(ascending()), reads, vec![]);
    for _ in 0..count {
        head.slice(256, &mut context()).expect("reads");
    }
    assert_eq!(seen.take(), expected);
}

fn record(at: i64) -> Seen<i64> {
    Seen::Record(at, Some(at))
}

#[test]
fn one_split_advances_the_watermark_once_a_slice() {
    let reads = vec![
        Read(0, vec![1, 5], vec![], ReadStatus::Ready),
        Read(0, vec![4], vec![], ReadStatus::Ready),
        Read(0, vec![9], vec![0], ReadStatus::Finished),
    ];
    let w = Seen::Watermark;
    check(
        1,
        reads,
        &[record(1), record(5), w(4), record(4), record(9)],
    );
}

#[test]
fn the_watermark_is_the_minimum_over_splits_and_an_ended_split_releases_it() {
    let reads = vec![
        Read(0, vec![50], vec![], ReadStatus::Ready),
        Read(1, vec![20], vec![], ReadStatus::Ready),
        Read(1, vec![30], vec![1], ReadStatus::Ready),
    ];
    let w = Seen::Watermark;
    check(
        2,
        reads,
        &[record(50), record(20), w(19), record(30), w(49)],
    );
}

#[test]
fn a_split_without_records_holds_the_watermark_back() {
    let reads = vec![
        Read(0, vec![50], vec![], ReadStatus::Ready),
        Read(1, vec![], vec![], ReadStatus::Waiting),
    ];
    check(2, reads, &[record(50)]);
}

#[test]
fn without_a_strategy_records_have_no_event_time() {
    let reads = vec![Read(0, vec![7], vec![0], ReadStatus::Finished)];
    let (mut head, seen) = driver(1, None, reads, vec![]);
    let progress = head.slice(256, &mut context()).expect("reads");
    assert_eq!(progress, SourceProgress::Finished);
    assert_eq!(seen.take(), [Seen::Record(7, None)]);
}

#[test]
fn the_status_of_a_read_waits_until_the_chain_is_done_with_the_watermark() {
    let reads = vec![
        Read(0, vec![7], vec![], ReadStatus::NeedSplit),
        Read(0, vec![8], vec![], ReadStatus::Ready),
    ];
    let (mut head, _seen) = driver(1, Some(ascending()), reads, vec![Progress::More]);
    let cx = &mut context();
    let answers = [
        head.slice(256, cx).expect("reads"),
        {
            assert_eq!(head.resume(cx).expect("resumes"), Progress::Done);
            head.slice(256, cx).expect("tells")
        },
        head.slice(256, cx).expect("reads"),
    ];
    let more = SourceProgress::Resume(Progress::More);
    assert_eq!(
        answers,
        [more, SourceProgress::NeedSplit, SourceProgress::Ready]
    );
}

#[test]
fn the_context_says_which_part_of_which_split_is_read() {
    let (mut head, _seen) = driver(
        1,
        None,
        vec![Read(0, vec![7], vec![], ReadStatus::Ready)],
        vec![],
    );
    let mut cx = context();
    head.slice(256, &mut cx).expect("reads");
    assert_eq!(cx.position.to_string(), "split 0, lines 0..9");
}

#[test]
fn a_source_error_names_the_source() {
    let (mut head, _seen) = driver(0, None, vec![], vec![]);
    let bad = wire::encode(&13_u32).expect("a number");
    let error = head.assign(&[bad], true).expect_err("refused");
    assert_eq!(error.to_string(), "source numbers: split 13: is unlucky");
}

#[test]
fn a_split_of_another_binary_is_an_error_with_a_remedy() {
    let (mut head, _seen) = driver(0, None, vec![], vec![]);
    let error = head.assign(&[vec![1]], true).expect_err("too short");
    assert!(error.to_string().contains("same binary"), "{error}");
}

#[test]
fn watermarks_further_down_the_chain_stamp_every_slice_anew() {
    let reads = [[3, 4], [5, 6]].map(|records| Read(0, records.into(), vec![], ReadStatus::Ready));
    let (end, seen) = Collecting::new();
    let assign =
        crate::build::assign_watermarks("assign", ascending(), &args(8), end).expect("opens");
    let even = crate::build::filter("even", |at: &i64| at % 2 == 0, assign);
    let script = Box::new(Script(reads.into()));
    let mut head = source_driver("numbers", script, None, &args(8), even).expect("opens");
    for _ in 0..2 {
        head.slice(256, &mut context()).expect("reads");
    }
    let w = Seen::Watermark;
    assert_eq!(seen.take(), [record(4), w(3), record(6), w(5)]);
}

/// Reads numbers in pairs; a split is the name and the numbers that are left.
#[derive(Default)]
struct Pairs {
    splits: Vec<(String, Vec<i64>)>,
}

impl SourceReader<i64, (String, Vec<i64>)> for Pairs {
    fn add_splits(
        &mut self,
        splits: Vec<(String, Vec<i64>)>,
        _no_more: bool,
    ) -> Result<(), SourceError> {
        self.splits.extend(splits);
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<i64>, _max: usize) -> Result<ReadStatus, SourceError> {
        // The one with most numbers left, the first of equals: all that counts is in the splits.
        let going_on = (0..self.splits.len()).filter(|split| !self.splits[*split].1.is_empty());
        let Some(split) = going_on
            .rev()
            .max_by_key(|split| self.splits[*split].1.len())
        else {
            return Ok(ReadStatus::Finished);
        };
        let numbers = &mut self.splits[split].1;
        let count = numbers.len().min(2);
        batch.records.extend(numbers.drain(..count));
        batch.split = split;
        if numbers.is_empty() {
            batch.ended.push(split);
        }
        Ok(ReadStatus::Ready)
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, (String, Vec<i64>))>, SourceError> {
        let all = self.splits.iter().cloned().enumerate();
        Ok(all.filter(|(_, split)| !split.1.is_empty()).rev().collect())
    }
}

fn pairs(args: &crate::OpenArgs) -> (Box<dyn SourceHead>, Log<i64>) {
    let (end, seen) = Collecting::new();
    let reader = Box::new(Pairs::default());
    let head = source_driver("pairs", reader, Some(ascending()), args, end);
    (head.expect("opens"), seen)
}

/// The splits `a`, which ends first, `b` and `c`.
fn assigned() -> (Box<dyn SourceHead>, Log<i64>) {
    let (mut head, seen) = pairs(&args(8));
    let splits = [
        ("a", vec![1_i64, 2]),
        ("b", vec![50, 60, 70, 80]),
        ("c", vec![10, 20, 90]),
    ];
    let splits = splits.map(|(name, numbers)| (name.to_owned(), numbers));
    let splits = splits.map(|split| wire::encode(&split).expect("a split"));
    head.assign(&splits, true).expect("no bad split");
    (head, seen)
}

fn read_on(head: &mut dyn SourceHead, seen: &Log<i64>) -> Vec<Seen<i64>> {
    while head.slice(256, &mut context()).expect("reads") != SourceProgress::Finished {}
    seen.take()
}

#[test]
fn a_restored_source_sends_its_watermark_again_and_then_what_it_would_have_sent() {
    for slices in 0..5 {
        let (mut head, seen) = assigned();
        for _ in 0..slices {
            head.slice(256, &mut context()).expect("reads");
        }
        let sent = seen.take().into_iter().rev().find_map(|seen| match seen {
            Seen::Watermark(at) => Some(at),
            Seen::Record(..)
            | Seen::Resume
            | Seen::Idle(_)
            | Seen::Flush
            | Seen::Finish
            | Seen::Barrier(_)
            | Seen::Complete(_) => None,
        });
        let (mut again, seen_again) = reopened(&mut *head, &args(8), |args| Ok(pairs(args)));
        seen.take();
        let mut expected: Vec<_> = sent.map(Seen::Watermark).into_iter().collect();
        expected.extend(read_on(&mut *head, &seen));
        assert_eq!(
            read_on(&mut *again, &seen_again),
            expected,
            "after {slices} slices"
        );
    }
}

#[test]
fn resuming_a_restored_source_sends_its_watermark_once() {
    let (mut head, _seen) = assigned();
    for _ in 0..3 {
        head.slice(256, &mut context()).expect("reads");
    }
    let (mut again, seen) = reopened(&mut *head, &args(8), |args| Ok(pairs(args)));
    for _ in 0..2 {
        assert_eq!(
            again.resume(&mut context()).expect("resumes"),
            Progress::Done
        );
    }
    assert_eq!(
        seen.take(),
        [Seen::Watermark(19), Seen::Resume, Seen::Resume]
    );
}

/// One split: the numbers that are left.
struct Left(Vec<u8>);

impl SourceReader<i64, u8> for Left {
    fn add_splits(&mut self, splits: Vec<u8>, _no_more: bool) -> Result<(), SourceError> {
        self.0.extend(splits);
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<i64>, _max: usize) -> Result<ReadStatus, SourceError> {
        batch.records.push(50);
        Ok(ReadStatus::Ready)
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, u8)>, SourceError> {
        Ok(self.0.iter().copied().enumerate().collect())
    }
}

#[test]
fn splits_are_written_as_published() {
    let (end, _seen) = Collecting::new();
    let reader = Box::new(Left(Vec::new()));
    let head = source_driver("numbers", reader, Some(ascending()), &args(8), end);
    let mut head = head.expect("opens");
    head.assign(&[vec![9]], true).expect("no bad split");
    head.slice(256, &mut context()).expect("reads");
    let mut sections = SectionWriter::default();
    head.snapshot(&mut sections).expect("is written");
    saved::check_published(
        "a source that sent 49 ms, and has read up to 50 ms of a split of one byte",
        sections,
    );
}
