//! One direction of a connection: bytes on their way, and what the ends know of each other.
//!
//! Invariant: instants of arrival never decrease along the queue; at most `capacity` bytes are
//! written and not yet known to be read.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Buf as _, Bytes};
use sameriver_runtime::RandomStream;

use crate::node_site::log_between;
use crate::timers::NEVER;

pub(super) struct Segment {
    pub(super) at: u64,
    pub(super) bytes: Bytes,
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The writer has said all.
    Fin,
    /// The other side knows nothing of this connection any more.
    Reset,
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readable {
    Bytes(usize),
    End(End),
    /// Nothing before this instant.
    NotBefore(u64),
}

/// What a writer finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Writable {
    Room(usize),
    /// The reader's side has gone.
    Gone,
    /// No room before this instant.
    NotBefore(u64),
}

pub(super) struct Pipe {
    capacity: usize,
    in_use: usize,
    segments: VecDeque<Segment>,
    end: Option<(u64, End)>,
    acknowledgements: VecDeque<(u64, usize)>,
    /// When the writer learns that nobody reads.
    refused: Option<u64>,
    /// The reader dropped its end: what still arrives is answered with a reset.
    pub(super) abandoned: bool,
    last_arrival: u64,
    partial_per_mille: u32,
    pub(super) draws: RandomStream,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) reader_armed: u64,
    pub(super) writer_armed: u64,
}

impl Pipe {
    pub(super) fn new(mut draws: RandomStream) -> Self {
        let partial = [0, 50, 500];
        let choice = draws.below(partial.len() as u64);
        Self {
            capacity: usize::try_from(log_between(&mut draws, 4 << 10, 256 << 10))
                .expect("a buffer fits into memory"),
            in_use: 0,
            segments: VecDeque::new(),
            end: None,
            acknowledgements: VecDeque::new(),
            refused: None,
            abandoned: false,
            last_arrival: 0,
            partial_per_mille: partial[usize::try_from(choice).expect("three choices")],
            draws,
            reader: None,
            writer: None,
            reader_armed: NEVER,
            writer_armed: NEVER,
        }
    }

    /// Sometimes less than all of `most`, at least one.
    fn partial(&mut self, most: usize) -> usize {
        if most > 1 && self.draws.chance(self.partial_per_mille) {
            return usize::try_from(self.draws.between(1, most as u64)).unwrap_or(most);
        }
        most
    }

    pub(super) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn is_reset(&self) -> bool {
        matches!(self.end, Some((_, End::Reset)))
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.segments.is_empty()
    }

    pub(super) fn writable(&mut self, now: u64) -> Writable {
        if self.refused.is_some_and(|at| at <= now) {
            return Writable::Gone;
        }
        while let Some((at, count)) = self.acknowledgements.front().copied() {
            if at > now {
                break;
            }
            self.acknowledgements.pop_front();
            self.in_use -= count;
        }
        let room = self.capacity - self.in_use;
        if room > 0 {
            return Writable::Room(room);
        }
        Writable::NotBefore(self.next_for_writer())
    }

    /// How many of `length` bytes are taken where there is `room`.
    pub(super) fn accept(&mut self, length: usize, room: usize) -> usize {
        self.partial(length.min(room))
    }

    pub(super) fn push(&mut self, bytes: Bytes, arrival: u64) {
        self.in_use += bytes.len();
        let at = self.in_order(arrival);
        self.segments.push_back(Segment { at, bytes });
    }

