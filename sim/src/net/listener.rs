//! Where a node accepts connections.
//!
//! Invariant: one listener per port of a node; a connection that was not accepted yet is kept.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use sameriver_runtime::{Address, ByteStream, Listener};

use super::stream::SimStream;
use super::with_net;
use crate::counters::lock;
use crate::life::Life;
use crate::sim_world::{SimWorld, parse};
use crate::trace::Event;

/// How many connections wait to be accepted before new ones are left unanswered.
const BACKLOG_MAX: usize = 128;

#[derive(Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<SimStream>,
    acceptor: Option<Waker>,
}

impl Backlog {
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= BACKLOG_MAX
    }

    pub(super) fn push(&mut self, stream: SimStream) -> Option<Waker> {
        self.waiting.push_back(stream);
        self.acceptor.take()
    }
}

struct SimListener {
    world: SimWorld,
    life: Life,
    port: u16,
    backlog: Arc<Mutex<Backlog>>,
}

/// Starts to listen at an address of this node; port 0 asks for a free one.
pub(crate) fn listen(world: &SimWorld, life: &Life, at: &Address) -> io::Result<Box<dyn Listener>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let (host, port) = parse(at, life.site()).ok_or_else(invalid)?;
    if host != life.site().name() {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let node = life.node();
    let backlog = Arc::<Mutex<Backlog>>::default();
    let port = with_net(world.net(), |net| {
        let port = if port == 0 { net.take_port(node) } else { port };
        if net.listeners.contains_key(&(node, port)) {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        net.listeners.insert((node, port), Arc::clone(&backlog));
        Ok(port)
    })?;
    world.trace(node, Event::Listen, u64::from(port), || {
        format!("{host}:{port}")
    });
    Ok(Box::new(SimListener {
        world: world.clone(),
        life: life.clone(),
        port,
        backlog,
    }))
}

impl Listener for SimListener {
    fn address(&self) -> Address {
        Address::new(format!("{}:{}", self.life.site().name(), self.port))
    }

    fn accept(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + '_>> {
        Box::pin(poll_fn(|cx| {
            if self.life.is_stale() {
                return Poll::Pending;
            }
            let mut backlog = lock(&self.backlog);
            if let Some(stream) = backlog.waiting.pop_front() {
                return Poll::Ready(Ok(Box::new(stream) as Box<dyn ByteStream>));
            }
            backlog.acceptor = Some(cx.waker().clone());
            Poll::Pending
        }))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        if self.life.is_stale() {
            return;
        }
        let key = (self.life.node(), self.port);
        let removed = with_net(self.world.net(), |net| net.listeners.remove(&key));
        // With no lock held: each waiting connection tells its peer.
        let waiting = std::mem::take(&mut lock(&self.backlog).waiting);
        drop((removed, waiting));
    }
}
