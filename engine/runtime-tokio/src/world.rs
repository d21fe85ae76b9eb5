//! The real world as its owner sees it: a builder, and a world per node.
//!
//! Invariant: the control threads live as long as any handle of any node; dropping the last one
//! never waits, so it may happen inside async code.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;

use sameriver_runtime::{Services, World};

use crate::control::Control;
use crate::node::{Node, Shared};

/// The real world of a process: real clocks, threads, sockets and files.
///
/// Its control lane has threads of its own, whether or not the caller runs inside tokio.
///
/// ```
/// use sameriver_runtime::Lane;
/// use sameriver_runtime_tokio::TokioWorld;
///
/// let tokio = TokioWorld::builder().node("tm0").build()?;
/// let world = tokio.world();
/// tokio.block_on(async {
///     let task = world.spawn(Lane::Control, "greeter", async {});
///     task.join().await.expect("it did not panic");
/// });
/// assert_eq!(world.node(), "tm0");
/// assert_eq!(tokio.node("tm1").node(), "tm1");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct TokioWorld {
    shared: Arc<Shared>,
    node: Node,
}

impl TokioWorld {
    /// Starts to describe a world: one node named `local`, no services, a random seed,
    /// and ports that this machine alone reaches.
    pub fn builder() -> TokioWorldBuilder {
        TokioWorldBuilder {
            node: "local".to_owned(),
            host: "127.0.0.1".to_owned(),
            seed: None,
            services: Services::default(),
        }
    }

    /// The world of the node that the builder named.
    pub fn world(&self) -> World {
        self.node.world()
    }

    /// The world of another node of this process: same threads, services and clocks, its own name
    /// and random seed.
    pub fn node(&self, name: &str) -> World {
        Node::new(Arc::clone(&self.shared), name).world()
    }

    /// Runs a future on the calling thread until it ends.
    ///
    /// # Panics
    /// If called from async code: await the future there instead.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.shared.control.block_on(future)
    }
}

impl fmt::Debug for TokioWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioWorld")
            .field("services", &self.shared.services)
            .finish_non_exhaustive()
    }
}

/// Describes a [`TokioWorld`].
///
/// ```
/// use sameriver_runtime_tokio::TokioWorld;
/// use std::sync::Arc;
///
/// trait Greeter: Send + Sync {
///     fn greet(&self) -> String;
/// }
/// struct Hello;
/// impl Greeter for Hello {
///     fn greet(&self) -> String {
///         "hello".to_owned()
///     }
/// }
/// let tokio = TokioWorld::builder()
///     .service::<dyn Greeter>("hello", |_url, _world| Ok(Arc::new(Hello)))
///     .build()?;
/// let greeter = tokio.world().service::<dyn Greeter>("hello:")?;
/// assert_eq!(greeter.greet(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `build` to start the world"]
pub struct TokioWorldBuilder {
    node: String,
    host: String,
    seed: Option<u64>,
    services: Services,
}

impl TokioWorldBuilder {
    /// Names the node, for logs.
    pub fn node(mut self, name: &str) -> Self {
        name.clone_into(&mut self.node);
        self
    }

    /// Names the host, or its address, on which [`World::any_port`] is and by which other machines
    /// reach it; left out, only this machine can, at `127.0.0.1`.
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Fixes the seed of all random streams; left out, it is drawn from the operating system.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Offers the outside system `T` under a URL scheme, see [`Services::offer`].
    pub fn service<T: ?Sized + Send + Sync + 'static>(
        mut self,
        scheme: &str,
        factory: impl Fn(&str, &World) -> Result<Arc<T>, String> + Send + Sync + 'static,
    ) -> Self {
        self.services = self.services.offer(scheme, factory);
        self
    }

    /// Offers several outside systems at once.
    pub fn offer(mut self, offer: impl FnOnce(Services) -> Services) -> Self {
        self.services = offer(self.services);
        self
    }

    /// Starts the control threads.
    ///
    /// # Errors
    /// Those of the operating system when it refuses threads or file descriptors.
    pub fn build(self) -> io::Result<TokioWorld> {
        let control = Arc::new(Control::start()?);
        let seed = self.seed.unwrap_or_else(entropy);
        let shared = Arc::new(Shared::new(control, self.services, self.host, seed));
        let node = Node::new(Arc::clone(&shared), &self.node);
        Ok(TokioWorld { shared, node })
    }
}

/// A number that the operating system drew: the keys of a fresh hasher hold its entropy.
#[expect(
    clippy::disallowed_methods,
    reason = "the fence points here: this is the real `World::random`"
)]
fn entropy() -> u64 {
    RandomState::new().hash_one("seed of a world")
}
