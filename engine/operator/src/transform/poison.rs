//! Functions that may fail on a record, and what becomes of such a record.
//!
//! Invariant: a record on which the function fails has no other result: what was emitted for it is
//! taken back. It is either the end of the job, or counted, or counted and a dead letter; what
//! becomes of it is part of the slice, so it happens as often as the record is read: exactly once
//! where state is.

use std::sync::Arc;

use sameriver_model::codec::wire;
use sameriver_model::{Batch, Element, SectionWriter, Watermark};
use serde::{Deserialize, Serialize};

use crate::branch::{Branch, join, join_walks};
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::drained::Drained;
use crate::error::{OperatorError, UserError};
use crate::out::Out;
use crate::pass_on::pass_on_both;
use crate::side::Side;

/// What becomes of a record on which a function fails.
///
/// ```
/// let skip = sameriver_operator::transform::OnError::<String>::Skip;
/// assert_eq!(skip.to_string(), "skip");
/// ```
#[derive(Default)]
pub enum OnError<T> {
    /// The job fails.
    #[default]
    Fail,
    /// The record is left out, and counted in [`Context::records_skipped`].
    Skip,
    /// The record goes to this side output, and is counted in [`Context::dead_letters`].
    DeadLetter(Box<dyn Consumer<DeadLetter<T>>>),
}

impl<T> std::fmt::Display for OnError<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::DeadLetter(_) => "dead letter",
        })
    }
}

/// A record on which a function has failed, and why. It keeps the event time of the record.
///
/// ```
/// let letter = sameriver_operator::transform::DeadLetter {
///     record: "seven".to_owned(),
///     operator: "parse".to_owned(),
///     position: "numbers.txt, bytes 0..6".to_owned(),
///     error: "not a number".to_owned(),
/// };
/// assert_eq!(letter.record, "seven");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter<T> {
    /// The record.
    pub record: T,
    /// The operator's name.
    pub operator: String,
    /// Where the slice of the record came from.
    pub position: String,
    /// What the function returned.
    pub error: String,
}

/// What a failing record does, without the side output.
enum Policy {
    Fail,
    Skip,
    /// Holds the record in `wire` while the function has it.
    DeadLetter(Vec<u8>),
}

struct Poison<F, T, O> {
    name: Arc<str>,
    call: F,
    policy: Policy,
    out: Batch<O>,
    next: Branch<O>,
    side: Side<DeadLetter<T>>,
}

/// Why a slice failed.
enum Cause {
    User(UserError),
    Codec(wire::WireError),
}

