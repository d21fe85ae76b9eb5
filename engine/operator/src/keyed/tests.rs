//! Keyed operators: order, timers in slices, errors, and a fold as oracle.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sameriver_model::{EventTime, Watermark};
use sameriver_state::{At, Declare, DeclareError, ValueState};

use super::*;
use crate::consumer::{Consumer, Progress};
use crate::error::UserError;
use crate::key_selector::{ByRef, ByValue};
use crate::out::Out;
use crate::testing::{
    Collecting, Log, Seen, args, context, context_with_timers_max, failure_of, run, timed, untimed,
};

type Click = (String, u64);

fn click(user: &str, n: u64) -> Click {
    (user.to_owned(), n)
}

/// Counts the clicks of a user; emits the count when 10 ms have passed since one of them.
#[derive(Clone)]
struct CountThenFlush;

impl KeyedProcess<String, Click> for CountThenFlush {
    type Out = (String, u64);
    type States = ValueState<u64>;

    fn states(&self, declare: &mut Declare<'_, String>) -> Result<Self::States, DeclareError> {
        declare.value("count")
    }

    fn record(
        &self,
        count: &ValueState<u64>,
        (user, n): Click,
        at: &mut At<'_, String>,
        _out: &mut Out<'_, (String, u64)>,
    ) -> Result<(), UserError> {
        if n == 13 {
            return Err(UserError::msg(format!("{user} is unlucky")));
        }
        count.update(at, |count| *count.get_or_insert(0) += n)?;
        let time = at.time().ok_or_else(|| UserError::msg("no event time"))?;
        at.timer_at(time.as_millis() + 10)?;
        Ok(())
    }

