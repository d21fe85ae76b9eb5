//! A small world for this room's tests: one thread, a clock that jumps, streams in memory.
//!
//! Invariant: it runs tasks in turn until nothing moves, then jumps to the next sleep. When nothing
//! would ever move again it panics, so a test that waits for ever fails at once. It has no disk, no
//! services and no randomness but seeded streams.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, TaskHandle, Wake, WallTime, World, WorldApi,
};

/// How many bytes a stream holds before its writer waits.
const STREAM_BYTES: usize = 4 << 10;
/// Connections that a listener has not taken yet; one more is refused.
const STREAMS_MAX: usize = 64;

/// Whether `wake` was woken since the last look.
pub(crate) fn woken(wake: &Wake) -> bool {
    let mut wait = pin!(wake.wait());
    let mut cx = Context::from_waker(Waker::noop());
    wait.as_mut().poll(&mut cx).is_ready()
}

/// The world of all nodes of a test.
#[derive(Clone, Default)]
pub(crate) struct TestWorld(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    tasks: Vec<Arc<Task>>,
    sleeps: Vec<(Duration, Waker)>,
    listeners: BTreeMap<Address, mpsc::Sender<Box<dyn ByteStream>>>,
    charged: Vec<u64>,
    polls: u64,
}

struct Task {
    future: Mutex<Option<BoxFuture<()>>>,
    ready: AtomicBool,
}

impl std::task::Wake for Task {
    fn wake(self: Arc<Self>) {
        self.ready.store(true, Ordering::SeqCst);
    }
}

impl TestWorld {
    /// The world of one node.
    pub(crate) fn node(&self, name: &str) -> World {
        World::new(Arc::new(Node {
            world: self.clone(),
            name: name.to_owned(),
        }))
    }

    /// Runs everything until `future` ends.
    pub(crate) fn block_on<R: Send + 'static>(
        &self,
        future: impl Future<Output = R> + Send + 'static,
    ) -> R {
        let (tx, mut rx) = oneshot::channel();
        self.spawn(Box::pin(async move {
            let _ = tx.send(future.await);
        }));
        loop {
            if let Ok(result) = rx.try_recv() {
                return result;
            }
            assert!(
                self.turn() || self.jump(),
                "nothing moves any more, and the test still waits"
            );
        }
    }

    /// Runs everything until nothing moves and nobody sleeps.
    pub(crate) fn settle(&self) {
        while self.turn() || self.jump() {}
    }

    /// How many records each charge was for.
    pub(crate) fn charged(&self) -> Vec<u64> {
        self.lock().charged.clone()
    }

    /// Somebody keeps a thread for so long.
    pub(crate) fn pass(&self, time: Duration) {
        self.lock().now += time;
    }

    /// How often any task was polled.
    pub(crate) fn polls(&self) -> u64 {
        self.lock().polls
    }

    /// How many tasks have not ended, the one that asks included.
    pub(crate) fn running(&self) -> usize {
        let tasks = self.lock().tasks.clone();
        let open = |task: &&Arc<Task>| match task.future.try_lock() {
            Ok(future) => future.is_some(),
            // It is being polled: it asks.
            Err(_) => true,
        };
        tasks.iter().filter(open).count()
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.lock().now
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("a test that panics is over")
    }

    fn spawn(&self, future: BoxFuture<()>) {
        let task = Task {
            future: Mutex::new(Some(future)),
            ready: AtomicBool::new(true),
        };
        self.lock().tasks.push(Arc::new(task));
    }

    /// Polls each ready task once; whether there was one.
    fn turn(&self) -> bool {
        let now = self.elapsed();
        self.end_sleeps(now);
        let tasks = self.lock().tasks.clone();
        let mut moved = false;
        for task in tasks {
            if !task.ready.swap(false, Ordering::SeqCst) {
                continue;
            }
            moved = true;
            self.lock().polls += 1;
            let waker = Waker::from(Arc::clone(&task));
            let mut future = task.future.lock().expect("a task polls itself only");
            let polled = future
                .as_mut()
                .map(|future| future.as_mut().poll(&mut Context::from_waker(&waker)));
            if polled.is_none_or(|polled| polled.is_ready()) {
                *future = None;
            }
        }
        moved
    }

    /// Jumps to the next sleep; whether there was one.
    fn jump(&self) -> bool {
        let mut state = self.lock();
        let Some(next) = state.sleeps.iter().map(|(at, _)| *at).min() else {
            return false;
        };
        state.now = next.max(state.now);
        drop(state);
        self.end_sleeps(next);
        true
    }

    fn end_sleeps(&self, now: Duration) {
        let sleeps = std::mem::take(&mut self.lock().sleeps);
        for (at, waker) in sleeps {
            if at <= now {
                waker.wake();
            } else {
                self.lock().sleeps.push((at, waker));
            }
        }
    }
}

