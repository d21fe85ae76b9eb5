//! Moves elements between subtasks: within a process by queues, between processes by connections.
//!
//! Reading order: `local` → this file → `registry` → `hello` → `frame` → `link` →
//! `outbound` → `inbound`.
//!
//! Invariant: the two ends of a channel find each other by (attempt, channel) alone, in whatever
//! order they come; nothing of one attempt ever reaches another. Knows nothing of slots' loops or
//! of what the elements mean.

pub(crate) mod frame;
pub(crate) mod hello;
mod inbound;
mod link;
pub(crate) mod local;
mod outbound;
mod registry;

use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use sameriver_model::{AttemptNumber, Failure};
use sameriver_runtime::io::AsyncWriteExt;
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Address, ByteStream, Lane, Listener, Wake, World, select};

use self::hello::{Hello, HelloError};
use self::inbound::Inbound;
use self::link::{LinkError, lock};
use self::local::ChannelQueue;
use self::registry::{Node, Registry};
use crate::mail::Deployment;
use crate::settings::ExchangeSettings;

/// How long the listener rests when the operating system gives it no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The data side of one task manager: queues between its slots, connections to its peers.
///
/// A cheap handle. The last one that is dropped closes the port and all connections.
#[derive(Clone)]
pub struct Exchange {
    shared: Arc<Shared>,
}

struct Shared {
    address: Address,
    node: Node,
    registry: Mutex<Registry>,
    stop: Wake,
}

/// The channels of one subtask.
pub(crate) struct Ends {
    /// The channels of its gate, in the order of the plan.
    pub(crate) inputs: Vec<Arc<ChannelQueue>>,
    /// Edge by edge, the channels on which it sends.
    pub(crate) outputs: Vec<Vec<Arc<ChannelQueue>>>,
}

impl Exchange {
    /// Listens for the data connections of peers. A peer of another `build` is refused.
    ///
    /// # Errors
    /// When the world has no port to listen on.
    pub async fn bind(world: &World, settings: &ExchangeSettings, build: u64) -> io::Result<Self> {
        let listener = world.listen(&world.any_port()).await?;
        let stop = Wake::new();
        let shared = Arc::new(Shared {
            address: listener.address(),
            node: Node {
                world: world.clone(),
                settings: settings.clone(),
                build,
            },
            registry: Mutex::default(),
            stop: stop.clone(),
        });
        let accept = accept(Arc::downgrade(&shared), world.clone(), listener, stop);
        world.spawn(Lane::Control, "data port", accept).detach();
        Ok(Self { shared })
    }

    /// Where peers reach this exchange.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Opens the channels of a subtask whose slot is woken by `wake`.
    pub(crate) fn open(
        &self,
        deployment: &Deployment,
        wake: &Wake,
        buffers_per_channel: usize,
    ) -> Result<Ends, Failure> {
        let mut registry = lock(&self.shared.registry);
        registry.open(&self.shared.node, deployment, wake, buffers_per_channel)
    }

    /// The attempt was cancelled: ends its connections.
    pub(crate) fn release(&self, attempt: AttemptNumber) {
        lock(&self.shared.registry).release(attempt);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.wake();
        lock(&self.registry).release_all();
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exchange at {}", self.address())
    }
}

async fn accept(shared: Weak<Shared>, world: World, mut listener: Box<dyn Listener>, stop: Wake) {
    // Whoever has not said hello when the exchange ends is not waited for.
    let mut greeting: Vec<oneshot::Sender<()>> = Vec::new();
    loop {
        let accepted = select! {
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                greeting.retain(|stranger| !stranger.is_closed());
                let (here, gone) = oneshot::channel();
                greeting.push(here);
                let connection = serve(shared.clone(), world.clone(), stream, gone);
                let task = world.spawn(Lane::Control, "data connection", connection);
                task.detach();
            }
            Err(error) => {
                tracing::warn!(node = world.node(), "data port gave no connection: {error}");
                world.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Carries one connection of a peer. The exchange is over when `gone` is closed before the hellos
/// are exchanged; later the registry ends the connection.
async fn serve(
    shared: Weak<Shared>,
    world: World,
    mut stream: Box<dyn ByteStream>,
    mut gone: oneshot::Receiver<()>,
) {
    let greeted = select! {
        greeted = greet(&shared, &world, &mut stream) => greeted,
        _ = &mut gone => return,
    };
    drop(gone);
    match greeted {
        Ok(Some(Greeted {
            link,
            settings,
            hello,
        })) => {
            let name = format!("data connection {} > {}", hello.from, hello.to);
            link.run(&world, &settings, stream, &name).await;
            if let Some(shared) = shared.upgrade() {
                lock(&shared.registry).disconnected(&hello);
            }
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(node = world.node(), "data connection refused: {error}");
        }
    }
}

struct Greeted {
    link: Arc<Inbound>,
    settings: ExchangeSettings,
    hello: Hello,
}

/// Exchanges hellos; `None` when this node has gone meanwhile.
async fn greet(
    shared: &Weak<Shared>,
    world: &World,
    stream: &mut Box<dyn ByteStream>,
) -> Result<Option<Greeted>, LinkError> {
    let limit = match shared.upgrade() {
        Some(shared) => shared.node.settings.connect_timeout,
        None => return Ok(None),
    };
    let hello = world.timeout(limit, Hello::read(stream)).await??;
    let Some(shared) = shared.upgrade() else {
        return Ok(None);
    };
    let settings = shared.node.settings.clone();
    let (answer, admitted) = lock(&shared.registry).admit(&shared.node, &hello);
    // The handle is given back before any wait, so that the port closes with the last exchange.
    drop(shared);
    let answered = async {
        stream.write_all(&answer.encode()).await?;
        stream.flush().await
    };
    world.timeout(limit, answered).await??;
    let link = admitted?;
    Ok(Some(Greeted {
        link,
        settings,
        hello,
    }))
}

impl From<HelloError> for Failure {
    fn from(error: HelloError) -> Self {
        Self::new(sameriver_model::FailureKind::Cluster, error.to_string())
    }
}

/// The bytes of an example of `docs/formats.md`.
#[cfg(test)]
fn published(example: &str) -> &'static str {
    let page = include_str!("../../../../docs/formats.md");
    let row = page
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {example} | `")));
    let row = row.expect("the page has the example");
    row.strip_suffix("` |")
        .expect("the row ends with the bytes")
}

#[cfg(test)]
fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}
