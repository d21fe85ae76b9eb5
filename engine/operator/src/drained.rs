//! Takes the records out of a slice a few at a time, so that work ahead stays in the caches.
//!
//! Invariant: records come in order, each with its event time; what is not taken is dropped with
//! this, so the slice is empty afterwards in every case.

use std::vec::Drain;

use sameriver_model::{Batch, EventTime};

/// How many records are looked at ahead.
///
/// More than the processor keeps loads in flight for, and few enough that what was loaded is still
/// in the first cache when it is used. 8 and 256 were measured to be slower.
const AHEAD: usize = 32;

/// How many used records go back with a batch; what comes beyond is dropped at once.
const SPENT_MAX: usize = 1024;

pub(crate) struct Drained<'a, T> {
    records: Drain<'a, T>,
    times: Option<Drain<'a, EventTime>>,
    spent: &'a mut Vec<T>,
}

impl<'a, T> Drained<'a, T> {
    pub(crate) fn of(batch: &'a mut Batch<T>) -> Self {
        let (records, times, spent) = batch.parts_and_spent_mut();
        Self {
            records: records.drain(..),
            times: times.as_mut().map(|times| times.drain(..)),
            spent,
        }
    }

    /// Lets a record that was only looked at go back with the batch, to be dropped where it was
    /// made.
    #[inline]
    pub(crate) fn spend(&mut self, record: T) {
        if std::mem::needs_drop::<T>() && self.spent.len() < SPENT_MAX {
            self.spent.push(record);
        }
    }

    /// The next few records; empty at the end.
    #[inline]
    pub(crate) fn ahead(&self) -> &[T] {
        let left = self.records.as_slice();
        &left[..left.len().min(AHEAD)]
    }
}

impl<T> Iterator for Drained<'_, T> {
    type Item = (T, Option<EventTime>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        Some((record, self.times.as_mut().and_then(Iterator::next)))
    }
}
