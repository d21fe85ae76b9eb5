//! The bounded queue of one channel, between two slots of a process or a slot and a connection.
//!
//! Invariant: elements leave in the order in which they came, whole batches are moved and never
//! copied. Only batches count against the capacity; marks that stand directly behind one another
//! are joined, never across a barrier, so that their number is bounded by that of the batches and
//! checkpoints. After the end only barriers follow, until the sender closes its end. Knows nothing
//! of records.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sameriver_model::{AnyBatch, ChannelId, Failure, StreamElement};
use sameriver_runtime::Wake;

/// When the sending end wants to be woken.
#[derive(Clone, Debug)]
pub(crate) enum Producer {
    /// When a full queue has room again, and when the end of input was taken: a slot.
    AtRoom(Wake),
    /// When a batch was taken: a connection that returns credit.
    EachBatch(Wake),
}

/// The queue of one channel.
pub(crate) struct ChannelQueue {
    channel: ChannelId,
    capacity: usize,
    /// Copies of what `ends` holds, for looks without the lock.
    elements: AtomicUsize,
    batches: AtomicUsize,
    taken: AtomicU64,
    failed: AtomicBool,
    /// The end of input was taken.
    drained: AtomicBool,
    /// The sender was released and sends no more.
    closed: AtomicBool,
    /// The receiver was released and takes no more.
    abandoned: AtomicBool,
    ends: Mutex<Ends>,
    /// Whether the sender fills batches again.
    reuses: AtomicBool,
    /// Empty batches on their way back to the sender.
    spares: Mutex<Vec<Box<dyn AnyBatch>>>,
}

#[derive(Default)]
struct Ends {
    queue: VecDeque<StreamElement>,
    batches: usize,
    producer: Option<Producer>,
    consumer: Option<Wake>,
    failure: Option<Failure>,
}

impl ChannelQueue {
    /// A queue for `capacity` batches (at least 1).
    pub(crate) fn new(channel: ChannelId, capacity: usize) -> Self {
        Self {
            channel,
            capacity: capacity.max(1),
            elements: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            ends: Mutex::new(Ends::default()),
            reuses: AtomicBool::new(false),
            spares: Mutex::default(),
        }
    }

    /// The channel.
    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    /// How many batches it holds without overdraft.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Says who sends.
    pub(crate) fn attach_producer(&self, producer: Producer) {
        self.lock().producer = Some(producer);
    }

    /// Says who receives.
    pub(crate) fn attach_consumer(&self, consumer: Wake) {
        self.lock().consumer = Some(consumer);
    }