    fn timer(
        &self,
        count: &ValueState<u64>,
        _timer: Timer,
        at: &mut At<'_, String>,
        out: &mut Out<'_, (String, u64)>,
    ) -> Result<(), UserError> {
        match count.update(at, Option::take)? {
            Some(99) => Err(UserError::msg("99 may not be flushed")),
            Some(count) => {
                out.emit((at.key().clone(), count));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn flusher() -> (Box<dyn Consumer<Click>>, Log<(String, u64)>) {
    let (end, seen) = Collecting::new();
    let by_user = ByRef::new(|click: &Click| click.0.as_str());
    let flusher = process("flush", by_user, CountThenFlush, &args(8), end);
    (flusher.expect("declares"), seen)
}

fn at(millis: i64) -> Watermark {
    Watermark::at(EventTime::from_millis(millis))
}

#[test]
fn a_timer_fires_when_the_watermark_reaches_it_and_before_the_watermark_goes_on() {
    let (mut flusher, seen) = flusher();
    let clicks = [(click("ann", 1), 5), (click("ann", 2), 5)];
    run(&mut *flusher, timed(clicks), Some(14));
    assert_eq!(seen.take(), [Seen::Watermark(14)]);
    run(&mut *flusher, timed([]), Some(15));
    let flushed = Seen::Record(click("ann", 3), Some(15));
    assert_eq!(seen.take(), [flushed, Seen::Watermark(15)]);
}

#[test]
fn timers_of_one_time_fire_in_the_order_of_their_keys() {
    let (mut flusher, seen) = flusher();
    let users = ["cid", "ann", "bob", "an"];
    run(
        &mut *flusher,
        timed(users.map(|user| (click(user, 1), 5))),
        Some(99),
    );
    let users: Vec<_> = seen.records().into_iter().map(|(user, _)| user).collect();
    assert_eq!(users, ["an", "ann", "bob", "cid"]);
}

#[test]
fn timers_fire_in_slices_and_the_watermark_waits_for_the_last() {
    let (mut flusher, seen) = flusher();
    let users = ["a", "b", "c"];
    run(
        &mut *flusher,
        timed(users.map(|user| (click(user, 1), 5))),
        None,
    );
    let cx = &mut context_with_timers_max(2);
    let first = flusher.watermark(at(50), cx).expect("fires");
    let fired: Vec<_> = ["a", "b"]
        .map(|user| Seen::Record(click(user, 1), Some(15)))
        .into();
    assert_eq!((first, seen.take()), (Progress::More, fired));
    let second = flusher.resume(cx).expect("fires");
    let fired = vec![Seen::Record(click("c", 1), Some(15)), Seen::Watermark(50)];
    assert_eq!((second, seen.take()), (Progress::Done, fired));
}

#[test]
fn what_waits_below_is_resumed_after_the_last_timer() {
    let (end, seen) = Collecting::answering([Progress::Waiting, Progress::Done]);
    let by_user = ByRef::new(|click: &Click| click.0.as_str());
    let flusher = process("flush", by_user, CountThenFlush, &args(8), end);
    let (mut flusher, cx) = (flusher.expect("declares"), &mut context());
    assert_eq!(
        flusher.watermark(at(1), cx).expect("works"),
        Progress::Waiting
    );
    assert_eq!(flusher.resume(cx).expect("works"), Progress::Done);
    assert_eq!(seen.take(), [Seen::Watermark(1), Seen::Resume]);
}

#[test]
fn a_failing_record_is_reported_with_operator_position_and_cause() {
    let (mut flusher, _seen) = flusher();
    let error = failure_of(
        &mut *flusher,
        timed([(click("ann", 13), 5)]),
        &mut context(),
    );
    let text = "operator flush failed at words.txt, bytes 100..200: ann is unlucky";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_failing_timer_is_reported_without_a_position() {
    let (mut flusher, _seen) = flusher();
    run(&mut *flusher, timed([(click("ann", 99), 5)]), None);
    let error = flusher
        .watermark(at(50), &mut context())
        .expect_err("fails");
    let text = "operator flush failed at no record: 99 may not be flushed";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_refused_declaration_names_the_operator() {
    let (end, _seen) = Collecting::<u64>::new();
    let twice = FromFn::new(|declare: &mut Declare<'_, u64>| {
        let seen = declare.value::<bool>("seen")?;
        declare.value::<bool>("seen")?;
        Ok(
            move |n: u64, at: &mut At<'_, u64>, out: &mut Out<'_, u64>| {
                seen.set(at, true)?;
                out.emit(n);
                Ok(())
            },
        )
    });
    let by_value = ByValue::new(|n: &u64| *n);
    let refused = process("first", by_value, twice, &args(8), end);
    let error = refused.map(|_| ()).expect_err("declared twice").to_string();
    assert!(error.contains("state of operator first"), "{error}");
}

#[test]
fn the_closure_form_holds_state_by_key() {
    let (end, seen) = Collecting::new();
    let first = FromFn::new(|declare: &mut Declare<'_, u64>| {
        let seen = declare.value::<bool>("seen")?;
        Ok(
            move |n: u64, at: &mut At<'_, u64>, out: &mut Out<'_, u64>| {
                if !seen.update(at, |seen| seen.replace(true).is_some())? {
                    out.emit(n);
                }
                Ok(())
            },
        )
    });
    let by_last_digit = ByValue::new(|n: &u64| n % 10);
    let first = process("first", by_last_digit, first, &args(8), end);
    run(
        &mut *first.expect("declares"),
        untimed([1, 12, 21, 32, 3]),
        None,
    );
    assert_eq!(seen.records(), [1, 12, 3]);
}

#[test]
fn reduce_emits_what_the_records_of_a_key_come_to_after_each() {
    let (end, seen) = Collecting::new();
    let by_user = ByRef::new(|click: &Click| click.0.as_str());
    let join = |before: Click, new: Click| (before.0, before.1 * 10 + new.1);
    let mut reduce = reduce("digits", by_user, join, &args(8), end).expect("opens");
    let clicks = [
        (click("ann", 1), 10),
        (click("bob", 7), 20),
        (click("ann", 2), 30),
    ];
    run(&mut *reduce, timed(clicks), Some(5));
    assert_eq!(
        seen.take(),
        [
            Seen::Record(click("ann", 1), Some(10)),
            Seen::Record(click("bob", 7), Some(20)),
            Seen::Record(click("ann", 12), Some(30)),
            Seen::Watermark(5),
        ]
    );
}

#[test]
fn min_and_max_emit_the_extreme_so_far() {
    let records = [(0_u8, 3_i32), (0, 5), (1, 9), (0, 1)];
    let by_key = ByValue::new(|record: &(u8, i32)| record.0);
    let extract = |record: &(u8, i32)| record.1;
    let (end, least) = Collecting::new();
    run(
        &mut *min("min", by_key.clone(), extract, &args(8), end).expect("opens"),
        untimed(records),
        None,
    );
    let (end, greatest) = Collecting::new();
    run(
        &mut *max("max", by_key, extract, &args(8), end).expect("opens"),
        untimed(records),
        None,
    );
    assert_eq!(least.records(), [(0, 3), (0, 3), (1, 9), (0, 1)]);
    assert_eq!(greatest.records(), [(0, 3), (0, 5), (1, 9), (0, 5)]);
}

#[test]
fn a_sum_out_of_range_names_operator_key_and_number() {
    let (end, _seen) = Collecting::new();
    let by_key = ByValue::new(|record: &(u16, u8)| record.0);
    let mut sum = sum(
        "bytes",
        by_key,
        |record: &(u16, u8)| record.1,
        &args(8),
        end,
    )
    .expect("opens");
    let error = failure_of(&mut *sum, untimed([(7, 200), (7, 56)]), &mut context()).to_string();
    for part in ["operator bytes", "u16", "u8", "extract a wider number"] {
        assert!(error.contains(part), "{error}");
    }
}

/// Hides a float, which has no canonical bytes, in a key.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Hidden(f64);

impl PartialEq for Hidden {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Hidden {}

impl std::hash::Hash for Hidden {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

#[test]
fn a_float_inside_a_key_is_refused_at_the_first_record() {
    let (end, _seen) = Collecting::new();
    let by_float = ByValue::new(|n: &u32| Hidden(f64::from(*n)));
    let mut sum = sum("sums", by_float, |n: &u32| *n, &args(8), end).expect("opens");
    let error = failure_of(&mut *sum, untimed([1]), &mut context()).to_string();
    assert!(error.contains("operator sums"), "{error}");
    assert!(error.contains("Hidden"), "{error}");
}

proptest! {
    #[test]
    fn a_keyed_sum_is_the_fold_over_the_records_of_the_key(
        records in prop::collection::vec(("[a-c]{0,2}", 0_u32..1000), 0..200),
        slice in 1_usize..20,
    ) {
        let (end, seen) = Collecting::new();
        let by_name = ByRef::new(|record: &(String, u32)| record.0.as_str());
        let mut sum = sum("sum", by_name, |record: &(String, u32)| record.1, &args(8), end).expect("opens");
        for slice in records.chunks(slice) {
            run(&mut *sum, untimed(slice.iter().cloned()), None);
        }
        let mut sums = BTreeMap::new();
        let expected = records.into_iter().map(|(name, number)| {
            let sum = sums.entry(name.clone()).or_insert(0);
            *sum += number;
            (name, *sum)
        });
        prop_assert_eq!(seen.records(), expected.collect::<Vec<_>>());
    }
}
