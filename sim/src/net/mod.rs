//! The network: links with latency, and what waits on them. No task runs here.
//!
//! Reading order: [`link`] (one direction between two nodes) → [`pipe`] (one direction of a
//! connection) → [`connection`] → [`stream`] → [`listener`] → [`connect`].
//!
//! Invariant: bytes of one direction arrive in order or not at all; over a cut link nothing
//! arrives, neither data nor the news that a peer has gone.

mod connect;
mod connection;
mod link;
mod listener;
mod pipe;
mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use sameriver_runtime::RandomStream;

pub(crate) use connect::connect;
use connection::Connection;
use link::Link;
use listener::Backlog;
pub(crate) use listener::listen;

use crate::counters::lock;
use crate::fault::{Effects, FaultFamily, Parameters};
use crate::life::{Life, NodeId};

pub(crate) struct Net {
    seed: u64,
    links: BTreeMap<(NodeId, NodeId), Link>,
    listeners: BTreeMap<(NodeId, u16), Arc<Mutex<Backlog>>>,
    next_port: BTreeMap<NodeId, u16>,
    connections: Vec<Weak<Connection>>,
    opened: u64,
    /// Nodes that take no new connections, by the number of the fault.
    doors: BTreeMap<u64, (NodeId, FaultFamily)>,
    effects: Effects,
}

/// A link by its ends.
type Route = (NodeId, NodeId);

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
            doors: BTreeMap::new(),
            effects: Effects::default(),
        }
    }

    /// What the faults of links and doors did.
    pub(crate) fn effects(&self) -> &Effects {
        &self.effects
    }

    fn link_mut(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let seed = self.seed;
        let link = self.links.entry((from, to));
        link.or_insert_with(|| Link::new(seed, from, to))
    }

    /// When something sent now arrives; [`NEVER`](crate::timers::NEVER) over a cut link. `counts`
    /// is its length in bytes, or 0 for what nobody counts.
    fn arrival(
        &mut self,
        now: u64,
        (from, to): Route,
        counts: u64,
        draws: &mut RandomStream,
    ) -> u64 {
        let seed = self.seed;
        let link = self.links.entry((from, to));
        let link = link.or_insert_with(|| Link::new(seed, from, to));
        link.arrival(now, counts, draws, &mut self.effects)
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
        self.link_mut(from, to).set_cut(true);
        self.hold(now, (from, to));
    }

    /// Takes a cut by hand back; answers what may have somebody waiting.
    pub(crate) fn heal(&mut self, now: u64, from: NodeId, to: NodeId) -> Vec<Arc<Connection>> {
        self.link_mut(from, to).set_cut(false);
        self.release(now, (from, to))
    }

    fn hold(&mut self, now: u64, (from, to): Route) {
        let held: u64 = self.live().iter().map(|c| c.hold(now, from, to)).sum();
        if let Some(family) = self.link_mut(from, to).cut_by() {
            self.effects.add(family, held);
        }
    }

    /// Sends again what was held back, if the link is whole.
    fn release(&mut self, now: u64, (from, to): Route) -> Vec<Arc<Connection>> {
        if self.link_mut(from, to).is_cut() {
            return Vec::new();
        }
        let live = self.live();
        for connection in &live {
            connection.release(self, now, from, to);
        }
        live
    }

    /// A fault of a link begins; it is known by its number.
    pub(crate) fn hurt(
        &mut self,
        now: u64,
        (from, to): Route,
        (number, family): (u64, FaultFamily),
        parameters: Parameters,
        until: u64,
    ) {
        let link = self.link_mut(from, to);
        let was_cut = link.is_cut();
        link.hurt(number, family, parameters, until);
        if link.is_cut() && !was_cut {
            self.hold(now, (from, to));
        }
    }

    /// A fault of a link ends; answers what may have somebody waiting.
    pub(crate) fn mend(&mut self, now: u64, route: Route, number: u64) -> Vec<Arc<Connection>> {
        if !self.link_mut(route.0, route.1).mend(number) {
            return Vec::new();
        }
        self.release(now, route)
    }

    /// A node takes no new connections.
    pub(crate) fn close_door(&mut self, number: u64, node: NodeId, family: FaultFamily) {
        self.doors.insert(number, (node, family));
    }

    /// A node takes new connections again, as far as this fault goes.
    pub(crate) fn open_door(&mut self, number: u64) {
        self.doors.remove(&number);
    }

    /// What keeps a request to connect away from a node; it counts.
    fn knock(&mut self, node: NodeId) -> Option<FaultFamily> {
        let mut doors = self.doors.values();
        let family = doors.find(|(door, _)| *door == node)?.1;
        self.effects.add(family, 1);
        Some(family)
    }

    /// Breaks every connection of two nodes; answers what may have somebody waiting.
    pub(crate) fn break_all(&mut self, now: u64, a: NodeId, b: NodeId) -> Vec<Arc<Connection>> {
        let joins = |connection: &Arc<Connection>| connection.joins(a, b);
        let broken: Vec<_> = self.live().into_iter().filter(joins).collect();
        for connection in &broken {
            let mut pipes = connection.pipes();
            connection.break_off(self, now, &mut pipes);
        }
        broken
    }

    /// Behind how many of `count` bytes that are written now their connection breaks.
    fn breaks_within(&mut self, (from, to): Route, count: usize) -> Option<usize> {
        let count = u64::try_from(count).expect("a length fits");
        let at = self.link_mut(from, to).breaks_within(count)?;
        usize::try_from(at).ok()
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
