//! Wakes a slot however the task that it waits for ends, even by a panic.
//!
//! Invariant: whoever owns one drops what the slot will look at first. Knows nothing of why.

use sameriver_runtime::Wake;

/// Wakes when dropped.
pub(crate) struct WakeAtEnd(pub(crate) Wake);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}