impl<F, T, O> Poison<F, T, O>
where
    T: Element,
    F: Fn(T, &mut Out<'_, O>) -> Result<(), UserError>,
{
    fn records(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), Cause> {
        let mut out = Out::paced(&mut self.out, &mut cx.spent);
        for (record, time) in Drained::of(batch) {
            if let Policy::DeadLetter(kept) = &mut self.policy {
                kept.clear();
                wire::encode_into(&record, kept).map_err(Cause::Codec)?;
            }
            out.set_time(time);
            let mark = out.mark();
            let Err(cause) = (self.call)(record, &mut out) else {
                continue;
            };
            out.rewind(mark);
            match &self.policy {
                Policy::Fail => return Err(Cause::User(cause)),
                Policy::Skip => cx.records_skipped += 1,
                Policy::DeadLetter(kept) => {
                    cx.dead_letters += 1;
                    let letter = DeadLetter {
                        record: wire::decode(kept).map_err(Cause::Codec)?,
                        operator: self.name.to_string(),
                        position: cx.position.to_string(),
                        error: cause.to_string(),
                    };
                    self.side.push(letter, time);
                }
            }
        }
        out.finish().map_err(Cause::User)
    }
}

impl<F, T, O> Consumer<T> for Poison<F, T, O>
where
    T: Element,
    O: Element,
    F: Fn(T, &mut Out<'_, O>) -> Result<(), UserError> + Send,
{
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let done = self.records(batch, cx);
        done.map_err(|cause| match cause {
            Cause::User(cause) => OperatorError::user(&self.name, &cx.position, cause),
            Cause::Codec(cause) => OperatorError::Codec {
                operator: self.name.to_string(),
                position: cx.position.clone(),
                cause: Box::new(cause),
            },
        })?;
        if !self.out.is_empty() {
            self.next.next.slice(&mut self.out, cx)?;
        }
        self.side.hand_on(cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        let main = self.next.watermark(watermark, cx)?;
        Ok(join(main, self.side.watermark(watermark, cx)?))
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        Ok(join(self.next.resume(cx)?, self.side.resume(cx)?))
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.next.next.snapshot(sections)?;
        self.side.snapshot(sections)
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        let next = self.next.next.walk(bytes_max, sections)?;
        Ok(join_walks(next, self.side.walk(bytes_max, sections)?))
    }

    fn drop_snapshot(&mut self) {
        self.next.next.drop_snapshot();
        self.side.drop_snapshot();
    }

    pass_on_both!();
}

/// As [`try_flat_map`](super::try_flat_map), with a choice of what becomes of a record on which `f`
/// fails.
pub fn try_flat_map_or<T: Element, O: Element>(
    name: &str,
    f: impl Fn(T, &mut Out<'_, O>) -> Result<(), UserError> + Send + 'static,
    on_error: OnError<T>,
    next: Box<dyn Consumer<O>>,
) -> Box<dyn Consumer<T>> {
    let (policy, letters) = match on_error {
        OnError::Fail => (Policy::Fail, None),
        OnError::Skip => (Policy::Skip, None),
        OnError::DeadLetter(letters) => (Policy::DeadLetter(Vec::new()), Some(letters)),
    };
    Box::new(Poison {
        name: name.into(),
        call: f,
        policy,
        out: Batch::new(),
        next: Branch::new(next),
        side: Side::new(letters),
    })
}

/// As [`try_map`](super::try_map), with a choice of what becomes of a record on which `f` fails.
pub fn try_map_or<T: Element, O: Element>(
    name: &str,
    f: impl Fn(T) -> Result<O, UserError> + Send + 'static,
    on_error: OnError<T>,
    next: Box<dyn Consumer<O>>,
) -> Box<dyn Consumer<T>> {
    let f = move |record: T, out: &mut Out<'_, O>| {
        out.emit(f(record)?);
        Ok(())
    };
    try_flat_map_or(name, f, on_error, next)
}

/// As [`try_filter`](super::try_filter), with a choice of what becomes of a record on which `keep`
/// fails.
pub fn try_filter_or<T: Element>(
    name: &str,
    keep: impl Fn(&T) -> Result<bool, UserError> + Send + 'static,
    on_error: OnError<T>,
    next: Box<dyn Consumer<T>>,
) -> Box<dyn Consumer<T>> {
    let f = move |record: T, out: &mut Out<'_, T>| {
        if keep(&record)? {
            out.emit(record);
        }
        Ok(())
    };
    try_flat_map_or(name, f, on_error, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Log, Seen, context, failure_of, timed};

    /// Emits each number twice; fails on 13 after the first time.
    fn twice(n: u64, out: &mut Out<'_, u64>) -> Result<(), UserError> {
        out.emit(n);
        if n == 13 {
            return Err(UserError::msg("13 is unlucky"));
        }
        out.emit(n);
        Ok(())
    }

    fn link(on_error: OnError<u64>) -> (Box<dyn Consumer<u64>>, Log<u64>) {
        let (end, seen) = Collecting::new();
        (try_flat_map_or("twice", twice, on_error, end), seen)
    }

    fn slice() -> Batch<u64> {
        timed([(1, 10), (13, 20), (2, 30), (13, 40)])
    }

    fn doubled() -> [Seen<u64>; 4] {
        [(1, 10), (1, 10), (2, 30), (2, 30)].map(|(n, time)| Seen::Record(n, Some(time)))
    }

    #[test]
    fn a_failing_record_fails_the_job_unless_something_else_is_asked_for() {
        let (mut link, _seen) = link(OnError::default());
        let error = failure_of(&mut *link, slice(), &mut context());
        let expected = "operator twice failed at words.txt, bytes 100..200: 13 is unlucky";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_skipped_record_is_counted_and_leaves_no_result() {
        let (mut link, seen) = link(OnError::Skip);
        let cx = &mut context();
        link.slice(&mut slice(), cx).expect("skips");
        assert_eq!((seen.take(), cx.records_skipped), (doubled().into(), 2));
    }

    #[test]
    fn a_dead_letter_has_the_record_its_time_and_the_error() {
        let (letters, dead) = Collecting::new();
        let (mut link, seen) = link(OnError::DeadLetter(letters));
        let cx = &mut context();
        link.slice(&mut slice(), cx).expect("writes letters");
        let letter = DeadLetter {
            record: 13,
            operator: "twice".to_owned(),
            position: "words.txt, bytes 100..200".to_owned(),
            error: "13 is unlucky".to_owned(),
        };
        let letters = [20, 40].map(|time| Seen::Record(letter.clone(), Some(time)));
        assert_eq!((dead.take(), cx.dead_letters), (letters.into(), 2));
        assert_eq!(seen.take(), doubled());
    }

    #[test]
    fn maps_and_filters_have_the_same_choice() {
        let (end, seen) = Collecting::new();
        let keep = |n: &u64| match n {
            13 => Err(UserError::msg("13 is unlucky")),
            n => Ok(n % 2 == 1),
        };
        let odd = try_filter_or("odd", keep, OnError::Skip, end);
        let checked = |n: u64| n.checked_sub(1).ok_or_else(|| UserError::msg("below zero"));
        let mut link = try_map_or("less", checked, OnError::Skip, odd);
        let cx = &mut context();
        let mut slice = timed([(0, 1), (14, 2), (4, 3), (5, 4)]);
        link.slice(&mut slice, cx).expect("skips");
        assert_eq!(seen.take(), [Seen::Record(3, Some(3))]);
        assert_eq!(cx.records_skipped, 2);
    }

    #[test]
    fn dead_letters_come_before_the_watermark_that_follows_their_records() {
        let (letters, dead) = Collecting::new();
        let (mut link, seen) = link(OnError::DeadLetter(letters));
        crate::testing::run(&mut *link, timed([(13, 20)]), Some(25));
        assert_eq!(dead.take().last(), Some(&Seen::Watermark(25)));
        assert_eq!(seen.take(), [Seen::Watermark(25)]);
    }
}
