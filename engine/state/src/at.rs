//! One key's view of an operator's state, for the time of one record or timer.
//!
//! Invariant: what handles and timers reach through it belongs to the current key. It knows the
//! clocks only as they stood when the record or timer came.

use sameriver_model::probe::TimerDeed;
use sameriver_model::{EventTime, Key, KeyHash, ProcessingTime, Watermark};

use crate::error::StateError;
use crate::keyed_state::KeyedState;

/// The current key, its times and its timers; state handles read and write through it.
///
/// # Examples
/// ```
/// use sameriver_model::{
///     EventTime, KeyGroupRange, KeyHash, MaxParallelism, Parallelism, ProcessingTime,
///     SubtaskIndex, Watermark,
/// };
/// use sameriver_state::{DeclareError, KeyedState};
///
/// let max = MaxParallelism::default();
/// let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
/// let (mut state, ()) = KeyedState::<u64>::declare(all, max, |_| Ok::<_, DeclareError>(()))?;
/// let (key, hash) = (7, KeyHash::of(&7_u64, &mut Vec::new())?);
/// let time = Some(EventTime::from_millis(100));
/// let mut at = state.at(&key, hash, time, Watermark::MIN, ProcessingTime::default());
/// assert_eq!((at.key(), at.time()), (&7, time));
/// at.timer_at(150)?;
/// at.timer_at(200)?;
/// at.delete_timer(150)?;
/// let due = state.pop_timer(Watermark::MAX).map(|timer| (timer.key, timer.time.as_millis()));
/// assert_eq!(due, Some((7, 200)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct At<'a, K> {
    pub(crate) state: &'a mut KeyedState<K>,
    pub(crate) key: &'a K,
    pub(crate) hash: KeyHash,
    pub(crate) time: Option<EventTime>,
    pub(crate) watermark: Watermark,
    pub(crate) now: ProcessingTime,
    pub(crate) ahead: usize,
}

impl<K: Key> At<'_, K> {
    /// The current key.
    #[inline]
    pub fn key(&self) -> &K {
        self.key
    }

    /// Says that the current key was number `ordinal` of those that the state [looked ahead] for.
    ///
    /// [looked ahead]: KeyedState::look_ahead
    #[inline]
    pub fn ahead(&mut self, ordinal: usize) {
        self.ahead = ordinal;
    }

    /// The hash of the current key.
    #[inline]
    pub fn hash(&self) -> KeyHash {
        self.hash
    }

    /// The event time of the record, or of the timer; `None` if the stream has no event times.
    #[inline]
    pub fn time(&self) -> Option<EventTime> {
        self.time
    }

    /// The operator's event-time clock.
    #[inline]
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// Processing time at the start of the slice.
    #[inline]
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// Asks to be called for this key when the watermark reaches `time` (inclusive).
    ///
    /// A timer for one key and time exists once, however often it is asked for. One whose time has
    /// passed is due at once, behind the timers that are due before it.
    ///
    /// # Errors
    /// [`StateError::Key`] when the key has no canonical bytes.
    pub fn timer_at(&mut self, time: impl Into<EventTime>) -> Result<(), StateError> {
        let (timers, time) = (&mut self.state.timers, time.into());
        if timers.register(time, self.key, self.hash, ())? {
            self.tell(TimerDeed::Set, time);
        }
        Ok(())
    }

    #[inline]
    fn tell(&self, what: TimerDeed, time: EventTime) {
        if let Some(owner) = &self.state.owner {
            owner.timer(what, self.hash, time);
        }
    }

    /// Takes back what [`timer_at`](Self::timer_at) asked for, if it was not called yet.
    ///
    /// # Errors
    /// As [`timer_at`](Self::timer_at).
    pub fn delete_timer(&mut self, time: impl Into<EventTime>) -> Result<(), StateError> {
        let time = time.into();
        if self.state.timers.delete(time, self.key, &())? {
            self.tell(TimerDeed::Deleted, time);
        }
        Ok(())
    }
}
