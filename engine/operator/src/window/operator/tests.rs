//! The tumbling window: late records, order, slices, and a naive oracle.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::key_selector::ByValue;
use crate::testing::{
    Collecting, Log, Seen, args, context, context_with_timers_max, failure_of, run, timed, untimed,
};
use crate::window::Count;
use sameriver_model::EventTime;

/// A key and a number to add up.
type Payment = (u8, u64);

#[derive(Clone)]
struct Total;

impl Aggregate<Payment> for Total {
    type Acc = u64;
    type Out = u64;

    fn create(&self) -> u64 {
        0
    }

    fn add(&self, acc: &mut u64, record: &Payment) {
        *acc += record.1;
    }

    fn merge(&self, into: &mut u64, other: u64) {
        *into += other;
    }

    fn result(&self, acc: u64) -> u64 {
        acc
    }
}

type Results = Log<WindowResult<u8, u64>>;

/// Totals in windows of `size` ms, with a side output of late records.
fn totals(size: u64) -> (Box<dyn Consumer<Payment>>, Results, Log<Payment>) {
    let (end, results) = Collecting::new();
    let (late_end, late) = Collecting::new();
    let (by_key, size) = (ByValue::new(|payment: &Payment| payment.0), millis(size));
    let assigner = Tumbling::of(size);
    let operator = aggregate(
        "totals",
        by_key,
        assigner,
        Total,
        Some(late_end),
        &args(8),
        end,
    );
    (operator.expect("opens"), results, late)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: i64) -> Watermark {
    Watermark::at(EventTime::from_millis(millis))
}

/// A result as (window end, key, value).
fn row(result: &WindowResult<u8, u64>) -> (i64, u8, u64) {
    (result.window.end.as_millis(), result.key, result.value)
}

fn rows(results: &Results) -> Vec<(i64, u8, u64)> {
    results.records().iter().map(row).collect()
}

#[test]
fn a_window_fires_when_the_watermark_reaches_its_last_instant() {
    let (mut totals, results, _late) = totals(10);
    run(&mut *totals, timed([((1, 5), 3), ((1, 6), 9)]), Some(8));
    assert_eq!(rows(&results), []);
    run(&mut *totals, timed([]), Some(9));
    assert_eq!(rows(&results), [(10, 1, 11)]);
}

#[test]
fn a_record_at_the_last_instant_of_time_is_in_a_window_of_any_size() {
    for size in [1, 7, 10] {
        let (mut totals, results, _late) = totals(size);
        run(&mut *totals, timed([((1, 5), i64::MAX)]), Some(i64::MAX));
        assert_eq!(rows(&results), [(i64::MAX, 1, 5)], "size {size}");
    }
}

#[test]
fn a_result_has_the_last_instant_as_event_time_and_comes_before_the_watermark() {
    let (mut totals, results, late) = totals(10);
    run(&mut *totals, timed([((1, 5), 3)]), Some(25));
    let (start, end) = (0.into(), 10.into());
    let window = TimeWindow { start, end };
    let result = WindowResult {
        key: 1,
        window,
        value: 5,
    };
    let watermark = Seen::Watermark(25);
    assert_eq!(results.take(), [Seen::Record(result, Some(9)), watermark]);
    assert_eq!(late.take(), [Seen::Watermark(25)]);
}

/// Sends one record at `time` after a watermark and says whether it was late.
fn check_late(watermark: i64, time: i64, expected: bool) {
    let (mut totals, _results, late) = totals(10);
    run(&mut *totals, timed([]), Some(watermark));
    run(&mut *totals, timed([((1, 1), time)]), None);
    assert_eq!(
        late.records().len() == 1,
        expected,
        "{time} after {watermark}"
    );
}

#[test]
fn a_record_is_late_exactly_when_the_last_instant_of_its_window_is_not_after_the_clock() {
    check_late(8, 5, false);
    check_late(9, 5, true);
    check_late(9, 10, false);
    check_late(18, 15, false);
    check_late(19, 15, true);
}