    /// Whether a batch fits without overdraft. A failed queue has no room.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.batches.load(Ordering::Acquire) < self.capacity && !self.is_failed()
    }

    /// Whether there is nothing to take.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.elements.load(Ordering::Acquire) == 0
    }

    /// Whether the end of input was taken, and with it everything but late barriers.
    #[inline]
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }

    /// The sender sends no more, and nobody expects it to.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let consumer = self.lock().consumer.clone();
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    /// Whether the sender sends no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The receiver takes no more, and nobody expects it to.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// Whether the receiver takes no more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Whether the channel is broken.
    #[inline]
    pub(crate) fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Why the channel is broken.
    pub(crate) fn failure(&self) -> Option<Failure> {
        if self.is_failed() {
            return self.lock().failure.clone();
        }
        None
    }

    /// How many batches were taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Appends an element; answers how many batches now stand beyond the capacity.
    pub(crate) fn push(&self, element: StreamElement) -> usize {
        let mut ends = self.lock();
        let was_empty = ends.queue.is_empty();
        ends.append(element);
        self.elements.store(ends.queue.len(), Ordering::Release);
        self.batches.store(ends.batches, Ordering::Release);
        let overdraft = ends.batches.saturating_sub(self.capacity);
        let consumer = if was_empty {
            ends.consumer.clone()
        } else {
            None
        };
        drop(ends);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        overdraft
    }

    /// An empty batch, if one has come back: its sender saves an allocation, and the allocator the
    /// large blocks that it would have to join with their neighbours.
    pub(crate) fn spare(&self) -> Option<Box<dyn AnyBatch>> {
        self.reuses.store(true, Ordering::Relaxed);
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        spares.pop()
    }

    /// Sends an empty batch back. No more are kept than the queue holds with as much overdraft.
    pub(crate) fn give_back(&self, batch: Box<dyn AnyBatch>) {
        debug_assert!(batch.is_empty(), "only empty batches are filled again");
        if self.reuses.load(Ordering::Relaxed) {
            let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
            if spares.len() < 2 * self.capacity {
                spares.push(batch);
            }
        }
    }

    /// Takes the first element; `None` if there is none, or if it is a batch and `batches` is
    /// false.
    pub(crate) fn pop(&self, batches: bool) -> Option<StreamElement> {
        if self.is_empty() {
            return None;
        }
        let mut ends = self.lock();
        if !batches && matches!(ends.queue.front(), Some(StreamElement::Batch(_))) {
            return None;
        }
        let element = ends.queue.pop_front()?;
        self.elements.store(ends.queue.len(), Ordering::Release);
        let woken = match (&element, &ends.producer) {
            (StreamElement::Batch(_), producer) => {
                let woken = match producer {
                    Some(Producer::AtRoom(wake)) if ends.batches == self.capacity => {
                        Some(wake.clone())
                    }
                    Some(Producer::EachBatch(wake)) => Some(wake.clone()),
                    Some(Producer::AtRoom(_)) | None => None,
                };
                ends.batches -= 1;
                self.batches.store(ends.batches, Ordering::Release);
                self.taken.fetch_add(1, Ordering::AcqRel);
                woken
            }
            (StreamElement::EndOfInput, producer) => {
                self.drained.store(true, Ordering::Release);
                match producer {
                    Some(Producer::AtRoom(wake)) => Some(wake.clone()),
                    Some(Producer::EachBatch(_)) | None => None,
                }
            }
            (
                StreamElement::Watermark(_)
                | StreamElement::Idle
                | StreamElement::Active
                | StreamElement::Barrier(_),
                _,
            ) => None,
        };
        drop(ends);
        if let Some(producer) = woken {
            producer.wake();
        }
        Some(element)
    }

    /// Breaks the channel for both ends; the first reason stays.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut ends = self.lock();
        ends.failure.get_or_insert(failure);
        self.failed.store(true, Ordering::Release);
        let (producer, consumer) = (ends.producer.clone(), ends.consumer.clone());
        drop(ends);
        match producer {
            Some(Producer::AtRoom(wake) | Producer::EachBatch(wake)) => wake.wake(),
            None => {}
        }
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        // Nothing that holds the lock can leave the queue half changed.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    fn append(&mut self, element: StreamElement) {
        match (&element, self.queue.back()) {
            (StreamElement::Watermark(_), Some(StreamElement::Watermark(_))) => {
                // Watermarks never go back, so the later one says all that the earlier one did.
                self.queue.pop_back();
            }
            (StreamElement::Idle, Some(StreamElement::Active))
            | (StreamElement::Active, Some(StreamElement::Idle)) => {
                // The channel was what it becomes again, and nothing happened meanwhile.
                self.queue.pop_back();
                return;
            }
            (StreamElement::Batch(_), _) => self.batches += 1,
            (
                StreamElement::Watermark(_)
                | StreamElement::Idle
                | StreamElement::Active
                | StreamElement::Barrier(_)
                | StreamElement::EndOfInput,
                _,
            ) => {}
        }
        self.queue.push_back(element);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sameriver_model::{
        Barrier, Batch, CheckpointId, EdgeId, EventTime, FailureKind, SubtaskIndex, Watermark,
    };

    use super::*;
    use crate::testing::woken;

    fn queue(capacity: usize) -> Arc<ChannelQueue> {
        let index = SubtaskIndex::new(0);
        let channel = ChannelId::new(EdgeId::new(0), index, index);
        Arc::new(ChannelQueue::new(channel, capacity))
    }

    fn batch(records: &[u32]) -> StreamElement {
        StreamElement::Batch(Box::new(Batch::from_parts(records.to_vec(), None)))
    }

    fn watermark(millis: i64) -> StreamElement {
        StreamElement::Watermark(Watermark::at(EventTime::from_millis(millis)))
    }

    fn drain(queue: &ChannelQueue) -> String {
        let popped = std::iter::from_fn(|| queue.pop(true));
        let words: Vec<String> = popped.map(|element| format!("{element:?}")).collect();
        words.join(", ")
    }

    #[test]
    fn elements_leave_in_the_order_in_which_they_came() {
        let queue = queue(4);
        for element in [
            batch(&[1]),
            watermark(3),
            batch(&[2, 3]),
            StreamElement::Idle,
            StreamElement::EndOfInput,
        ] {
            queue.push(element);
        }
        assert_eq!(
            drain(&queue),
            "batch of 1, w3, batch of 2, idle, end of input"
        );
    }

    #[test]
    fn a_full_queue_takes_more_and_counts_the_overdraft() {
        let queue = queue(2);
        assert_eq!(queue.push(batch(&[1])), 0);
        assert!(queue.has_room());
        assert_eq!(queue.push(batch(&[2])), 0);
        assert!(!queue.has_room());
        assert_eq!(queue.push(batch(&[3])), 1);
        assert_eq!(queue.push(watermark(1)), 1);
        queue.pop(true);
        assert!(!queue.has_room());
        queue.pop(true);
        assert!(queue.has_room());
    }

    #[test]
    fn marks_behind_one_another_are_joined() {
        let queue = queue(2);
        queue.push(watermark(1));
        queue.push(watermark(2));
        queue.push(StreamElement::Idle);
        queue.push(StreamElement::Active);
        queue.push(watermark(3));
        assert_eq!(drain(&queue), "w3");
    }

    #[test]
    fn marks_are_not_joined_across_a_barrier() {
        let queue = queue(2);
        let barrier = |id| {
            StreamElement::Barrier(Barrier {
                checkpoint: CheckpointId::new(id),
            })
        };
        for element in [
            watermark(1),
            barrier(1),
            watermark(2),
            StreamElement::Idle,
            barrier(2),
            StreamElement::Active,
            watermark(3),
        ] {
            queue.push(element);
        }
        assert_eq!(
            drain(&queue),
            "w1, barrier c1, w2, idle, barrier c2, active, w3"
        );
    }

    #[test]
    fn a_channel_is_drained_once_its_end_was_taken_whatever_barriers_follow() {
        let queue = queue(2);
        queue.push(StreamElement::EndOfInput);
        queue.push(StreamElement::Barrier(Barrier {
            checkpoint: CheckpointId::new(1),
        }));
        assert!(!queue.is_drained());
        queue.pop(true);
        assert!(queue.is_drained() && !queue.is_empty());
    }

    #[test]
    fn the_consumer_is_woken_by_the_first_element_only() {
        let (queue, wake) = (queue(4), Wake::new());
        queue.attach_consumer(wake.clone());
        queue.push(batch(&[1]));
        assert!(woken(&wake));
        queue.push(batch(&[2]));
        assert!(!woken(&wake));
    }

    #[test]
    fn the_producer_is_woken_when_room_appears() {
        let (queue, wake) = (queue(2), Wake::new());
        queue.attach_producer(Producer::AtRoom(wake.clone()));
        for record in 0..3 {
            queue.push(batch(&[record]));
        }
        queue.pop(true);
        assert!(!woken(&wake), "the overdraft is still there");
        queue.pop(true);
        assert!(woken(&wake));
        queue.pop(true);
        assert!(!woken(&wake), "it was woken before");
    }

    #[test]
    fn the_producer_is_woken_when_the_end_was_taken() {
        let (queue, wake) = (queue(2), Wake::new());
        queue.attach_producer(Producer::AtRoom(wake.clone()));
        queue.push(watermark(1));
        queue.push(StreamElement::EndOfInput);
        queue.pop(true);
        assert!(!woken(&wake));
        queue.pop(true);
        assert!(woken(&wake));
    }

    #[test]
    fn a_batch_without_credit_stays_and_marks_before_it_leave() {
        let queue = queue(2);
        queue.push(watermark(1));
        queue.push(batch(&[1]));
        assert!(queue.pop(false).is_some());
        assert!(queue.pop(false).is_none());
        assert_eq!(drain(&queue), "batch of 1");
    }

    #[test]
    fn empty_batches_come_back_to_a_sender_that_fills_them_again() {
        let (queue, empty) = (queue(1), || Box::new(Batch::<u32>::new()));
        queue.give_back(empty());
        assert!(queue.spare().is_none(), "nobody had asked before");
        for _ in 0..5 {
            queue.give_back(empty());
        }
        let kept = std::iter::from_fn(|| queue.spare()).count();
        assert_eq!(kept, 2);
    }

    #[test]
    fn a_broken_channel_has_no_room_and_wakes_both_ends() {
        let (queue, producer, consumer) = (queue(2), Wake::new(), Wake::new());
        queue.attach_producer(Producer::AtRoom(producer.clone()));
        queue.attach_consumer(consumer.clone());
        queue.fail(Failure::new(FailureKind::Cluster, "first"));
        queue.fail(Failure::new(FailureKind::Cluster, "second"));
        assert!(!queue.has_room() && woken(&producer) && woken(&consumer));
        assert_eq!(queue.failure().map(|f| f.message), Some("first".to_owned()));
    }
}
