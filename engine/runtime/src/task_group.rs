//! Tasks that were started through one handle, and the wait for all of them.
//!
//! Invariant: [`ended`](TaskGroup::ended) answers when no task of the group is left, however each
//! of them ended; it stops none. Knows nothing of what the tasks do.

use std::any::{Any, TypeId};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, TaskHandle, Wake, WallTime, World, WorldApi,
};

/// Counts the tasks that others start, so that their owner can outlive them. A cheap handle.
///
/// ```
/// use sameriver_runtime::{Lane, TaskGroup, World};
/// # async fn stop(world: World) {
/// let tasks = TaskGroup::new();
/// tasks.of(&world).spawn(Lane::Control, "writer", async {}).detach();
/// tasks.ended().await; // nobody writes any more
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct TaskGroup(Arc<Living>);

#[derive(Debug, Default)]
struct Living {
    tasks: AtomicUsize,
    last: Wake,
}

impl TaskGroup {
    /// A group without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle to `world` that counts every task started through it.
    pub fn of(&self, world: &World) -> World {
        World::new(Arc::new(GroupWorld {
            inner: Arc::clone(world.api()),
            living: Arc::clone(&self.0),
        }))
    }

    /// Waits until no task of the group is left. Only one may wait at a time. Cancel safe.
    pub async fn ended(&self) {
        while self.0.tasks.load(Ordering::Acquire) > 0 {
            self.0.last.wait().await;
        }
    }
}

/// Is dropped with its task, also when that panics or never runs.
struct Member(Arc<Living>);

impl Member {
    fn of(living: &Arc<Living>) -> Self {
        living.tasks.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(living))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.0.tasks.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.last.wake();
        }
    }
}

struct GroupWorld {
    inner: Arc<dyn WorldApi>,
    living: Arc<Living>,
}

impl WorldApi for GroupWorld {
    fn node(&self) -> &str {
        self.inner.node()
    }

    fn now(&self) -> Monotonic {
        self.inner.now()
    }

    fn wall(&self) -> WallTime {
        self.inner.wall()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.inner.sleep(duration)
    }

    fn random(&self, stream: &str) -> RandomStream {
        self.inner.random(stream)
    }

    fn spawn(&self, lane: Lane, name: &str, task: BoxFuture<()>) -> TaskHandle {
        let member = Member::of(&self.living);
        let counted = async move {
            task.await;
            drop(member);
        };
        self.inner.spawn(lane, name, Box::pin(counted))
    }

    fn blocking(
        &self,
        name: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>> {
        self.inner.blocking(name, work)
    }

    fn charge(&self, records: u64) -> Charge {
        self.inner.charge(records)
    }

    fn turn(&self, due: usize, count: usize) -> usize {
        self.inner.turn(due, count)
    }

    fn any_port(&self) -> Address {
        self.inner.any_port()
    }

    fn connect(&self, to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        self.inner.connect(to)
    }

    fn listen(&self, at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        self.inner.listen(at)
    }

    fn disk(&self) -> Arc<dyn Disk> {
        self.inner.disk()
    }

    fn service(&self, wanted: TypeId, url: &str) -> Result<Box<dyn Any + Send>, ServiceError> {
        self.inner.service(wanted, url)
    }
}
