//! What the faults of a run did, counted where it hurt.
//!
//! Invariant: a family counts when a victim has noticed, not when somebody was told to hurt it.

use std::collections::BTreeMap;

use super::family::FaultFamily;

/// How often each family took effect.
///
/// | families | one count is |
/// |---|---|
/// | crash, restart-wiped, crash-point | a node that started again |
/// | pause, zombie | a task that went on later |
/// | cut-both, cut-one-way, clog, slow-link, latency | a byte or connect that was held up |
/// | reset | a connection that broke |
/// | connect-refused, connect-hang | a connect that was refused, or got no answer |
/// | disk-eio, disk-enospc, disk-fsync-lost | an operation that failed |
/// | disk-slow, blob-latency | an operation that took longer |
/// | blob-error-burst, blob-unanswered, blob-silent, blob-full | a request that failed |
/// | clock-jump, clock-drift | a clock that was read, or slept by, while it was wrong |
///
/// ```
/// use sameriver_sim::{Effects, FaultFamily};
/// let effects = Effects::default();
/// assert_eq!(effects.count(FaultFamily::Crash), 0);
/// assert!(!effects.any());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects(BTreeMap<FaultFamily, u64>);

impl Effects {
    /// How often a family took effect.
    pub fn count(&self, family: FaultFamily) -> u64 {
        self.0.get(&family).copied().unwrap_or(0)
    }

    /// Whether anything took effect.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The families that took effect and how often, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (FaultFamily, u64)> {
        self.0.iter().map(|(family, count)| (*family, *count))
    }

    /// Counts more of a family.
    pub(crate) fn add(&mut self, family: FaultFamily, count: u64) {
        if count > 0 {
            let sum = self.0.entry(family).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}
