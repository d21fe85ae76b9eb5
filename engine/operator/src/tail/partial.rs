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
        self.take_full()
    }

    /// Moves all of `from` in, and calls `full` with every batch that becomes full on the way.
    pub(super) fn append(&mut self, from: &mut Batch<T>, mut full: impl FnMut(Batch<T>)) {
        if let Some(batch) = self.align(from.times().is_some()) {
            full(batch);
        }
        if from.len() <= self.records_max - self.batch.len() {
            from.move_front(usize::MAX, &mut self.batch);
            self.take_full().into_iter().for_each(&mut full);
            return;
        }
        // More than one batch: each record moves once, whatever the length of `from`.
        let (records, times) = from.parts_mut();
        let mut times = times.as_mut().map(|times| times.drain(..));
        let mut records = records.drain(..);
        while records.len() > 0 {
            let room = self.records_max - self.batch.len();
            let (held, held_times) = self.batch.parts_mut();
            held.extend(records.by_ref().take(room));
            *held_times = times.as_mut().map(|times| {
                let mut held_times = held_times.take().unwrap_or_default();
                held_times.extend(times.take(room));
                held_times
            });
            self.take_full().into_iter().for_each(&mut full);
        }
    }

    fn take_full(&mut self) -> Option<Batch<T>> {
        if self.batch.len() < self.records_max {
            return None;
        }
        self.take()
    }
}
