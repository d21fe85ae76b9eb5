//! Moves elements between subtasks: within a process by queues, between processes by connections.
//!
//! Reading order: `local` → this file → `registry` → `hello` → `frame` → `link` →
//! `outbound` → `inbound`.
//!
//! Invariant: the two ends of a channel find each other by (attempt, channel) alone, in whatever
//! order they come; nothing of one attempt ever reaches another. Records are encoded and decoded on
//! threads of their own, never beside control messages. What an exchange has started ends with it.
//! Knows nothing of slots' loops or of what the elements mean.

pub(crate) mod frame;
pub(crate) mod hello;
mod inbound;
mod link;
pub(crate) mod local;
mod outbound;
mod registry;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use sameriver_model::{AttemptNumber, Failure};
use sameriver_runtime::io::AsyncWriteExt;
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{
    Address, ByteStream, Lane, Listener, Monotonic, TaskGroup, Wake, World, select,
};

use self::hello::{Hello, HelloError};
use self::inbound::Inbound;
use self::link::{LinkError, lock};
use self::local::ChannelQueue;
use self::registry::{Node, Registry};
use crate::mail::Deployment;
use crate::settings::ExchangeSettings;

/// How long the listener rests when the operating system gives it no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections may be open that have not said their hello yet. Fixed: a peer says it with
/// its first bytes, so those that wait here are slow ones and strangers.
const STRANGERS_MAX: usize = 64;

/// How long a stranger may stay when others want to come in.
const STRANGER_PATIENCE: Duration = Duration::from_secs(1);

/// The data side of one task manager: queues between its slots, connections to its peers.
///
/// A cheap handle. The last one that is dropped, and [`close`](Self::close), close the port and all
/// connections.
#[derive(Clone)]
pub struct Exchange {
    shared: Arc<Shared>,
}

struct Shared {
    address: Address,
    node: Node,
    registry: Mutex<Registry>,
    stop: Wake,
    /// Everything that was started here.
    tasks: TaskGroup,
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
        let (stop, tasks) = (Wake::new(), TaskGroup::new());
        let world = tasks.of(world);
        let shared = Arc::new(Shared {
            address: listener.address(),
            node: Node {
                world: world.clone(),
                settings: settings.clone(),
                build,
            },
            registry: Mutex::default(),
            stop: stop.clone(),
            tasks,
        });
        let accept = accept(Arc::downgrade(&shared), world.clone(), listener, stop);
        // `close` waits for it, as for all that is started through this handle to the world.
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

    /// Closes the port and all connections, whoever else has a handle, and waits until every task
    /// that was started here has ended: a codec of a user's type that blocks is waited for. Call it
    /// once, when no slot uses the exchange any more.
    pub async fn close(self) {
        self.shared.end();
        self.shared.tasks.ended().await;
    }

    /// The attempt was cancelled: ends its connections.
    pub(crate) fn release(&self, attempt: AttemptNumber) {
        lock(&self.shared.registry).release(attempt);
    }
}

impl Shared {
    fn end(&self) {
        self.stop.wake();
        lock(&self.registry).close();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exchange at {}", self.address())
    }
}

async fn accept(shared: Weak<Shared>, world: World, mut listener: Box<dyn Listener>, stop: Wake) {
    let mut strangers = Strangers::default();
    loop {
        let accepted = select! {
            () = stop.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                select! {
                    () = stop.wait() => return,
                    () = strangers.make_room(&world) => {}
                }
                let gone = strangers.let_in(world.now());
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

/// Who has come in and not said hello yet, the longest wait first. Nobody of them is waited for
/// when the exchange ends: each is gone when its sender is dropped.
#[derive(Default)]
struct Strangers(VecDeque<(Monotonic, oneshot::Sender<()>)>);

impl Strangers {
    /// Waits until there is room for one more. It is made by who has been silent for too long, so
    /// that silent ones keep nobody out.
    async fn make_room(&mut self, world: &World) {
        self.0.retain(|(_, stranger)| !stranger.is_closed());
        while self.0.len() >= STRANGERS_MAX {
            let Some((since, oldest)) = self.0.front_mut() else {
                return;
            };
            let stayed = world.now().since(*since);
            select! {
                () = oldest.closed() => {}
                () = world.sleep(STRANGER_PATIENCE.saturating_sub(stayed)) => {
                    let (node, max) = (world.node(), STRANGERS_MAX);
                    tracing::warn!(
                        node,
                        "a data connection was dropped: it said nothing, and {max} are open"
                    );
                }
            }
            self.0.pop_front();
        }
    }

    /// Lets one in; the answer is closed when it has to go.
    fn let_in(&mut self, now: Monotonic) -> oneshot::Receiver<()> {
        let (here, gone) = oneshot::channel();
        self.0.push_back((now, here));
        gone
    }
}

/// Carries one connection of a peer. It has to go when `gone` is closed before the hellos are
/// exchanged; later the registry ends the connection.
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
            let carried = carry(&link, &world, settings, stream, &name);
            // A thread of its own: decoding runs a user's code, which may block.
            let carrier = world.spawn(Lane::Data, &name, carried);
            if let Err(panicked) = carrier.join().await {
                link.fail(&LinkError::Panicked(panicked).failure(&name));
            }
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

fn carry(
    link: &Arc<Inbound>,
    world: &World,
    settings: ExchangeSettings,
    stream: Box<dyn ByteStream>,
    name: &str,
) -> impl Future<Output = ()> + Send + use<> {
    let (link, world, name) = (Arc::clone(link), world.clone(), name.to_owned());
    async move { link.run(&world, &settings, stream, &name).await }
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
    let admitted = lock(&shared.registry).admit(&shared.node, &hello);
    let Some((answer, admitted)) = admitted else {
        return Ok(None);
    };
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
