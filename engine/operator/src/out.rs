//! Where a user's function puts its results.
//!
//! Invariant: the results of one slice have event times all or none. A function that mixes both is
//! refused with an error after the slice; nothing of that slice is handed on.

use sameriver_model::{Batch, EventTime};

use crate::error::UserError;
use crate::spent::Spent;

/// Takes the results of a function.
///
/// ```
/// use sameriver_model::{Batch, EventTime};
/// use sameriver_operator::Out;
/// let mut results = Batch::new();
/// let mut out = Out::new(&mut results, Some(EventTime::from_millis(7)));
/// out.emit("at the time of the input");
/// out.emit_at("later", EventTime::from_millis(8));
/// assert_eq!(results.time(1), Some(EventTime::from_millis(8)));
/// ```
#[derive(Debug)]
pub struct Out<'a, T> {
    records: &'a mut Vec<T>,
    times: &'a mut Option<Vec<EventTime>>,
    time: Option<EventTime>,
    mixed: bool,
    /// Used records, of which one is dropped for each result.
    spent: Option<&'a mut Spent>,
}

impl<'a, T> Out<'a, T> {
    /// Appends results to `batch`; those that are just emitted get the event time `time`.
    pub fn new(batch: &'a mut Batch<T>, time: Option<EventTime>) -> Self {
        let (records, times) = batch.parts_mut();
        Self {
            records,
            times,
            time,
            mixed: false,
            spent: None,
        }
    }

    /// As [`new`](Self::new), for a function that makes its results: for each one, a used record is
    /// dropped.
    pub(crate) fn paced(batch: &'a mut Batch<T>, spent: &'a mut Spent) -> Self {
        Self {
            spent: std::mem::needs_drop::<T>().then_some(spent),
            ..Self::new(batch, None)
        }
    }

    /// Emits a result with the event time of the input (or of the timer).
    #[inline]
    pub fn emit(&mut self, record: T) {
        self.push(record, self.time);
    }

    /// Emits a result with an event time of its own.
    #[inline]
    pub fn emit_at(&mut self, record: T, time: impl Into<EventTime>) {
        self.push(record, Some(time.into()));
    }

    /// Where the results end now.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            len: self.records.len(),
            mixed: self.mixed,
        }
    }

    /// Takes back what was emitted since.
    pub(crate) fn rewind(&mut self, to: Mark) {
        self.records.truncate(to.len);
        if let Some(times) = self.times {
            times.truncate(to.len);
        }
        self.mixed = to.mixed;
    }

    /// From now on, results are those of an input at `time`.
    #[inline]
    pub(crate) fn set_time(&mut self, time: Option<EventTime>) {
        self.time = time;
    }

    /// Whether the results have event times all or none.
    pub(crate) fn finish(self) -> Result<(), UserError> {
        if !self.mixed {
            return Ok(());
        }
        Err(UserError::msg(
            "some results have an event time and some have none: use `emit_at` for all of them, \
             or give the input event times by `watermarks`",
        ))
    }

    #[inline]
    fn push(&mut self, record: T, time: Option<EventTime>) {
        match (time, &mut *self.times) {
            (Some(time), Some(times)) => times.push(time),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                if !self.records.is_empty() {
                    self.mixed = true;
                    return;
                }
                *self.times = time.map(|time| vec![time]);
            }
        }
        self.records.push(record);
        if let Some(spent) = &mut self.spent {
            spent.drop_one();
        }
    }
}

/// A place among the results of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    len: usize,
    mixed: bool,
}

/// Takes every record out of `batch`, with its event time. After an error the rest is gone too.
#[inline]
pub(crate) fn drain_each<T, E>(
    batch: &mut Batch<T>,
    mut each: impl FnMut(T, Option<EventTime>) -> Result<(), E>,
) -> Result<(), E> {
    let (records, times) = batch.parts_mut();
    match times {
        Some(times) => {
            let mut both = records.drain(..).zip(times.drain(..));
            both.try_for_each(|(record, time)| each(record, Some(time)))
        }
        None => records.drain(..).try_for_each(|record| each(record, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_with_and_without_event_time_in_one_slice_are_refused() {
        let mut batch = Batch::new();
        let mut out = Out::new(&mut batch, None);
        out.emit(1);
        out.emit_at(2, 5);
        let error = out.finish().expect_err("mixed").to_string();
        assert!(error.contains("emit_at"), "{error}");
        assert_eq!(batch.records(), [1]);
    }

    #[test]
    fn the_first_result_of_an_empty_batch_decides_about_times() {
        let mut batch = Batch::from_parts(vec![0], Some(vec![EventTime::MIN]));
        batch.clear();
        let mut out = Out::new(&mut batch, None);
        out.emit(1);
        out.emit(2);
        out.finish().expect("none has a time");
        assert_eq!(batch.times(), None);
    }
}