#[test]
fn a_record_below_the_watermark_is_not_late_while_its_window_is_open() {
    let (mut totals, results, late) = totals(10);
    run(&mut *totals, timed([((1, 1), 7)]), Some(7));
    run(&mut *totals, timed([((1, 2), 4)]), Some(9));
    assert_eq!(rows(&results), [(10, 1, 3)]);
    assert_eq!(late.records(), []);
}

#[test]
fn no_record_is_late_before_the_first_watermark() {
    let (mut totals, results, late) = totals(1);
    run(&mut *totals, timed([((1, 1), i64::MIN)]), Some(0));
    assert_eq!(late.records(), []);
    assert_eq!(rows(&results).len(), 1);
}

#[test]
fn late_records_without_a_side_output_are_counted() {
    let (end, _results) = Collecting::new();
    let by_key = ByValue::new(|payment: &Payment| payment.0);
    let assigner = Tumbling::of(millis(10));
    let mut totals =
        aggregate("totals", by_key, assigner, Total, None, &args(8), end).expect("opens");
    run(&mut *totals, timed([]), Some(9));
    let mut cx = context();
    let mut slice = timed([((1, 1), 5), ((1, 1), 15), ((2, 1), 6)]);
    totals.slice(&mut slice, &mut cx).expect("works");
    assert_eq!(cx.late_dropped, 2);
}

#[test]
fn results_are_ordered_by_window_end_and_key_bytes() {
    let (mut totals, results, _late) = totals(10);
    let payments = [((2, 1), 15), ((9, 1), 5), ((1, 1), 15), ((3, 1), 5)];
    run(&mut *totals, timed(payments), Some(i64::MAX));
    let order = [(10, 3, 1), (10, 9, 1), (20, 1, 1), (20, 2, 1)];
    assert_eq!(rows(&results), order);
}

#[test]
fn windows_fire_in_slices_and_the_watermark_waits_for_the_last() {
    let (mut totals, results, _late) = totals(10);
    run(&mut *totals, timed((0..5).map(|key| ((key, 1), 5))), None);
    let cx = &mut context_with_timers_max(2);
    let mut steps = vec![(
        totals.watermark(at(9), cx).expect("fires"),
        rows(&results).len(),
    )];
    while steps
        .last()
        .is_some_and(|(progress, _)| *progress != Progress::Done)
    {
        let progress = totals.resume(cx).expect("fires");
        let seen = results.take();
        let watermarks = seen.iter().filter(|seen| **seen == Seen::Watermark(9));
        assert_eq!(watermarks.count() == 1, progress == Progress::Done);
        let fired = seen.iter().filter(|seen| matches!(seen, Seen::Record(..)));
        steps.push((progress, fired.count()));
    }
    let (more, done) = (Progress::More, Progress::Done);
    assert_eq!(steps, [(more, 2), (more, 2), (done, 1)]);
}

#[test]
fn a_branch_that_is_not_done_with_the_watermark_is_resumed() {
    let (end, _results) = Collecting::answering([Progress::More, Progress::Done]);
    let by_key = ByValue::new(|payment: &Payment| payment.0);
    let assigner = Tumbling::of(millis(10));
    let mut totals =
        aggregate("totals", by_key, assigner, Total, None, &args(8), end).expect("opens");
    let cx = &mut context();
    assert_eq!(totals.watermark(at(9), cx).expect("works"), Progress::More);
    assert_eq!(totals.resume(cx).expect("works"), Progress::Done);
}

#[test]
fn the_state_of_a_window_is_gone_when_it_has_fired() {
    let (end, _results) = Collecting::new();
    let by_key = ByValue::new(|payment: &Payment| payment.0);
    let assigner = Tumbling::of(millis(10));
    let operator = WindowOperator::open("n", by_key, assigner, Count, None, &args(8), end);
    let mut operator = operator.expect("opens");
    run(
        &mut operator,
        timed([((1, 1), 5), ((1, 1), 15), ((2, 1), 5)]),
        Some(9),
    );
    assert_eq!((operator.panes.len(), operator.timers.len()), (1, 1));
    run(&mut operator, timed([]), Some(19));
    assert_eq!((operator.panes.len(), operator.timers.len()), (0, 0));
}

