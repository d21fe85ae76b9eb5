//! Timers in the order in which they are due: time, key, namespace.
//!
//! Invariant: there is at most one timer per (time, key, namespace); ties are broken by the
//! `ordered` bytes, never by the order of registration or by hashes. Does not fire anything and
//! knows only the times it is given: that is the operator's business.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use sameriver_model::codec::ordered::{self, OrderedError};
use sameriver_model::{EventTime, Key, KeyHash, Watermark};
use serde::Serialize;

use crate::error::StateError;
use crate::key_bytes::KeyBytes;

/// A timer whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTimer<K, N = ()> {
    /// What it was registered for.
    pub time: EventTime,
    /// The key it was registered under.
    pub key: K,
    /// The hash of the key.
    pub hash: KeyHash,
    /// The second part of its address, normally a window.
    pub namespace: N,
}

/// The event-time timers of one operator of one subtask.
///
/// # Examples
/// ```
/// use sameriver_model::{EventTime, KeyHash, Watermark};
/// use sameriver_state::TimerStore;
///
/// let mut timers = TimerStore::<u64>::new();
/// for key in [2_u64, 1] {
///     let hash = KeyHash::of(&key, &mut Vec::new())?;
///     assert!(timers.register(EventTime::from_millis(10), &key, hash, ())?);
///     assert!(!timers.register(EventTime::from_millis(10), &key, hash, ())?); // is there already
/// }
/// assert!(timers.pop_due(Watermark::at(EventTime::from_millis(9))).is_none());
/// let due = timers.pop_due(Watermark::at(EventTime::from_millis(10)));
/// assert_eq!(due.map(|timer| timer.key), Some(1));
/// # Ok::<(), sameriver_state::StateError>(())
/// ```
pub struct TimerStore<K, N = ()> {
    timers: BTreeMap<KeyBytes, DueTimer<K, N>>,
    address: Vec<u8>,
}

impl<K, N> Default for TimerStore<K, N> {
    fn default() -> Self {
        Self {
            timers: BTreeMap::new(),
            address: Vec::new(),
        }
    }
}

/// Writes the bytes by which timers are sorted and found.
fn address<Q: Serialize + ?Sized, N: Serialize>(
    out: &mut Vec<u8>,
    time: EventTime,
    key: &Q,
    namespace: &N,
) -> Result<(), OrderedError> {
    out.clear();
    ordered::encode_into(&time, out)?;
    ordered::encode_into(key, out)?;
    ordered::encode_into(namespace, out)
}

impl<K: Key, N: Serialize> TimerStore<K, N> {
    /// A store without timers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a timer and says whether it is new; clones the key only then.
    ///
    /// # Errors
    /// [`StateError::Key`] when the key or the namespace has no canonical bytes.
    pub fn register<Q>(
        &mut self,
        time: EventTime,
        key: &Q,
        hash: KeyHash,
        namespace: N,
    ) -> Result<bool, StateError>
    where
        K: Borrow<Q>,
        Q: Serialize + ToOwned<Owned = K> + ?Sized,
    {
        address(&mut self.address, time, key, &namespace)?;
        if self.timers.contains_key(self.address.as_slice()) {
            return Ok(false);
        }
        let key = key.to_owned();
        self.timers.insert(
            KeyBytes::of(&self.address),
            DueTimer {
                time,
                key,
                hash,
                namespace,
            },
        );
        Ok(true)
    }

    /// Takes a timer back and says whether it was there.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn delete<Q>(&mut self, time: EventTime, key: &Q, namespace: &N) -> Result<bool, StateError>
    where
        K: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        address(&mut self.address, time, key, namespace)?;
        Ok(self.timers.remove(self.address.as_slice()).is_some())
    }

    /// Takes out the first timer, if its time is at or before `up_to`.
    #[inline]
    pub fn pop_due(&mut self, up_to: Watermark) -> Option<DueTimer<K, N>> {
        if self.next_time()? > up_to.time() {
            return None;
        }
        self.timers.pop_first().map(|(_, timer)| timer)
    }

    /// When the first timer is due.
    #[inline]
    pub fn next_time(&self) -> Option<EventTime> {
        let (_, timer) = self.timers.first_key_value()?;
        Some(timer.time)
    }

    /// How many timers there are.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether there is no timer.
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }

    /// All timers in the order in which they will be due.
    pub fn iter(&self) -> impl Iterator<Item = &DueTimer<K, N>> {
        self.timers.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> TimerStore<String, i64> {
        let mut timers = TimerStore::new();
        let addresses = [
            (5, "b", 0),
            (5, "a", 9),
            (-5, "c", 0),
            (5, "a", -9),
            (5, "a", 9),
        ];
        for (time, key, namespace) in addresses {
            let hash = KeyHash::of(key, &mut Vec::new()).unwrap();
            let time = EventTime::from_millis(time);
            timers.register(time, key, hash, namespace).unwrap();
        }
        timers
    }

    fn order(timers: &TimerStore<String, i64>) -> Vec<(i64, &str, i64)> {
        let due = timers.iter();
        due.map(|timer| (timer.time.as_millis(), timer.key.as_str(), timer.namespace))
            .collect()
    }

    #[test]
    fn timers_are_due_by_time_then_key_then_namespace() {
        let expected = [(-5, "c", 0), (5, "a", -9), (5, "a", 9), (5, "b", 0)];
        assert_eq!(order(&store()), expected);
    }

    #[test]
    fn a_deleted_timer_is_not_due() {
        let mut timers = store();
        let time = EventTime::from_millis(5);
        assert!(timers.delete(time, "a", &9).unwrap());
        assert!(!timers.delete(time, "a", &9).unwrap());
        assert_eq!(order(&timers), [(-5, "c", 0), (5, "a", -9), (5, "b", 0)]);
    }

    #[test]
    fn a_timer_is_due_at_its_own_time_and_not_before() {
        let mut timers = store();
        let mut due = |millis| {
            let up_to = Watermark::at(EventTime::from_millis(millis));
            std::iter::from_fn(|| timers.pop_due(up_to)).count()
        };
        assert_eq!([-6, -5, 4, 5].map(&mut due), [0, 1, 0, 3]);
    }
}
