//! Timers in the order in which they are due: time, key, namespace.
//!
//! Invariant: there is at most one timer per (time, key, namespace); ties are broken by the
//! `ordered` bytes, never by the order of registration or by hashes. While a snapshot runs, a timer
//! that was there when it began is saved before it goes. Does not fire anything and knows only the
//! times it is given: that is the operator's business.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

use sameriver_model::codec::ordered::{self, OrderedError};
use sameriver_model::{
    EventTime, Key, KeyGroup, KeyGroupRange, KeyHash, MaxParallelism, RestoredState, SectionId,
    SectionKind, SectionWriter, Uid, Watermark,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::epoch::Epoch;
use crate::error::StateError;
use crate::key_bytes::KeyBytes;
use crate::restore::{self, Reading, RestoreError};
use crate::snapshot::{FORMAT, Waiting, WalkBudget, write_part};

/// How many timers the walker of a snapshot looks at before it asks for its budget.
const WALK_AT_ONCE: usize = 64;

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
    timers: BTreeMap<KeyBytes, Held<K, N>>,
    address: Vec<u8>,
    epoch: Epoch,
    saving: Option<Box<Saving>>,
}

/// A timer, and when it was registered.
struct Held<K, N> {
    timer: DueTimer<K, N>,
    version: Epoch,
}

/// A snapshot that is under way. The walker goes by address, so it needs no marks.
struct Saving {
    max: MaxParallelism,
    /// Timers of later epochs are not part of it.
    epoch: Epoch,
    /// The address of the last timer that the walker has saved.
    walked: Option<KeyBytes>,
    /// Whether the walker has seen all timers.
    is_walked: bool,
    /// What is saved and not written yet, by key group.
    waiting: Waiting,
}

impl Saving {
    fn push(&mut self, hash: KeyHash, address: &[u8]) -> usize {
        let group = hash.group(self.max).get() as usize;
        self.waiting
            .push(group, |out| out.extend_from_slice(address));
        group
    }

    /// Saves a timer that goes, unless it is saved already or younger than the snapshot.
    fn before_it_goes(&mut self, address: &KeyBytes, hash: KeyHash, version: Epoch) {
        let is_walked = self.is_walked || self.walked.as_ref().is_some_and(|at| address <= at);
        if version <= self.epoch && !is_walked {
            self.push(hash, address.as_slice());
        }
    }
}

fn section(operator: &Uid, group: usize) -> SectionId {
    SectionId {
        operator: operator.clone(),
        state: String::new(),
        kind: SectionKind::Timers,
        group: Some(KeyGroup::new(group as u32)),
    }
}

impl<K, N> Default for TimerStore<K, N> {
    fn default() -> Self {
        Self {
            timers: BTreeMap::new(),
            address: Vec::new(),
            epoch: Epoch::default(),
            saving: None,
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
        let timer = DueTimer {
            time,
            key: key.to_owned(),
            hash,
            namespace,
        };
        let version = self.epoch;
        let address = KeyBytes::of(&self.address);
        self.timers.insert(address, Held { timer, version });
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
        let Some((address, held)) = self.timers.remove_entry(self.address.as_slice()) else {
            return Ok(false);
        };
        if let Some(saving) = &mut self.saving {
            saving.before_it_goes(&address, held.timer.hash, held.version);
        }
        Ok(true)
    }

    /// Takes out the first timer, if its time is at or before `up_to`.
    #[inline]
    pub fn pop_due(&mut self, up_to: Watermark) -> Option<DueTimer<K, N>> {
        if self.next_time()? > up_to.time() {
            return None;
        }
        let (address, held) = self.timers.pop_first()?;
        if let Some(saving) = &mut self.saving {
            saving.before_it_goes(&address, held.timer.hash, held.version);
        }
        Some(held.timer)
    }

    /// When the first timer is due.
    #[inline]
    pub fn next_time(&self) -> Option<EventTime> {
        let (_, held) = self.timers.first_key_value()?;
        Some(held.timer.time)
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
        self.timers.values().map(|held| &held.timer)
    }

    /// Begins a snapshot of the timers that there are now. One that is under way is dropped.
    pub fn begin_snapshot(&mut self, max: MaxParallelism) {
        self.saving = Some(Box::new(Saving {
            max,
            epoch: self.epoch,
            walked: None,
            is_walked: false,
            waiting: Waiting::default(),
        }));
        self.epoch = self.epoch.next();
    }

    /// Goes on with the snapshot, up to the budget; says whether all of it is written. Without a
    /// snapshot there is nothing to write.
    pub fn walk(
        &mut self,
        operator: &Uid,
        budget: &mut WalkBudget,
        sections: &mut SectionWriter,
    ) -> bool {
        let Some(saving) = &mut self.saving else {
            return true;
        };
        while !saving.is_walked {
            if budget.is_spent() {
                return false;
            }
            let from = saving.walked.as_ref();
            let from = from.map_or(Bound::Unbounded, |at| Bound::Excluded(at.as_slice()));
            let mut last = None;
            let left = self.timers.range::<[u8], _>((from, Bound::Unbounded));
            for (address, held) in left.take(WALK_AT_ONCE) {
                last = Some(address);
                if held.version <= saving.epoch {
                    let group = saving.push(held.timer.hash, address.as_slice());
                    while let Some(part) = saving.waiting.pop_full(group) {
                        write_part(section(operator, group), &[FORMAT], &part, budget, sections);
                    }
                    budget.write(address.as_slice().len());
                }
            }
            budget.visit(WALK_AT_ONCE);
            match last {
                Some(last) => saving.walked = Some(KeyBytes::of(last.as_slice())),
                None => saving.is_walked = true,
            }
        }
        while !budget.is_spent() {
            let Some((group, part)) = saving.waiting.pop_any() else {
                self.saving = None;
                return true;
            };
            write_part(section(operator, group), &[FORMAT], &part, budget, sections);
        }
        false
    }

    /// Nobody wants the snapshot any more.
    pub fn drop_snapshot(&mut self) {
        self.saving = None;
    }

    /// Adds the timers that a snapshot has of this operator; hashes are computed anew.
    ///
    /// # Errors
    /// [`RestoreError`] when a section is not one of these key groups, or cannot be read.
    pub fn restore(
        &mut self,
        operator: &Uid,
        range: KeyGroupRange,
        max: MaxParallelism,
        restored: &RestoredState,
    ) -> Result<(), RestoreError>
    where
        N: DeserializeOwned,
    {
        let mut scratch = Vec::new();
        let is_timers = |id: &SectionId| id.kind == SectionKind::Timers;
        for part in restore::parts(restored, operator, range, is_timers) {
            let (id, bytes) = part?;
            let mut reading = Reading::new(id, bytes)?;
            while !reading.is_empty() {
                let time = reading.ordered()?;
                let (key, hash) = reading.key::<K>(max, &mut scratch)?;
                let namespace = reading.ordered()?;
                let registered = self.register(time, &key, hash, namespace);
                if !registered.expect("what was read has canonical bytes") {
                    return Err(reading.key_twice());
                }
            }
        }
        Ok(())
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