struct Node {
    world: TestWorld,
    name: String,
}

impl WorldApi for Node {
    fn node(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Monotonic {
        Monotonic::from_origin(self.world.elapsed())
    }

    fn wall(&self) -> WallTime {
        WallTime::from_millis(self.world.elapsed().as_millis() as i64)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        let world = self.world.clone();
        let until = world.elapsed().saturating_add(duration);
        Box::pin(poll_fn(move |cx| {
            let mut state = world.lock();
            if state.now >= until {
                return Poll::Ready(());
            }
            state.sleeps.push((until, cx.waker().clone()));
            Poll::Pending
        }))
    }

    fn random(&self, stream: &str) -> RandomStream {
        RandomStream::named(7, stream)
    }

    fn spawn(&self, _: Lane, _: &str, task: BoxFuture<()>) -> TaskHandle {
        let (tx, rx) = oneshot::channel();
        self.world.spawn(Box::pin(async move {
            task.await;
            let _ = tx.send(());
        }));
        TaskHandle::new(Box::pin(async move {
            let _ = rx.await;
            Ok(())
        }))
    }

    fn blocking(&self, _: &str, work: Box<dyn FnOnce() + Send>) -> BoxFuture<Result<(), Panicked>> {
        work();
        Box::pin(async { Ok(()) })
    }

    fn charge(&self, records: u64) -> Charge {
        let mut state = self.world.lock();
        state.charged.push(records);
        // A slice takes time here, so that deadlines and yields come to pass.
        state.now += Duration::from_micros(100);
        Charge::Ready
    }

    fn any_port(&self) -> Address {
        let port = 1_000 + self.world.lock().listeners.len();
        Address::new(format!("{}:{port}", self.name))
    }

    fn connect(&self, to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        let listener = self.world.lock().listeners.get(to).cloned();
        let sent = listener.map(|listener| listener.try_send(Box::new(theirs)));
        Box::pin(async move {
            match sent {
                Some(Ok(())) => Ok(Box::new(ours) as Box<dyn ByteStream>),
                Some(Err(_)) | None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn listen(&self, at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        let (tx, streams) = mpsc::channel(STREAMS_MAX);
        self.world.lock().listeners.insert(at.clone(), tx);
        let at = at.clone();
        Box::pin(async move { Ok(Box::new(Port { at, streams }) as Box<dyn Listener>) })
    }

    fn disk(&self) -> Arc<dyn Disk> {
        unreachable!("this room touches no disk")
    }

    fn service(&self, _: TypeId, url: &str) -> Result<Box<dyn Any + Send>, ServiceError> {
        Err(ServiceError::UnknownScheme {
            url: url.to_owned(),
            offered: String::new(),
        })
    }
}

struct Port {
    at: Address,
    streams: mpsc::Receiver<Box<dyn ByteStream>>,
}

impl Listener for Port {
    fn address(&self) -> Address {
        self.at.clone()
    }

    fn accept(
        &mut self,
    ) -> std::pin::Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + '_>> {
        Box::pin(async {
            match self.streams.recv().await {
                Some(stream) => Ok(stream),
                None => std::future::pending().await,
            }
        })
    }
}
