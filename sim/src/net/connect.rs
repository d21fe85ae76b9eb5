//! Opening a connection: there and back, with retries like those of an operating system.
//!
//! Invariant: nobody is told that a peer has gone unless an answer came over an open link: into a
//! cut link, to a crashed node and to a full backlog a connect hangs until it times out.

use std::io;
use std::sync::Arc;

use sameriver_runtime::{Address, ByteStream, RandomStream};
use xxhash_rust::xxh3::xxh3_64;

use super::connection::{CLIENT, SERVER};
use super::stream::SimStream;
use super::{Net, with_net};
use crate::counters::lock;
use crate::fault::FaultFamily;
use crate::life::Life;
use crate::node_site::NodeSite;
use crate::sim_world::{SimWorld, parse};
use crate::timers::NEVER;
use crate::trace::Event;

/// As Linux does by default: 1, 2, 4, ... seconds between the tries, about two minutes in all.
const TRIES: u32 = 7;
const FIRST_WAIT_NANOS: u64 = 1_000_000_000;
/// When somebody on the way refuses for a node that takes no connections.
const REFUSAL_NANOS: u64 = 500_000;

enum Answer {
    Accepted(SimStream),
    Refused,
    /// Nothing came back.
    Silence,
}

/// Connects one life of a node to an address.
pub(crate) async fn connect(
    world: SimWorld,
    life: Life,
    to: Address,
) -> io::Result<Box<dyn ByteStream>> {
    world.trace(
        life.node(),
        Event::Connect,
        xxh3_64(to.as_str().as_bytes()),
        || to.to_string(),
    );
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let (host, port) = parse(&to, life.site()).ok_or_else(invalid)?;
    let unknown = || io::Error::other(format!("no node is called {host}"));
    let target = world.find_site(&host).ok_or_else(unknown)?;
    let ordinal = world.now_nanos();
    let name = format!("connect {} {} {ordinal}", life.node().0, target.id().0);
    let mut draws = RandomStream::named(world.seed(), &name);
    for attempt in 0..TRIES {
        let now = world.now_nanos();
        let retry_at = now.saturating_add(FIRST_WAIT_NANOS << attempt);
        let (there, back) = (life.node(), target.id());
        let door = with_net(world.net(), |net| net.knock(back));
        if door == Some(FaultFamily::ConnectRefused) {
            let answer = now.saturating_add(REFUSAL_NANOS);
            world.sleep_until(&life, answer).await;
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let arrival = with_net(world.net(), |net| {
            net.arrival(now, (there, back), 1, &mut draws)
        });
        if arrival != NEVER && door.is_none() {
            world.sleep_until(&life, arrival).await;
            let answer = ask(&world, &life, &target, port);
            let now = world.now_nanos();
            let arrival = with_net(world.net(), |net| {
                net.arrival(now, (back, there), 1, &mut draws)
            });
            if arrival != NEVER {
                match answer {
                    Answer::Silence => {}
                    Answer::Refused => {
                        world.sleep_until(&life, arrival).await;
                        return Err(io::ErrorKind::ConnectionRefused.into());
                    }
                    Answer::Accepted(stream) => {
                        world.sleep_until(&life, arrival).await;
                        return Ok(Box::new(stream));
                    }
                }
            }
        }
        world.sleep_until(&life, retry_at).await;
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// What the target does when the request arrives.
fn ask(world: &SimWorld, life: &Life, target: &Arc<NodeSite>, port: u16) -> Answer {
    if !target.is_up() {
        return Answer::Silence;
    }
    let server = Life::current(target);
    let opened = with_net(world.net(), |net: &mut Net| {
        let backlog = net.listeners.get(&(target.id(), port)).cloned()?;
        let full = lock(&backlog).is_full();
        let connection = (!full).then(|| net.open(life, &server));
        Some((backlog, connection))
    });
    let Some((backlog, connection)) = opened else {
        return Answer::Refused;
    };
    let Some(connection) = connection else {
        return Answer::Silence;
    };
    let accepted = SimStream::new(world, &connection, SERVER);
    let acceptor = lock(&backlog).push(accepted);
    if let Some(acceptor) = acceptor {
        acceptor.wake();
    }
    Answer::Accepted(SimStream::new(world, &connection, CLIENT))
}
