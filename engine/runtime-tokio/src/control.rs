//! The threads of the control lane.
//!
//! Invariant: everything that needs tokio's timers or sockets is bound to this runtime, never to
//! the one that happens to poll it. Whoever holds a `Control` keeps its threads alive.
#![expect(
    clippy::disallowed_methods,
    reason = "the fence points here: this is the real `World::sleep`"
)]

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sameriver_runtime::{BoxFuture, Panicked, TaskHandle};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// How many threads share control messages, heartbeats, timers and connections.
const THREADS: usize = 2;

/// The runtime of the control lane; its threads end with the last holder.
pub(crate) struct Control {
    handle: Handle,
    // Taken out only by `drop`, which must not wait inside async code.
    runtime: Option<Runtime>,
}

impl Control {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("sameriver-control")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs a future on the calling thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> BoxFuture<()> {
        let sleep = {
            let _entered = self.handle.enter();
            tokio::time::sleep(duration)
        };
        let control = Arc::clone(self);
        Box::pin(async move {
            sleep.await;
            // A timer panics without its runtime, so the sleep kept it alive until here.
            drop(control);
        })
    }

    pub(crate) fn spawn(self: &Arc<Self>, name: &str, task: BoxFuture<()>) -> TaskHandle {
        TaskHandle::new(self.joined(name, self.handle.spawn(task)))
    }

    /// Starts work that blocks, at once; it goes on when the future is dropped.
    pub(crate) fn blocking(
        self: &Arc<Self>,
        name: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>> {
        self.joined(name, self.handle.spawn_blocking(work))
    }

    /// Starts work whose end nobody waits for.
    pub(crate) fn detached(&self, work: impl FnOnce() + Send + 'static) {
        self.handle.spawn_blocking(work);
    }

    /// Polls a future inside this runtime, wherever the caller runs.
    pub(crate) async fn enter<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _entered = self.handle.enter();
            future.as_mut().poll(cx)
        })
        .await
    }

    fn joined(
        self: &Arc<Self>,
        name: &str,
        handle: JoinHandle<()>,
    ) -> BoxFuture<Result<(), Panicked>> {
        let control = Arc::clone(self);
        let name = name.to_owned();
        Box::pin(async move {
            let ended = handle.await.map_err(|error| panicked(&name, error));
            // Whoever joins a task keeps the threads that it needs.
            drop(control);
            ended
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn panicked(task: &str, error: JoinError) -> Panicked {
    match error.try_into_panic() {
        Ok(payload) => Panicked::new(task, &*payload),
        Err(cancelled) => Panicked::new(task, &cancelled.to_string()),
    }
}
