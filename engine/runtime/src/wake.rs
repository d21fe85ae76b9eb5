//! Wakes a slot that found nothing to do.
//!
//! Invariant: a wake that comes before the wait is not lost.

use std::sync::Arc;

use crate::sync::Notify;

/// A cheap handle that wakes one waiting slot.
///
/// ```
/// let wake = sameriver_runtime::Wake::new();
/// wake.wake(); // remembered until somebody waits
/// ```
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// A handle that nobody waits on yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the waiter, or lets the next wait return at once.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a wake. Cancel safe.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}