    fn in_order(&mut self, arrival: u64) -> u64 {
        let held = self.segments.back().is_some_and(|last| last.at == NEVER);
        if arrival == NEVER || held {
            return NEVER;
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }

    /// Ends this direction behind all that was written; a second end changes nothing.
    pub(super) fn finish(&mut self, end: End, arrival: u64) {
        if self.end.is_none() {
            self.end = Some((self.in_order(arrival), end));
        }
    }

    /// A reset by the reader's side: the writer learns it at `at`.
    pub(super) fn refuse(&mut self, at: u64) {
        let earlier = self.refused.unwrap_or(NEVER);
        self.refused = Some(earlier.min(at));
    }

    pub(super) fn readable(&self, now: u64) -> Readable {
        let arrived = self.segments.iter().take_while(|segment| segment.at <= now);
        let count: usize = arrived.map(|segment| segment.bytes.len()).sum();
        if count > 0 {
            return Readable::Bytes(count);
        }
        match self.end {
            Some((at, end)) if self.segments.is_empty() && at <= now => Readable::End(end),
            Some(_) | None => Readable::NotBefore(self.next_for_reader()),
        }
    }

    /// Hands out up to `most` of the `arrived` bytes; they stay in use until acknowledged.
    pub(super) fn take(
        &mut self,
        arrived: usize,
        most: usize,
        mut put: impl FnMut(&[u8]),
    ) -> usize {
        let count = self.partial(arrived.min(most));
        let mut left = count;
        while left > 0 {
            let segment = &mut self.segments[0];
            let part = left.min(segment.bytes.len());
            put(&segment.bytes[..part]);
            segment.bytes.advance(part);
            if segment.bytes.is_empty() {
                self.segments.pop_front();
            }
            left -= part;
        }
        count
    }

    pub(super) fn acknowledge(&mut self, count: usize, arrival: u64) {
        let last = self.acknowledgements.back().map_or(0, |(at, _)| *at);
        self.acknowledgements.push_back((arrival.max(last), count));
    }

    pub(super) fn next_for_reader(&self) -> u64 {
        let data = self.segments.front().map(|segment| segment.at);
        let end = self.end.map(|(at, _)| at);
        data.or(end).unwrap_or(NEVER)
    }

    pub(super) fn next_for_writer(&self) -> u64 {
        let room = self.acknowledgements.front().map_or(NEVER, |(at, _)| *at);
        room.min(self.refused.unwrap_or(NEVER))
    }

    /// The link of the data was cut: what is on its way is lost and waits to be sent again. Answers
    /// how many bytes that are.
    pub(super) fn hold_data(&mut self, now: u64) -> u64 {
        let mut held = 0;
        for segment in self.segments.iter_mut().filter(|segment| segment.at > now) {
            segment.at = NEVER;
            held += segment.bytes.len() as u64;
        }
        if let Some((at, _)) = self.end.as_mut().filter(|(at, _)| *at > now) {
            *at = NEVER;
        }
        held
    }

    /// The way back was cut.
    pub(super) fn hold_answers(&mut self, now: u64) {
        for (at, _) in self.acknowledgements.iter_mut().filter(|(at, _)| *at > now) {
            *at = NEVER;
        }
        if let Some(at) = self.refused.as_mut().filter(|at| **at > now) {
            *at = NEVER;
        }
    }

    /// The link is as it should be: what was held back, or would have come later, comes at
    /// `arrival`, behind what came before.
    pub(super) fn release_data(&mut self, now: u64, arrival: u64) {
        let ends = self.end.iter_mut().map(|(at, _)| at);
        let all = self.segments.iter_mut().map(|segment| &mut segment.at);
        let late: Vec<&mut u64> = all.chain(ends).filter(|at| **at > arrival).collect();
        if late.is_empty() {
            return;
        }
        for at in late {
            *at = arrival;
        }
        self.last_arrival = arrival.max(now);
    }

    pub(super) fn release_answers(&mut self, now: u64, arrival: u64) {
        debug_assert!(now <= arrival, "nothing arrives before it is sent");
        let late = self.acknowledgements.iter_mut().map(|(at, _)| at);
        for at in late.chain(&mut self.refused).filter(|at| **at > arrival) {
            *at = arrival;
        }
    }

    /// The writer's node died: of what is on its way an unknown part arrives, cut at any byte.
    pub(super) fn lose_tail(&mut self, now: u64) {
        let flying = |segment: &&Segment| segment.at > now;
        let total: usize = self
            .segments
            .iter()
            .filter(flying)
            .map(|s| s.bytes.len())
            .sum();
        let mut left = usize::try_from(self.draws.between(0, total as u64)).unwrap_or(total);
        self.segments.retain_mut(|segment| {
            if segment.at <= now {
                return true;
            }
            if segment.at == NEVER {
                return false;
            }
            segment.bytes.truncate(left);
            left -= segment.bytes.len();
            !segment.bytes.is_empty()
        });
        self.end = self.end.filter(|(at, _)| *at <= now);
    }

    /// Whether the writer waits for an answer that a living peer would have given.
    pub(super) fn awaits_answer(&self) -> bool {
        self.in_use > 0 && self.refused.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> Pipe {
        let mut pipe = Pipe::new(RandomStream::named(1, "pipe"));
        pipe.partial_per_mille = 0;
        pipe.capacity = 8;
        pipe
    }

    fn read(pipe: &mut Pipe, arrived: usize) -> Vec<u8> {
        let mut got = Vec::new();
        pipe.take(arrived, 100, |part| got.extend_from_slice(part));
        got
    }

    #[test]
    fn a_later_segment_never_overtakes_an_earlier_one() {
        let mut pipe = pipe();
        pipe.push(Bytes::from_static(b"ab"), 50);
        pipe.push(Bytes::from_static(b"c"), 10);
        assert_eq!(pipe.readable(49), Readable::NotBefore(50));
        assert_eq!(pipe.readable(50), Readable::Bytes(3));
        assert_eq!(read(&mut pipe, 3), b"abc");
    }

    #[test]
    fn room_comes_back_only_when_the_acknowledgement_arrives() {
        let mut pipe = pipe();
        pipe.push(Bytes::from_static(b"12345678"), 5);
        assert_eq!(pipe.writable(5), Writable::NotBefore(NEVER));
        read(&mut pipe, 3);
        pipe.acknowledge(3, 9);
        assert_eq!(pipe.writable(8), Writable::NotBefore(9));
        assert_eq!(pipe.writable(9), Writable::Room(3));
    }

    #[test]
    fn the_end_comes_after_all_bytes() {
        let mut pipe = pipe();
        pipe.push(Bytes::from_static(b"x"), 20);
        pipe.finish(End::Fin, 10);
        assert_eq!(pipe.readable(20), Readable::Bytes(1));
        read(&mut pipe, 1);
        assert_eq!(pipe.readable(20), Readable::End(End::Fin));
    }

    #[test]
    fn what_flies_over_a_cut_link_waits_for_its_mending() {
        let mut pipe = pipe();
        pipe.push(Bytes::from_static(b"a"), 20);
        pipe.hold_data(10);
        pipe.push(Bytes::from_static(b"b"), 30);
        assert_eq!(pipe.readable(40), Readable::NotBefore(NEVER));
        pipe.release_data(45, 50);
        assert_eq!(pipe.readable(50), Readable::Bytes(2));
    }

    #[test]
    fn a_dead_writer_leaves_a_prefix_and_no_end() {
        let mut pipe = pipe();
        pipe.push(Bytes::from_static(b"ab"), 10);
        pipe.push(Bytes::from_static(b"cdef"), 30);
        pipe.finish(End::Fin, 40);
        pipe.lose_tail(20);
        let Readable::Bytes(count) = pipe.readable(100) else {
            panic!("what had arrived is lost");
        };
        assert!(b"abcdef".starts_with(&read(&mut pipe, count)));
        assert_eq!(pipe.readable(100), Readable::NotBefore(NEVER));
    }
}
