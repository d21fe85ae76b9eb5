//! A batch of one channel that is not full yet.
//!
//! Invariant: it never holds records with and without event times at once, and never more than its
//! limit.

use sameriver_model::{Batch, EventTime};

pub(super) struct PartialBatch<T> {
    batch: Batch<T>,
    records_max: usize,
}

impl<T> PartialBatch<T> {
    pub(super) fn new(records_max: usize) -> Self {
        Self {
            batch: Batch::new(),
            records_max: records_max.max(1),
        }
    }

    /// Takes what is held; the next batch is expected to be as large.
    pub(super) fn take(&mut self) -> Option<Batch<T>> {
        if self.batch.is_empty() {
            return None;
        }
        let room = self.batch.len();
        let times = self.batch.times().map(|_| Vec::with_capacity(room));
        let fresh = Batch::from_parts(Vec::with_capacity(room), times);
        Some(std::mem::replace(&mut self.batch, fresh))
    }

    /// Before records with (or without) event times: what is held must go first if it is of the
    /// other sort.
    pub(super) fn align(&mut self, timed: bool) -> Option<Batch<T>> {
        if self.batch.times().is_some() == timed {
            return None;
        }
        self.take()
    }

    /// Appends one record; returns the batch when it is full.
    #[inline]
    pub(super) fn push(&mut self, record: T, time: Option<EventTime>) -> Option<Batch<T>> {
        self.batch.push(record, time);
        if self.batch.len() < self.records_max {
            return None;
        }
        self.take()
    }

    /// Moves all of `from` in, and calls `full` with every batch that becomes full on the way.
    pub(super) fn append(&mut self, from: &mut Batch<T>, mut full: impl FnMut(Batch<T>)) {
        if let Some(batch) = self.align(from.times().is_some()) {
            full(batch);
        }
        while !from.is_empty() {
            let room = self.records_max - self.batch.len();
            from.move_front(room, &mut self.batch);
            if self.batch.len() == self.records_max
                && let Some(batch) = self.take()
            {
                full(batch);
            }
        }
    }
}
