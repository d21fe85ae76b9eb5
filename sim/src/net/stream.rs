//! One end of a connection, as the engine reads and writes it.
//!
//! Invariant: an end of a life that is over reads nothing, writes nothing, and its `Drop` tells
//! the peer nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use sameriver_runtime::io::{AsyncRead, AsyncWrite, ReadBuf};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::connection::Connection;
use super::pipe::{End, Readable, Writable};
use super::with_net;
use crate::life::Life;
use crate::sim_world::SimWorld;
use crate::trace::Event;

pub(crate) struct SimStream {
    world: SimWorld,
    connection: Arc<Connection>,
    side: usize,
}

impl SimStream {
    pub(super) fn new(world: &SimWorld, connection: &Arc<Connection>, side: usize) -> Self {
        Self {
            world: world.clone(),
            connection: Arc::clone(connection),
            side,
        }
    }

    fn life(&self) -> &Life {
        self.connection.end(self.side)
    }

    fn peer(&self) -> &Life {
        self.connection.end(1 - self.side)
    }

    fn trace(&self, event: Event, digest: u64, length: usize) {
        let number = self.connection.number();
        let side = self.side;
        let node = self.life().node();
        self.world.trace(node, event, digest ^ number, || {
            format!("connection {number}.{side} {length} bytes")
        });
    }

    /// Writes what fits of `parts`; the network's draw may take less.
    fn write(&self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.life().is_stale() {
            return Poll::Pending;
        }
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let now = self.world.now_nanos();
        with_net(self.world.net(), |net| {
            let mut pipes = self.connection.pipes();
            if pipes[self.side].is_ended() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let peer_is_stranger = self.peer().is_stale() && self.peer().site().is_up();
            let (node, peer) = (self.life().node(), self.peer().node());
            let pipe = &mut pipes[self.side];
            let room = match pipe.writable(now) {
                Writable::Gone => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Writable::NotBefore(_) => {
                    pipe.writer = Some(cx.waker().clone());
                    self.connection.arm_writer(&self.world, self.side, pipe);
                    return Poll::Pending;
                }
                Writable::Room(room) => room,
            };
            if total == 0 {
                return Poll::Ready(Ok(0));
            }
            let count = pipe.accept(total, room);
            let bytes = gather(parts, count);
            self.trace(Event::Write, xxh3_64_with_seed(&bytes, count as u64), count);
            let arrival = net.arrival(now, (node, peer), count as u64, &mut pipe.draws);
            let nobody_reads = pipe.abandoned || peer_is_stranger;
            let broken = net.breaks_within((node, peer), count);
            // The system has taken all of it, whatever becomes of it.
            pipe.push(bytes.slice(..broken.unwrap_or(count)), arrival);
            self.connection.arm_reader(&self.world, self.side, pipe);
            if nobody_reads {
                self.connection
                    .reset_by(net, arrival, 1 - self.side, &mut pipes);
            }
            if broken.is_some() {
                self.connection.break_off(net, now, &mut pipes);
            }
            for (direction, pipe) in pipes.iter_mut().enumerate() {
                self.connection.arm_reader(&self.world, direction, pipe);
                self.connection.arm_writer(&self.world, direction, pipe);
            }
            Poll::Ready(Ok(count))
        })
    }

    fn close(&self) {
        let now = self.world.now_nanos();
        with_net(self.world.net(), |net| {
            let mut pipes = self.connection.pipes();
            let incoming = &mut pipes[1 - self.side];
            incoming.abandoned = true;
            incoming.reader = None;
            if incoming.has_unread() {
                self.connection.reset_by(net, now, self.side, &mut pipes);
            } else {
                self.finish(net, now, &mut pipes[self.side]);
            }
        });
        self.connection.arm(&self.world);
    }

    fn finish(&self, net: &mut super::Net, now: u64, outgoing: &mut super::pipe::Pipe) {
        let (node, peer) = (self.life().node(), self.peer().node());
        let arrival = net.arrival(now, (node, peer), 0, &mut outgoing.draws);
        outgoing.finish(End::Fin, arrival);
        self.connection.arm_reader(&self.world, self.side, outgoing);
    }
}

fn gather(parts: &[IoSlice<'_>], count: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(count);
    for part in parts {
        let taken = part.len().min(count - bytes.len());
        bytes.extend_from_slice(&part[..taken]);
    }
    bytes.freeze()
}

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.life().is_stale() {
            return Poll::Pending;
        }
        let now = self.world.now_nanos();
        let direction = 1 - self.side;
        with_net(self.world.net(), |net| {
            let mut pipes = self.connection.pipes();
            let pipe = &mut pipes[direction];
            match pipe.readable(now) {
                Readable::Bytes(_) if buffer.remaining() == 0 => Poll::Ready(Ok(())),
                Readable::Bytes(arrived) => {
                    let most = buffer.remaining();
                    let count = pipe.take(arrived, most, |part| buffer.put_slice(part));
                    let (node, peer) = (self.life().node(), self.peer().node());
                    let arrival = net.arrival(now, (node, peer), 0, &mut pipe.draws);
                    pipe.acknowledge(count, arrival);
                    self.connection.arm_writer(&self.world, direction, pipe);
                    Poll::Ready(Ok(()))
                }
                Readable::End(End::Fin) => Poll::Ready(Ok(())),
                Readable::End(End::Reset) => {
                    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
                }
                Readable::NotBefore(_) => {
                    pipe.reader = Some(cx.waker().clone());
                    self.connection.arm_reader(&self.world, direction, pipe);
                    Poll::Pending
                }
            }
        })
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.life().is_stale() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.life().is_stale() {
            return Poll::Pending;
        }
        self.trace(Event::Shutdown, 0, 0);
        let now = self.world.now_nanos();
        with_net(self.world.net(), |net| {
            let mut pipes = self.connection.pipes();
            self.finish(net, now, &mut pipes[self.side]);
        });
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        if !self.life().is_stale() {
            self.trace(Event::Close, 0, 0);
            self.close();
        }
    }
}