#[test]
fn a_record_without_event_time_is_an_error_that_names_the_remedy() {
    let (mut totals, _results, _late) = totals(10);
    let error = failure_of(&mut *totals, untimed([(1, 1)]), &mut context()).to_string();
    assert!(
        error.contains("operator totals failed at words.txt"),
        "{error}"
    );
    assert!(error.contains("give the stream `watermarks`"), "{error}");
}

/// What happens to the operator: payments with their times, or a watermark.
#[derive(Clone, Debug)]
enum Step {
    Slice(Vec<(Payment, i64)>),
    Watermark(i64),
}

/// Runs the steps and the end of input; gives result rows and late records.
fn judged(size: u64, timers_max: usize, steps: &[Step]) -> (Vec<(i64, u8, u64)>, Vec<Payment>) {
    let (mut totals, results, late) = totals(size);
    let cx = &mut context_with_timers_max(timers_max);
    let mut clock = i64::MIN;
    for step in steps.iter().chain([&Step::Watermark(i64::MAX)]) {
        match step {
            Step::Slice(payments) => run(&mut *totals, timed(payments.clone()), None),
            Step::Watermark(watermark) => {
                clock = clock.max(*watermark);
                let mut progress = totals.watermark(at(clock), cx).expect("works");
                while progress != Progress::Done {
                    progress = totals.resume(cx).expect("works");
                }
            }
        }
    }
    (rows(&results), late.records())
}

/// The same by looking at one record after the other.
fn naive(size: i64, steps: &[Step]) -> (Vec<(i64, u8, u64)>, Vec<Payment>) {
    let (mut totals, mut late) = (BTreeMap::new(), Vec::new());
    let mut clock = i64::MIN;
    for step in steps {
        match step {
            Step::Slice(payments) => {
                for ((key, amount), time) in payments {
                    let end = time.div_euclid(size) * size + size;
                    if clock > i64::MIN && end - 1 <= clock {
                        late.push((*key, *amount));
                    } else {
                        *totals.entry((end, *key)).or_insert(0) += amount;
                    }
                }
            }
            Step::Watermark(watermark) => clock = clock.max(*watermark),
        }
    }
    let rows = totals.into_iter();
    (
        rows.map(|((end, key), sum)| (end, key, sum)).collect(),
        late,
    )
}

fn payment() -> impl Strategy<Value = (Payment, i64)> {
    ((0_u8..5, 0_u64..100), -200_i64..200)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slice = prop::collection::vec(payment(), 0..8).prop_map(Step::Slice);
    prop::collection::vec(
        prop_oneof![slice, (-210_i64..210).prop_map(Step::Watermark)],
        0..30,
    )
}

/// Payments whose times are at most `bound` behind the latest, each slice followed by the
/// watermark that such a bound allows.
fn disordered(bound: i64) -> impl Strategy<Value = Vec<Step>> {
    let arrival = ((0_u8..5, 0_u64..100), 0_i64..30, 0..=bound);
    prop::collection::vec(arrival, 0..60).prop_map(move |arrivals| {
        let (mut now, mut highest, mut steps) = (-300, i64::MIN, Vec::new());
        for (payment, pause, behind) in arrivals {
            now += pause;
            let time = now - behind;
            highest = highest.max(time);
            steps.push(Step::Slice(vec![(payment, time)]));
            steps.push(Step::Watermark(highest.saturating_sub(bound + 1)));
        }
        steps
    })
}

proptest! {
    #[test]
    fn windows_agree_with_a_naive_oracle_whatever_comes(
        size in 1_i64..50,
        timers_max in 1_usize..5,
        steps in steps(),
    ) {
        prop_assert_eq!(judged(size as u64, timers_max, &steps), naive(size, &steps));
    }

    #[test]
    fn nothing_is_late_while_the_disorder_is_within_the_bound(
        size in 1_i64..50,
        steps in disordered(25),
    ) {
        let (rows, late) = judged(size as u64, 3, &steps);
        let no_watermarks: Vec<_> = steps
            .iter()
            .filter(|step| matches!(step, Step::Slice(_)))
            .cloned()
            .collect();
        prop_assert_eq!(late, vec![]);
        prop_assert_eq!(rows, naive(size, &no_watermarks).0);
    }
}
