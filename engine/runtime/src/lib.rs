//! The seam between the engine and the world it runs in: traits and handles only.
//!
//! Reading order: [`world`] → [`clock`] → [`lane`] and [`task`] → [`charge`] → [`random`] →
//! [`stream`] → [`disk`] → [`blob`] → [`service`] → [`wake`].
//!
//! Invariant: no clock, task, socket or file is named here, only described. A world is one handle
//! per node; no type parameter for it spreads through the engine. What is re-exported from tokio
//! ([`sync`], [`io`], [`select!`]) works in every world: it needs no tokio runtime.
#![forbid(unsafe_code)]

pub mod blob;
pub mod charge;
pub mod clock;
pub mod disk;
pub mod lane;
pub mod random;
pub mod service;
pub mod stream;
pub mod task;
pub mod task_group;
pub mod wake;
pub mod world;

pub use blob::{BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, Created};
pub use charge::Charge;
pub use clock::{Monotonic, WallTime};
pub use disk::{Disk, DiskFile, EntryKind, Published};
pub use lane::Lane;
pub use random::RandomStream;
pub use service::{ServiceError, Services};
pub use stream::{Accept, Address, ByteStream, Listener};
pub use task::{Panicked, TaskHandle};
pub use task_group::TaskGroup;
pub use wake::Wake;
pub use world::{TimedOut, World, WorldApi};

/// A future that owns all it needs and may move between threads.
pub type BoxFuture<T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'static>>;

/// Channels and locks that work in every world. `watch` is left out: its wake order is random.
pub mod sync {
    pub use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
}

/// Traits of byte streams that work in every world.
pub mod io {
    pub use tokio::io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf,
        ReadHalf, WriteHalf, split,
    };
}

/// Macros of tokio that [`select!`](crate::select) expands to.
pub mod expansion {
    pub use tokio::select;
}

/// Waits for the first of several futures; ties are decided by the order in which they stand.
///
/// This is `tokio::select!` with `biased;` in front, the only form that is equal in every run.
///
/// ```
/// # async fn wait(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
/// sameriver_runtime::select! {
///     () = a => {}
///     () = b => {}
/// }
/// # }
/// ```
#[macro_export]
macro_rules! select {
    ($($arms:tt)*) => { $crate::expansion::select! { biased; $($arms)* } };
}
