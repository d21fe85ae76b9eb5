//! Records that were used up, dropped at the pace at which new ones are made.
//!
//! An allocator hands out cheaply what was given back just before, and dearly what was given back
//! by the thousand. So links leave used records here, and links that make records drop one of them
//! for each.
//!
//! Invariant: no more than `BATCHES_MAX` batches wait; what comes beyond is dropped at once.
//! Belongs to one slot, which drops the rest once it rests. Knows nothing of channels.

use std::any::Any;
use std::fmt;
use std::mem;

/// How many batches may wait: what one slice of a source makes, with some to spare.
const BATCHES_MAX: usize = 32;

/// Records whose type nobody needs to know.
trait Records: Any + Send {
    /// Drops the last one; says whether there are others.
    fn drop_last(&mut self) -> bool;
}

impl<T: Send + 'static> Records for Vec<T> {
    fn drop_last(&mut self) -> bool {
        drop(self.pop());
        !self.is_empty()
    }
}

/// Used records that wait to be dropped.
///
/// ```
/// let mut spent = sameriver_operator::Spent::default();
/// let mut words = vec!["to".to_owned(), "be".to_owned()];
/// spent.take(&mut words);
/// assert!(words.is_empty() && !spent.is_empty());
/// spent.drop_one();
/// spent.drop_one();
/// assert!(spent.is_empty());
/// ```
#[derive(Default)]
pub struct Spent {
    /// None of them is empty; the last one goes first, for it is most likely in the caches.
    waiting: Vec<Box<dyn Records>>,
    /// Allocations to be used again.
    empty: Vec<Box<dyn Records>>,
}

impl Spent {
    /// Takes all records, and leaves a buffer that may have room.
    pub fn take<T: Send + 'static>(&mut self, records: &mut Vec<T>) {
        if !mem::needs_drop::<T>() || self.waiting.len() >= BATCHES_MAX {
            records.clear();
        }
        if records.is_empty() {
            return;
        }
        let mut buffer = self.buffer::<T>();
        mem::swap(&mut *buffer, records);
        self.waiting.push(buffer);
    }

    /// An empty buffer of this type, with an allocation if there is one.
    #[expect(
        clippy::box_collection,
        clippy::unnecessary_box_returns,
        reason = "the box itself is kept and comes back"
    )]
    fn buffer<T: Send + 'static>(&mut self) -> Box<Vec<T>> {
        let is_alike = |records: &dyn Any| records.is::<Vec<T>>();
        let found = self.empty.iter().position(|records| is_alike(&**records));
        let buffer = found.and_then(|position| {
            let buffer: Box<dyn Any> = self.empty.swap_remove(position);
            buffer.downcast::<Vec<T>>().ok()
        });
        buffer.unwrap_or_default()
    }

    /// Drops one record, if any waits.
    #[inline]
    pub fn drop_one(&mut self) {
        if let Some(records) = self.waiting.last_mut()
            && !records.drop_last()
        {
            self.put_away();
        }
    }

    /// Drops all records.
    pub fn drop_all(&mut self) {
        while !self.is_empty() {
            self.drop_one();
        }
    }

    /// As [`drop_one`](Self::drop_one), for a value of type `T` that was made: nothing if such
    /// values hold no memory.
    #[inline]
    pub(crate) fn drop_one_for<T>(&mut self) {
        if mem::needs_drop::<T>() {
            self.drop_one();
        }
    }

    fn put_away(&mut self) {
        if let Some(emptied) = self.waiting.pop()
            && self.empty.len() < BATCHES_MAX
        {
            self.empty.push(emptied);
        }
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl fmt::Debug for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} batches of spent records", self.waiting.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_call_drops_one_record_and_the_last_batch_goes_first() {
        let mut spent = Spent::default();
        let (first, last) = (Arc::new(1), Arc::new("a"));
        spent.take(&mut vec![Arc::clone(&first)]);
        spent.take(&mut vec![Arc::clone(&last), Arc::clone(&last)]);
        let mut held = Vec::new();
        while !spent.is_empty() {
            spent.drop_one();
            held.push((Arc::strong_count(&first), Arc::strong_count(&last)));
        }
        assert_eq!(held, [(2, 2), (2, 1), (1, 1)]);
    }

    #[test]
    fn what_comes_beyond_the_limit_is_dropped_at_once() {
        let (mut spent, record) = (Spent::default(), Arc::new(()));
        for _ in 0..2 * BATCHES_MAX {
            spent.take(&mut vec![Arc::clone(&record)]);
        }
        assert_eq!(Arc::strong_count(&record), 1 + BATCHES_MAX);
    }

    #[test]
    fn an_emptied_buffer_comes_back_to_records_of_its_type() {
        let mut spent = Spent::default();
        let mut words = Vec::with_capacity(100);
        words.push("word".to_owned());
        spent.take(&mut words);
        spent.drop_one();
        spent.take(&mut vec![vec![0_u8]]);
        words.push("other".to_owned());
        spent.take(&mut words);
        assert!(words.is_empty() && words.capacity() >= 100);
    }
}
