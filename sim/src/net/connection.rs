//! A connection: two directions between two lives.
//!
//! Invariant: a side learns that the other has gone only by something that arrived.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use sameriver_runtime::RandomStream;

use super::Net;
use super::pipe::{End, Pipe};
use crate::counters::lock;
use crate::fault::FaultFamily;
use crate::life::{Life, NodeId};
use crate::sim_world::SimWorld;
use crate::timers::NEVER;

/// The two ends; direction 0 goes from the client to the server.
pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

pub(crate) struct Connection {
    number: u64,
    ends: [Life; 2],
    pipes: Mutex<[Pipe; 2]>,
    itself: Weak<Self>,
}

impl Connection {
    pub(super) fn new(number: u64, ends: [Life; 2], mut draws: RandomStream) -> Arc<Self> {
        let forth = Pipe::new(RandomStream::named(draws.next_u64(), "forth"));
        let back = Pipe::new(RandomStream::named(draws.next_u64(), "back"));
        Arc::new_cyclic(|itself| Self {
            number,
            ends,
            pipes: Mutex::new([forth, back]),
            itself: Weak::clone(itself),
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn end(&self, side: usize) -> &Life {
        &self.ends[side]
    }

    pub(super) fn pipes(&self) -> MutexGuard<'_, [Pipe; 2]> {
        lock(&self.pipes)
    }

    /// The nodes from which and to which a direction goes.
    fn route(&self, direction: usize) -> (NodeId, NodeId) {
        let (from, to) = (&self.ends[direction], &self.ends[1 - direction]);
        (from.node(), to.node())
    }

    /// `side` knows nothing of this connection any more and says so.
    pub(super) fn reset_by(&self, net: &mut Net, now: u64, side: usize, pipes: &mut [Pipe; 2]) {
        let arrival = net.arrival(now, self.route(side), 0, &mut pipes[side].draws);
        pipes[side].finish(End::Reset, arrival);
        pipes[1 - side].refuse(arrival);
    }

    /// Whether it is between these two nodes.
    pub(super) fn joins(&self, a: NodeId, b: NodeId) -> bool {
        self.route(CLIENT) == (a, b) || self.route(CLIENT) == (b, a)
    }

    /// Something between the two breaks it: of what is on its way an unknown part arrives, and both
    /// are told that it is over.
    pub(super) fn break_off(&self, net: &mut Net, now: u64, pipes: &mut [Pipe; 2]) {
        if self.ends.iter().all(Life::is_stale) || pipes.iter().any(Pipe::is_reset) {
            return;
        }
        for pipe in pipes.iter_mut() {
            pipe.lose_tail(now);
        }
        self.reset_by(net, now, CLIENT, pipes);
        self.reset_by(net, now, SERVER, pipes);
        net.effects.add(FaultFamily::Reset, 1);
    }

    /// How many bytes are held back.
    pub(super) fn hold(&self, now: u64, from: NodeId, to: NodeId) -> u64 {
        let mut held = 0;
        let mut pipes = self.pipes();
        for (direction, pipe) in pipes.iter_mut().enumerate() {
            if self.route(direction) == (from, to) {
                held += pipe.hold_data(now);
            }
            if self.route(1 - direction) == (from, to) {
                pipe.hold_answers(now);
            }
        }
        held
    }

    pub(super) fn release(&self, net: &mut Net, now: u64, from: NodeId, to: NodeId) {
        let mut pipes = self.pipes();
        for (direction, pipe) in pipes.iter_mut().enumerate() {
            let forth = self.route(direction) == (from, to);
            let back = self.route(1 - direction) == (from, to);
            if !forth && !back {
                continue;
            }
            let arrival = net.arrival(now, (from, to), 0, &mut pipe.draws);
            if forth {
                pipe.release_data(now, arrival);
            }
            if back {
                pipe.release_answers(now, arrival);
            }
        }
    }

    /// The node of a writer died.
    pub(super) fn lose_sender(&self, now: u64, node: NodeId) {
        let mut pipes = self.pipes();
        for (direction, pipe) in pipes.iter_mut().enumerate() {
            if self.ends[direction].node() == node {
                pipe.lose_tail(now);
            }
        }
    }

    /// A node is up again: what peers still send to its earlier life is answered with a reset.
    pub(super) fn reset_by_stranger(&self, net: &mut Net, now: u64, node: NodeId) {
        for side in [CLIENT, SERVER] {
            let (dead, peer) = (&self.ends[side], &self.ends[1 - side]);
            if dead.node() != node || !dead.is_stale() || peer.is_stale() {
                continue;
            }
            let mut pipes = self.pipes();
            if pipes[1 - side].awaits_answer() {
                self.reset_by(net, now, side, &mut pipes);
            }
        }
    }

    /// Sets the timers that wake whoever waits here.
    pub(crate) fn arm(&self, world: &SimWorld) {
        let mut pipes = self.pipes();
        for direction in [CLIENT, SERVER] {
            self.arm_reader(world, direction, &mut pipes[direction]);
            self.arm_writer(world, direction, &mut pipes[direction]);
        }
    }

    pub(super) fn arm_reader(&self, world: &SimWorld, direction: usize, pipe: &mut Pipe) {
        let at = pipe.next_for_reader();
        if pipe.reader.is_none() || at >= pipe.reader_armed {
            return;
        }
        pipe.reader_armed = at;
        let itself = Weak::clone(&self.itself);
        world.act_at(at, move |_| {
            let Some(connection) = itself.upgrade() else {
                return;
            };
            let reader = {
                let pipe = &mut connection.pipes()[direction];
                pipe.reader_armed = NEVER;
                pipe.reader.take()
            };
            if let Some(reader) = reader {
                reader.wake();
            }
        });
    }

    pub(super) fn arm_writer(&self, world: &SimWorld, direction: usize, pipe: &mut Pipe) {
        let at = pipe.next_for_writer();
        if pipe.writer.is_none() || at >= pipe.writer_armed {
            return;
        }
        pipe.writer_armed = at;
        let itself = Weak::clone(&self.itself);
        world.act_at(at, move |_| {
            let Some(connection) = itself.upgrade() else {
                return;
            };
            let writer = {
                let pipe = &mut connection.pipes()[direction];
                pipe.writer_armed = NEVER;
                pipe.writer.take()
            };
            if let Some(writer) = writer {
                writer.wake();
            }
        });
    }
}
