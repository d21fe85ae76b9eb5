//! A task of the control lane that its owner can end.
//!
//! Invariant: whoever starts one joins it; a task whose owner is dropped ends by itself.

use std::pin::pin;
use std::time::Duration;

use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Lane, Panicked, TaskHandle, World};

/// Ends when its future does, or at the next wait after it was told to stop.
pub(crate) struct Stoppable {
    handle: TaskHandle,
    stop: oneshot::Sender<()>,
}

impl Stoppable {
    /// Starts a task that owns nothing which must not be dropped half-way.
    pub(crate) fn start(
        world: &World,
        name: &str,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let handle = world.spawn(Lane::Control, name, async move {
            sameriver_runtime::select! {
                _ = stopped => {}
                () = future => {}
            }
        });
        Self { handle, stop }
    }

    /// Waits for the task to end by itself.
    pub(crate) async fn join(self) -> Result<(), Panicked> {
        let ended = self.handle.join().await;
        drop(self.stop);
        ended
    }

    /// Tells the task to stop and waits for it.
    pub(crate) async fn stop(self) -> Result<(), Panicked> {
        drop(self.stop);
        self.handle.join().await
    }

    /// Waits for the task to end by itself, but not longer than `limit`; then stops it.
    pub(crate) async fn end_within(self, world: &World, limit: Duration) -> Result<(), Panicked> {
        let Self { handle, stop } = self;
        let mut join = pin!(handle.join());
        sameriver_runtime::select! {
            ended = &mut join => return ended,
            () = world.sleep(limit) => {}
        }
        drop(stop);
        join.await
    }
}
