//! A spawned future with its node and generation around it.
//!
//! Invariant: running tasks are polled and their panics caught; tasks of a paused node are parked;
//! the futures of a dead generation lie in the graveyard and are never polled again. Every poll is
//! counted, and so is every task that is ready.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{BoxFuture, Lane, Panicked, TaskHandle};
use xxhash_rust::xxh3::xxh3_64;

use crate::counters::{Counters, lock};
use crate::life::Life;
use crate::sim_world::SimWorld;
use crate::trace::Event;
use crate::{current, quiet_panics};

const WAITING: u8 = 0;
const READY: u8 = 1;
const DONE: u8 = 2;

/// Wakes one task and keeps count of the ready ones.
struct TaskWake {
    state: AtomicU8,
    executor: Mutex<Option<Waker>>,
    counters: Arc<Counters>,
}

impl TaskWake {
    fn new(counters: Arc<Counters>) -> Self {
        counters.task_ready();
        Self {
            state: AtomicU8::new(READY),
            executor: Mutex::default(),
            counters,
        }
    }

    /// Notes that the executor took the task out of its queue; `false` if the task is over: the
    /// executor may still hold tasks of a world that was dissolved.
    fn begin_poll(&self, executor: &Waker) -> bool {
        if self.state.load(Ordering::Relaxed) == DONE {
            return false;
        }
        self.state.store(WAITING, Ordering::Relaxed);
        self.counters.task_taken();
        lock(&self.executor).get_or_insert_with(|| executor.clone());
        true
    }

    fn finish(&self) {
        if self.state.swap(DONE, Ordering::Relaxed) == READY {
            self.counters.task_taken();
        }
        let executor = lock(&self.executor).take();
        drop(executor);
    }

    fn make_ready(&self) {
        let was_waiting = self
            .state
            .compare_exchange(WAITING, READY, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if was_waiting {
            self.counters.task_ready();
            let executor = lock(&self.executor).clone();
            executor.expect("a task that waits has been polled").wake();
        }
    }
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        self.make_ready();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.make_ready();
    }
}

type Ending = oneshot::Sender<Result<(), Panicked>>;

/// A task as its node keeps it.
pub(crate) struct TaskCell {
    number: u64,
    name: String,
    life: Life,
    future: Mutex<Option<BoxFuture<()>>>,
    ending: Mutex<Option<Ending>>,
    wake: Arc<TaskWake>,
}

impl TaskCell {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes the future out for the graveyard; the executor forgets the task at its next turn.
    pub(crate) fn bury(&self) -> Option<BoxFuture<()>> {
        let future = lock(&self.future).take();
        self.wake.make_ready();
        future
    }

    /// Lets go of everything at the end of the run.
    pub(crate) fn dissolve(&self) -> (Option<BoxFuture<()>>, Option<Ending>) {
        self.wake.finish();
        (lock(&self.future).take(), lock(&self.ending).take())
    }
}

/// What the executor polls.
struct NodeTask {
    world: SimWorld,
    cell: Arc<TaskCell>,
    waker: Waker,
}

impl Future for NodeTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.cell.wake.begin_poll(cx.waker()) {
            return Poll::Ready(());
        }
        self.world.before_poll();
        let poll = self.run();
        if poll.is_ready() {
            self.cell.wake.finish();
        }
        self.world.after_poll();
        poll
    }
}

impl NodeTask {
    fn run(&self) -> Poll<()> {
        let life = &self.cell.life;
        if life.is_stale() {
            return Poll::Ready(());
        }
        if life.site().is_paused() {
            lock(&life.site().tasks).parked.push(self.waker.clone());
            return Poll::Pending;
        }
        let Some(mut future) = lock(&self.cell.future).take() else {
            return Poll::Ready(());
        };
        let mut cx = Context::from_waker(&self.waker);
        let poll = || catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        let polled = current::of(life, || quiet_panics::watched(poll));
        if life.is_stale() {
            // It crashed its own node; what it unwound or returned, nobody sees.
            self.world.bury(future);
            return Poll::Ready(());
        }
        match polled {
            Ok(Poll::Pending) => {
                *lock(&self.cell.future) = Some(future);
                Poll::Pending
            }
            Ok(Poll::Ready(())) => self.end(future, Ok(())),
            Err(payload) => {
                let panicked = Panicked::new(&self.cell.name, &*payload);
                self.world.note_panic(life, &panicked);
                self.end(future, Err(panicked))
            }
        }
    }

    fn end(&self, future: BoxFuture<()>, result: Result<(), Panicked>) -> Poll<()> {
        // A destructor may panic as well; that is the task's own affair.
        let end = || catch_unwind(AssertUnwindSafe(|| drop(future)));
        let _ = current::of(&self.cell.life, || quiet_panics::watched(end));
        let cell = lock(&self.cell.life.site().tasks)
            .cells
            .remove(&self.cell.number);
        drop(cell);
        let digest = xxh3_64(self.cell.name.as_bytes()) ^ u64::from(result.is_err());
        self.world
            .trace(self.cell.life.node(), Event::TaskEnd, digest, || {
                format!("{} {result:?}", self.cell.name)
            });
        let ending = lock(&self.cell.ending).take();
        if let Some(ending) = ending {
            // Nobody joins a detached task.
            let _ = ending.send(result);
        }
        Poll::Ready(())
    }
}

/// Starts a task in the life of a node.
pub(crate) fn spawn(
    world: &SimWorld,
    life: &Life,
    lane: Lane,
    name: &str,
    future: BoxFuture<()>,
) -> TaskHandle {
    if life.is_stale() {
        world.bury(future);
        return TaskHandle::new(Box::pin(std::future::pending()));
    }
    let (ending, ended) = oneshot::channel();
    let mut tasks = lock(&life.site().tasks);
    let number = tasks.next;
    tasks.next += 1;
    let cell = Arc::new(TaskCell {
        number,
        name: name.to_owned(),
        life: life.clone(),
        future: Mutex::new(Some(future)),
        ending: Mutex::new(Some(ending)),
        wake: Arc::new(TaskWake::new(world.counters())),
    });
    tasks.cells.insert(number, Arc::clone(&cell));
    drop(tasks);
    world.trace(life.node(), Event::Spawn, xxh3_64(name.as_bytes()), || {
        format!("{name} ({lane:?})")
    });
    let waker = Waker::from(Arc::clone(&cell.wake));
    let world = world.clone();
    drop(madsim::task::spawn(NodeTask { world, cell, waker }));
    let joined = life.guard(async move {
        match ended.await {
            Ok(result) => result,
            Err(_) => std::future::pending().await,
        }
    });
    TaskHandle::new(joined)
}
