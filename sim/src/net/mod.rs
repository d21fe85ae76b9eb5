//! The network: links with latency, and what waits on them. No task runs here.
//!
//! Reading order: [`pipe`] (one direction of a connection) → [`connection`] → [`stream`] →
//! [`listener`] → [`connect`].
//!
//! Invariant: bytes of one direction arrive in order or not at all; over a cut link nothing
//! arrives, neither data nor the news that a peer has gone.

mod connect;
mod connection;
mod listener;
mod pipe;
mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use sameriver_runtime::RandomStream;

pub(crate) use connect::connect;
use connection::Connection;
use listener::Backlog;
pub(crate) use listener::listen;

use crate::counters::lock;
use crate::life::{Life, NodeId};
use crate::node_site::log_between;
use crate::timers::NEVER;

/// One direction between two nodes.
#[derive(Clone, Copy, Debug)]
struct Link {
    latency_nanos: u64,
    jitter_nanos: u64,
    cut: bool,
}

pub(crate) struct Net {
    seed: u64,
    links: BTreeMap<(NodeId, NodeId), Link>,
    listeners: BTreeMap<(NodeId, u16), Arc<Mutex<Backlog>>>,
    next_port: BTreeMap<NodeId, u16>,
    connections: Vec<Weak<Connection>>,
    opened: u64,
}

const FIRST_PORT: u16 = 10_000;

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            links: BTreeMap::new(),
            listeners: BTreeMap::new(),
            next_port: BTreeMap::new(),
            connections: Vec::new(),
            opened: 0,
        }
    }

    fn link_mut(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let seed = self.seed;
        self.links.entry((from, to)).or_insert_with(|| {
            let mut draws = RandomStream::named(seed, &format!("link {} {}", from.0, to.0));
            let latency_nanos = if from == to {
                log_between(&mut draws, 5_000, 50_000)
            } else {
                log_between(&mut draws, 20_000, 5_000_000)
            };
            Link {
                latency_nanos,
                jitter_nanos: latency_nanos / 4 + 1,
                cut: false,
            }
        })
    }

    /// When something sent now arrives; [`NEVER`] over a cut link.
    fn arrival(&mut self, now: u64, from: NodeId, to: NodeId, draws: &mut RandomStream) -> u64 {
        let link = *self.link_mut(from, to);
        let jitter = draws.below(link.jitter_nanos);
        if link.cut {
            return NEVER;
        }
        now.saturating_add(link.latency_nanos)
            .saturating_add(jitter)
    }

    fn open(&mut self, client: &Life, server: &Life) -> Arc<Connection> {
        self.opened += 1;
        let name = format!("connection {}", self.opened);
        let draws = RandomStream::named(self.seed, &name);
        let connection = Connection::new(self.opened, [client.clone(), server.clone()], draws);
        if self.opened.is_multiple_of(64) {
            self.connections.retain(|weak| weak.strong_count() > 0);
        }
        self.connections.push(Arc::downgrade(&connection));
        connection
    }

    fn live(&self) -> Vec<Arc<Connection>> {
        self.connections.iter().filter_map(Weak::upgrade).collect()
    }

    /// Holds back all that is on its way over a link from now on.
    pub(crate) fn cut(&mut self, now: u64, from: NodeId, to: NodeId) {
        self.link_mut(from, to).cut = true;
        for connection in self.live() {
            connection.hold(now, from, to);
        }
    }

    /// Sends again what was held back; answers what may have somebody waiting.
    pub(crate) fn heal(&mut self, now: u64, from: NodeId, to: NodeId) -> Vec<Arc<Connection>> {
        self.link_mut(from, to).cut = false;
        let live = self.live();
        for connection in &live {
            connection.release(self, now, from, to);
        }
        live
    }

    /// Silences all that belongs to a node; answers what must be dropped without a lock.
    pub(crate) fn crash(&mut self, now: u64, node: NodeId) -> Vec<Arc<Mutex<Backlog>>> {
        let gone = self.listeners.extract_if(.., |(at, _), _| *at == node);
        let gone = gone.map(|(_, backlog)| backlog).collect();
        for connection in self.live() {
            connection.lose_sender(now, node);
        }
        gone
    }

    /// A node that is up again answers what it knows nothing of with resets.
    pub(crate) fn answer_strangers(&mut self, now: u64, node: NodeId) -> Vec<Arc<Connection>> {
        let live = self.live();
        for connection in &live {
            connection.reset_by_stranger(self, now, node);
        }
        live
    }

    fn take_port(&mut self, node: NodeId) -> u16 {
        let next = self.next_port.entry(node).or_insert(FIRST_PORT);
        let port = *next;
        *next = next.checked_add(1).unwrap_or(FIRST_PORT);
        port
    }
}

/// Runs `change` on a connection's two directions and the network together.
///
/// The locks are always taken in this order: network, then connection, then timers.
fn with_net<R>(net: &Mutex<Net>, change: impl FnOnce(&mut Net) -> R) -> R {
    change(&mut lock(net))
}
