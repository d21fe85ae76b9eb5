//! The source driver against a reader that follows a script.

use std::collections::VecDeque;

use super::*;
use crate::context::Position;
use crate::testing::{Collecting, Log, Seen, context};
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
    let mut head = source_driver("numbers", Box::new(Script(reads.into())), strategy, end);
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
    let assign = crate::build::assign_watermarks("assign", ascending(), end);
    let even = crate::build::filter("even", |at: &i64| at % 2 == 0, assign);
    let script = Box::new(Script(reads.into()));
    let mut head = source_driver("numbers", script, None, even);
    for _ in 0..2 {
        head.slice(256, &mut context()).expect("reads");
    }
    let w = Seen::Watermark;
    assert_eq!(seen.take(), [record(4), w(3), record(6), w(5)]);
}
