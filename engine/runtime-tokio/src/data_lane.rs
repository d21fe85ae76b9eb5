//! The data lane: one thread for one task.
//!
//! Invariant: nothing but its own task runs on a data thread, so blocking user code stalls its slot
//! and nothing else. A panic ends the thread, not the process.
#![expect(
    clippy::disallowed_methods,
    reason = "the fence points here: this is the real `World::spawn`"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{BoxFuture, Panicked, TaskHandle};
use tokio::runtime::Builder;

/// Starts a thread that runs the task to its end.
pub(crate) fn start(name: &str, task: BoxFuture<()>) -> TaskHandle {
    let (tx, ended) = oneshot::channel();
    let owned = name.to_owned();
    let started = thread::Builder::new()
        // The operating system's names end at the first zero byte.
        .name(name.replace('\0', "?"))
        .spawn(move || {
            // Whoever dropped the handle does not want to know.
            let _ = tx.send(run(&owned, task));
        });
    let refused = started.err().map(|error| Panicked {
        task: name.to_owned(),
        message: format!("its thread cannot be started: {error}"),
    });
    TaskHandle::new(Box::pin(async move {
        if let Some(refused) = refused {
            return Err(refused);
        }
        ended
            .await
            .expect("a data thread sends how its task ended, even after a panic")
    }))
}

fn run(name: &str, task: BoxFuture<()>) -> Result<(), Panicked> {
    let run = || {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without sockets asks nothing of the operating system");
        runtime.block_on(task);
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| Panicked::new(name, &*payload))
}
