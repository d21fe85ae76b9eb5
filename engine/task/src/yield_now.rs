//! Lets the executor look at other things, in any world.
//!
//! Invariant: the waker is called before the future answers `Pending`, so the task runs again.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Ends at its second poll.
#[derive(Default)]
pub(crate) struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
