//! A batch of one channel that is not full yet.
//!
//! Invariant: it never holds records with and without event times at once, and never more than its
//! limit.

use std::any::Any;
use std::vec::Drain;

use sameriver_model::{AnyBatch, Batch, EventTime};

pub(super) struct PartialBatch<T> {
    batch: Box<Batch<T>>,
    records_max: usize,
}

impl<T: Send + 'static> PartialBatch<T> {
    pub(super) fn new(records_max: usize) -> Self {
        Self {
            batch: Box::default(),
            records_max: records_max.max(1),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= self.records_max
    }

    /// Whether records with (or without) event times can be added to what is held.
    pub(super) fn is_alike(&self, timed: bool) -> bool {
        self.batch.times().is_some() == timed
    }

    /// How many records can be added.
    pub(super) fn room(&self) -> usize {
        self.records_max - self.batch.len()
    }

    /// Appends one record.
    #[inline]
    pub(super) fn push(&mut self, record: T, time: Option<EventTime>) {
        self.batch.push(record, time);
    }

    /// Appends all of `from`, which must fit; without a copy where nothing is held.
    pub(super) fn append(&mut self, from: &mut Batch<T>) {
        from.move_front(usize::MAX, &mut self.batch);
    }

    /// Appends records, and their event times if they have some, until the batch is full.
    pub(super) fn fill(
        &mut self,
        records: &mut Drain<'_, T>,
        times: Option<&mut Drain<'_, EventTime>>,
    ) {
        let count = self.room().min(records.len());
        let (held, held_times) = self.batch.parts_mut();
        move_some(records, count, held);
        *held_times = times.map(|times| {
            let mut held_times = held_times.take().unwrap_or_default();
            move_some(times, count, &mut held_times);
            held_times
        });
    }

    /// Takes what is held, and goes on with `spare`, an empty batch; without one, the next batch is
    /// expected to be as large. The used records that come with it are appended to `spent`.
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "the box itself travels and comes back"
    )]
    pub(super) fn take(
        &mut self,
        spare: Option<Box<dyn AnyBatch>>,
        spent: &mut Vec<T>,
    ) -> Box<Batch<T>> {
        let spare = spare.and_then(|spare| {
            let spare: Box<dyn Any> = spare;
            spare.downcast::<Batch<T>>().ok()
        });
        let fresh = || {
            let room = self.batch.len();
            let times = self.batch.times().map(|_| Vec::with_capacity(room));
            Box::new(Batch::from_parts(Vec::with_capacity(room), times))
        };
        let mut fresh = spare.unwrap_or_else(fresh);
        spent.append(fresh.spent_mut());
        debug_assert!(fresh.is_empty(), "a spare batch holds nothing");
        std::mem::replace(&mut self.batch, fresh)
    }
}

/// Moves `count` elements, which must be there.
fn move_some<T>(from: &mut Drain<'_, T>, count: usize, into: &mut Vec<T>) {
    let moved = (0..count).map(|_| from.next().expect("there are at least as many"));
    into.extend(moved);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_records_that_come_home_never_meet_new_ones() {
        let (mut partial, mut home) = (PartialBatch::new(2), Vec::new());
        partial.push("new", None);
        let mut spare = Box::new(Batch::<&str>::new());
        spare.spent_mut().push("used");
        let sent = partial.take(Some(spare), &mut home);
        assert_eq!((sent.records(), &*home), (&["new"][..], &["used"][..]));
        assert!(partial.is_empty() && partial.take(None, &mut home).is_empty());
    }
}
