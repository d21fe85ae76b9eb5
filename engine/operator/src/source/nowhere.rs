//! A world without anything in it, for operators that must not touch one; or one in which a test
//! runs tasks and lets time pass.

use std::any::{Any, TypeId};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, TaskHandle, Wake, WallTime, World, WorldApi,
};

use super::Surroundings;

impl Surroundings {
    /// A world that panics when it is touched.
    pub fn nowhere() -> Self {
        Self {
            world: World::new(Arc::new(Nowhere(None))),
            wake: Wake::new(),
        }
    }

    /// A world in which tasks run when the test says so, and nothing else is.
    pub fn with_errands() -> (Self, Errands) {
        let errands = Errands::default();
        let world = World::new(Arc::new(Nowhere(Some(errands.clone()))));
        let wake = Wake::new();
        (Self { world, wake }, errands)
    }
}

/// The tasks and sleeps of a world, for the test.
#[derive(Clone, Default)]
pub struct Errands {
    tasks: Arc<Mutex<Vec<BoxFuture<()>>>>,
    sleeps: Arc<Mutex<Vec<Sleep>>>,
    /// Time since the start: as long as its sleeps were.
    now: Arc<Mutex<Duration>>,
}

/// How long somebody sleeps, and what wakes it.
type Sleep = (Duration, oneshot::Sender<()>);

impl Errands {
    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs every task as far as it comes; one that panics is gone.
    pub fn run(&self) {
        let tasks = std::mem::take(&mut *Self::lock(&self.tasks));
        let cx = &mut Context::from_waker(Waker::noop());
        for mut task in tasks {
            let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx)));
            if polled.is_ok_and(|polled| polled.is_pending()) {
                Self::lock(&self.tasks).push(task);
            }
        }
    }

    /// How many tasks there are.
    pub fn tasks(&self) -> usize {
        Self::lock(&self.tasks).len()
    }

    /// Ends all sleeps, as late as the longest of them, and says how long they were.
    pub fn wake_sleepers(&self) -> Vec<Duration> {
        let sleeps = std::mem::take(&mut *Self::lock(&self.sleeps));
        let longest = sleeps.iter().map(|(duration, _)| *duration).max();
        *Self::lock(&self.now) += longest.unwrap_or_default();
        let ended = sleeps.into_iter().map(|(duration, sleeper)| {
            // A sleeper that was dropped need not be woken.
            let _ = sleeper.send(());
            duration
        });
        ended.collect()
    }
}

/// With nothing in it, or with errands.
struct Nowhere(Option<Errands>);

fn touched(what: &str) -> ! {
    panic!("an operator touched the world: {what}")
}

impl WorldApi for Nowhere {
    fn node(&self) -> &'static str {
        "nowhere"
    }
    fn now(&self) -> Monotonic {
        let Some(errands) = &self.0 else {
            touched("now")
        };
        Monotonic::from_origin(*Errands::lock(&errands.now))
    }
    fn wall(&self) -> WallTime {
        touched("wall")
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        let Some(errands) = &self.0 else {
            touched("sleep")
        };
        let (tx, rx) = oneshot::channel();
        Errands::lock(&errands.sleeps).push((duration, tx));
        Box::pin(async move {
            // A sleep whose world is gone is over too.
            let _ = rx.await;
        })
    }
    fn random(&self, _stream: &str) -> RandomStream {
        touched("random")
    }
    fn spawn(&self, _lane: Lane, _name: &str, task: BoxFuture<()>) -> TaskHandle {
        let Some(errands) = &self.0 else {
            touched("spawn")
        };
        Errands::lock(&errands.tasks).push(task);
        TaskHandle::new(Box::pin(async { Ok(()) }))
    }
    fn blocking(
        &self,
        _name: &str,
        _work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>> {
        touched("blocking")
    }
    fn charge(&self, _records: u64) -> Charge {
        touched("charge")
    }
    fn any_port(&self) -> Address {
        touched("any_port")
    }
    fn connect(&self, _to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        touched("connect")
    }
    fn listen(&self, _at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        touched("listen")
    }
    fn disk(&self) -> Arc<dyn Disk> {
        touched("disk")
    }
    fn service(&self, _wanted: TypeId, _url: &str) -> Result<Box<dyn Any + Send>, ServiceError> {
        touched("service")
    }
}
