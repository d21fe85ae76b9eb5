//! The one handle through which a node touches anything outside its own memory.
//!
//! Invariant: all time, randomness, concurrency and I/O of the engine goes through here, so a
//! world can be replaced by a seeded one.

use std::any::{Any, TypeId};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::sync::oneshot;
use crate::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, TaskHandle, WallTime,
};

/// A wait took longer than it was allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no answer within {limit:?}")]
pub struct TimedOut {
    /// How long it was allowed to take.
    pub limit: Duration,
}

/// What a world must be able to do; implemented by the real one and the simulated one.
///
/// Callers use [`World`], which adds types to the erased parts.
pub trait WorldApi: Send + Sync {
    /// The name of the node, for logs.
    fn node(&self) -> &str;
    /// The monotonic clock.
    fn now(&self) -> Monotonic;
    /// The wall clock.
    fn wall(&self) -> WallTime;
    /// Ends `duration` later. One that ends while its node is paused fires once, afterwards.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
    /// The random stream of this node with the given name; each call starts it anew.
    fn random(&self, stream: &str) -> RandomStream;
    /// Starts a task.
    fn spawn(&self, lane: Lane, name: &str, task: BoxFuture<()>) -> TaskHandle;
    /// Runs code that blocks. It starts at once and goes on when the future is dropped; a panic in
    /// it is the future's error.
    fn blocking(
        &self,
        name: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>>;
    /// Reports the work of one slice.
    fn charge(&self, records: u64) -> Charge;
    /// Which of `count` things that may go next does go: the one whose turn it is, `due`. A
    /// simulated world draws one instead, since nothing may depend on the turns.
    fn turn(&self, due: usize, count: usize) -> usize {
        debug_assert!(due < count, "one of {count} is due");
        due
    }
    /// An address on this node with a free port, to listen on.
    fn any_port(&self) -> Address;
    /// Opens a connection.
    fn connect(&self, to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>>;
    /// Accepts connections at an address of this node.
    fn listen(&self, at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>>;
    /// The node's files.
    fn disk(&self) -> Arc<dyn Disk>;
    /// An outside system: a boxed `Arc<T>` where `wanted` is the [`TypeId`] of `T`. Any other box
    /// says that the scheme is there, but not as `T`; [`Services`](crate::Services) does all that.
    ///
    /// # Errors
    /// [`ServiceError`] when nothing is offered under the scheme, or it cannot be made.
    fn service(&self, wanted: TypeId, url: &str) -> Result<Box<dyn Any + Send>, ServiceError>;
}

/// A cheap handle to the world of one node.
#[derive(Clone)]
pub struct World(Arc<dyn WorldApi>);

impl World {
    /// Wraps a world.
    pub fn new(api: Arc<dyn WorldApi>) -> Self {
        Self(api)
    }

    /// What is behind the handle.
    pub(crate) fn api(&self) -> &Arc<dyn WorldApi> {
        &self.0
    }

    /// The name of the node, for logs.
    pub fn node(&self) -> &str {
        self.0.node()
    }

    /// The monotonic clock.
    pub fn now(&self) -> Monotonic {
        self.0.now()
    }

    /// The wall clock.
    pub fn wall(&self) -> WallTime {
        self.0.wall()
    }

    /// Ends `duration` later.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.0.sleep(duration)
    }

    /// The random stream of this node with the given name; each call starts it anew.
    pub fn random(&self, stream: &str) -> RandomStream {
        self.0.random(stream)
    }

    /// Starts a task; its name appears in logs and in [`Panicked`].
    pub fn spawn(
        &self,
        lane: Lane,
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle {
        self.0.spawn(lane, name, Box::pin(task))
    }

    /// Runs code that blocks, away from the control threads.
    ///
    /// # Errors
    /// [`Panicked`] when the code did.
    ///
    /// # Cancel safety
    /// The code runs to its end; its result is dropped.
    pub async fn blocking<R: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Panicked> {
        let (tx, rx) = oneshot::channel();
        let done = self.0.blocking(
            name,
            Box::new(move || {
                // The caller may have gone away; then nobody wants the result.
                let _ = tx.send(work());
            }),
        );
        done.await?;
        Ok(rx
            .await
            .expect("blocking work that did not panic has sent its result"))
    }

    /// Reports the work of one slice; settle the answer before the next slice.
    #[inline]
    pub fn charge(&self, records: u64) -> Charge {
        self.0.charge(records)
    }

    /// Which of `count` things that may go next does go, where `due` is the one whose turn it is.
    ///
    /// Below `count`. In simulation it is drawn, since nothing may depend on the turns.
    #[inline]
    pub fn turn(&self, due: usize, count: usize) -> usize {
        self.0.turn(due, count)
    }

    /// Gives `work` no more than `limit`.
    ///
    /// # Errors
    /// [`TimedOut`]; `work` was dropped.
    pub async fn timeout<R>(
        &self,
        limit: Duration,
        work: impl Future<Output = R>,
    ) -> Result<R, TimedOut> {
        crate::select! {
            result = work => Ok(result),
            () = self.sleep(limit) => Err(TimedOut { limit }),
        }
    }

    /// An address on this node with a free port, to listen on.
    pub fn any_port(&self) -> Address {
        self.0.any_port()
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Those of the operating system: refused, unreachable, timed out.
    pub async fn connect(&self, to: &Address) -> io::Result<Box<dyn ByteStream>> {
        self.0.connect(to).await
    }

    /// Accepts connections at an address of this node.
    ///
    /// # Errors
    /// Those of the operating system: address in use, not ours.
    pub async fn listen(&self, at: &Address) -> io::Result<Box<dyn Listener>> {
        self.0.listen(at).await
    }

    /// The node's files.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.0.disk()
    }

    /// The outside system at `url`, as the trait `T` of its connector.
    ///
    /// # Errors
    /// [`ServiceError`] when this world does not offer the scheme, or not as `T`.
    pub fn service<T: ?Sized + Send + Sync + 'static>(
        &self,
        url: &str,
    ) -> Result<Arc<T>, ServiceError> {
        let service = self.0.service(TypeId::of::<T>(), url)?;
        let service = service
            .downcast::<Arc<T>>()
            .map_err(|_| ServiceError::OtherTrait {
                url: url.to_owned(),
                expected: std::any::type_name::<T>(),
            })?;
        Ok(*service)
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "world of {}", self.node())
    }
}
