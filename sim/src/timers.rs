//! All timers of a world in one ordered map.
//!
//! Invariant: timers fire in the order of their instants, equal ones in the order in which they
//! were set. A timer of a node that died since does not fire.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::counters::lock;
use crate::life::{Life, NodeId};
use crate::sim_world::SimWorld;

/// The instant in nanoseconds, and the order among equal ones.
pub(crate) type TimerKey = (u64, u64);

/// An instant that no timer reaches.
pub(crate) const NEVER: u64 = u64::MAX;

type Action = Box<dyn FnOnce(&SimWorld) + Send>;

/// What a timer does.
pub(crate) enum Due {
    /// Wakes a sleeper.
    Wake(Waker),
    /// Lets something happen in the world's own parts.
    Act(Action),
}

pub(crate) struct Timer {
    /// Whose timer it is; the world's own have no life.
    pub(crate) life: Option<Life>,
    pub(crate) due: Due,
}

#[derive(Default)]
pub(crate) struct Timers {
    timers: BTreeMap<TimerKey, Timer>,
    sequence: u64,
}

impl Timers {
    pub(crate) fn insert(&mut self, at: u64, timer: Timer) -> TimerKey {
        let key = (at, self.sequence);
        self.sequence += 1;
        self.timers.insert(key, timer);
        key
    }

    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Timer> {
        self.timers.remove(&key)
    }

    /// The waker of a sleeper that still sleeps.
    fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        match &mut self.timers.get_mut(&key)?.due {
            Due::Wake(waker) => Some(waker),
            Due::Act(_) => None,
        }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: u64) -> Option<(TimerKey, Timer)> {
        let first = self.timers.first_entry()?;
        (first.key().0 <= now).then(|| first.remove_entry())
    }

    /// Takes out the timers of a node.
    pub(crate) fn take_node(&mut self, node: NodeId) -> Vec<Timer> {
        let of_node = |timer: &Timer| timer.life.as_ref().is_some_and(|life| life.node() == node);
        let taken = self.timers.extract_if(.., |_, timer| of_node(timer));
        taken.map(|(_, timer)| timer).collect()
    }

    pub(crate) fn take_all(&mut self) -> BTreeMap<TimerKey, Timer> {
        std::mem::take(&mut self.timers)
    }
}

/// Ends at an instant of the world.
pub(crate) struct Sleep {
    world: SimWorld,
    life: Life,
    at: u64,
    key: Option<TimerKey>,
}

impl Sleep {
    pub(crate) fn until(world: &SimWorld, life: &Life, at: u64) -> Self {
        Self {
            world: world.clone(),
            life: life.clone(),
            at,
            key: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.life.is_stale() {
            return Poll::Pending;
        }
        if self.world.now_nanos() >= self.at {
            self.cancel();
            return Poll::Ready(());
        }
        let mut timers = lock(self.world.timers());
        let set = self.key.and_then(|key| timers.waker_mut(key));
        if let Some(waker) = set {
            waker.clone_from(cx.waker());
        } else {
            let timer = Timer {
                life: Some(self.life.clone()),
                due: Due::Wake(cx.waker().clone()),
            };
            let key = timers.insert(self.at, timer);
            drop(timers);
            self.key = Some(key);
        }
        Poll::Pending
    }
}

impl Sleep {
    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            let timer = lock(self.world.timers()).remove(key);
            drop(timer);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if !self.life.is_stale() {
            self.cancel();
        }
    }
}
