//! Records that travel together, and the same with their type erased.
//!
//! Invariant: event times are absent for the whole batch or parallel to the records. The rooms
//! that move batches never learn the record type.

use std::any::Any;

use crate::event_time::EventTime;

/// Records of one type with their event times.
///
/// ```
/// use sameriver_model::{Batch, EventTime};
/// let mut batch = Batch::new();
/// batch.push("a", Some(EventTime::from_millis(1)));
/// batch.push("b", Some(EventTime::from_millis(2)));
/// assert_eq!(batch.len(), 2);
/// assert_eq!(batch.time(1), Some(EventTime::from_millis(2)));
/// ```
#[derive(Debug)]
pub struct Batch<T> {
    records: Vec<T>,
    times: Option<Vec<EventTime>>,
    /// Used records that somebody else will drop; no part of what the batch says.
    spent: Vec<T>,
    /// Whether `clear` keeps the records as spent ones.
    keeps_spent: bool,
}

impl<T: Clone> Clone for Batch<T> {
    fn clone(&self) -> Self {
        Self {
            records: self.records.clone(),
            times: self.times.clone(),
            ..Self::new()
        }
    }
}

impl<T: PartialEq> PartialEq for Batch<T> {
    fn eq(&self, other: &Self) -> bool {
        self.records == other.records && self.times == other.times
    }
}

impl<T: Eq> Eq for Batch<T> {}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Batch<T> {
    /// An empty batch without event times.
    #[inline]
    pub const fn new() -> Self {
        Self {
            records: Vec::new(),
            times: None,
            spent: Vec::new(),
            keeps_spent: false,
        }
    }

    /// An empty batch with room for `capacity` records.
    #[inline]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            records: Vec::with_capacity(capacity),
            ..Self::new()
        }
    }

    /// Joins records and their event times.
    ///
    /// # Panics
    /// If there are times, but not exactly one a record.
    pub fn from_parts(records: Vec<T>, times: Option<Vec<EventTime>>) -> Self {
        if let Some(times) = &times {
            assert_eq!(times.len(), records.len(), "one event time a record");
        }
        Self {
            records,
            times,
            ..Self::new()
        }
    }

    /// Takes the batch apart: records, and times that are parallel to them.
    pub fn into_parts(self) -> (Vec<T>, Option<Vec<EventTime>>) {
        (self.records, self.times)
    }

    /// The number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records in order.
    #[inline]
    pub fn records(&self) -> &[T] {
        &self.records
    }

    /// The event times, parallel to the records; `None` when no record has one.
    #[inline]
    pub fn times(&self) -> Option<&[EventTime]> {
        self.times.as_deref()
    }

    /// The event time of the record at `position`.
    #[inline]
    pub fn time(&self, position: usize) -> Option<EventTime> {
        self.times
            .as_ref()
            .and_then(|times| times.get(position))
            .copied()
    }

    /// Both halves, to be drained together; the caller leaves them equally long.
    #[inline]
    pub fn parts_mut(&mut self) -> (&mut Vec<T>, &mut Option<Vec<EventTime>>) {
        (&mut self.records, &mut self.times)
    }

    /// As [`parts_mut`](Self::parts_mut), and the used records that travel with the batch: whoever
    /// fills the batch again drops them, which is cheapest for the thread that made them.
    #[inline]
    pub fn parts_and_spent_mut(
        &mut self,
    ) -> (&mut Vec<T>, &mut Option<Vec<EventTime>>, &mut Vec<T>) {
        (&mut self.records, &mut self.times, &mut self.spent)
    }

    /// The used records that wait to be dropped.
    #[inline]
    pub fn spent_mut(&mut self) -> &mut Vec<T> {
        &mut self.spent
    }

    /// Says whether [`clear`](Self::clear) keeps the records as [spent](Self::spent_mut) ones.
    pub fn keep_spent(&mut self, keeps: bool) {
        self.keeps_spent = keeps;
    }

    /// Appends a record.
    ///
    /// The first record of an empty batch decides whether the batch has event times.
    ///
    /// # Panics
    /// In debug builds, if a record with a time meets a batch without times, or the reverse.
    #[inline]
    pub fn push(&mut self, record: T, time: Option<EventTime>) {
        match (time, &mut self.times) {
            (Some(time), Some(times)) => times.push(time),
            (None, None) => {}
            (Some(time), none) => {
                debug_assert!(
                    self.records.is_empty(),
                    "event times for all records or none"
                );
                *none = Some(vec![time]);
            }
            (None, some) => {
                debug_assert!(
                    self.records.is_empty(),
                    "event times for all records or none"
                );
                *some = None;
            }
        }
        self.records.push(record);
    }

    /// Moves up to `max` records from the front of `self` to the end of `into`.
    ///
    /// When `into` is empty and everything moves, buffers are swapped and nothing is copied.
    pub fn move_front(&mut self, max: usize, into: &mut Self) {
        if into.is_empty() && max >= self.len() {
            std::mem::swap(self, into);
            self.clear();
            return;
        }
        let count = max.min(self.len());
        if count == 0 {
            // An empty batch says nothing about event times.
            return;
        }
        match (&mut self.times, &mut into.times) {
            (Some(from), Some(to)) => to.extend(from.drain(..count)),
            (Some(from), none) => *none = Some(from.drain(..count).collect()),
            (None, some) => *some = None,
        }
        into.records.extend(self.records.drain(..count));
    }

    /// Removes all records and keeps the allocation.
    #[inline]
    pub fn clear(&mut self) {
        if self.keeps_spent && self.spent.is_empty() {
            std::mem::swap(&mut self.records, &mut self.spent);
        }
        self.records.clear();
        if let Some(times) = &mut self.times {
            times.clear();
        }
    }
}

/// A batch whose record type is known only at the two ends of its channel.
pub trait AnyBatch: Any + Send {
    /// The number of records.
    fn len(&self) -> usize;
    /// Whether there is no record.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The typed batch behind a `downcast_ref`.
    fn as_any(&self) -> &dyn Any;
    /// The typed batch behind a `downcast_mut`.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Send + 'static> AnyBatch for Batch<T> {
    fn len(&self) -> usize {
        self.records.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_of_a_batch_moves_in_order_with_its_times() {
        let at = |ms| Some(EventTime::from_millis(ms));
        let (mut from, mut into) = (Batch::new(), Batch::new());
        for n in 0..5 {
            from.push(n, at(n));
        }
        from.move_front(2, &mut into);
        from.move_front(2, &mut into);
        assert_eq!(into.records(), [0, 1, 2, 3]);
        assert_eq!(into.time(3), at(3));
        assert_eq!(from.records(), [4]);
    }

    #[test]
    fn spent_records_are_no_part_of_what_a_batch_says() {
        let mut batch = Batch::from_parts(vec!["a"], None);
        batch.keep_spent(true);
        batch.clear();
        assert!(batch.is_empty() && batch == Batch::new());
        assert_eq!(*batch.spent_mut(), ["a"]);
        assert!(batch.clone().spent_mut().is_empty());
    }

    #[test]
    fn clearing_twice_never_gathers_spent_records() {
        let mut batch = Batch::new();
        batch.keep_spent(true);
        for n in 0..3 {
            batch.push(n, None);
            batch.clear();
        }
        assert_eq!(*batch.spent_mut(), [0]);
    }

    #[test]
    fn moving_nothing_leaves_the_event_times_of_the_other_batch() {
        let mut into = Batch::from_parts(vec![1], Some(vec![EventTime::MIN]));
        Batch::new().move_front(usize::MAX, &mut into);
        assert_eq!(into.time(0), Some(EventTime::MIN));
    }
}
