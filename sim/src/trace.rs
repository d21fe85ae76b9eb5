//! The hash chain over everything that happened in a run.
//!
//! Invariant: equal runs have equal hashes wherever and whenever they run: only virtual time,
//! numbers of nodes, names of events and digests of contents enter.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::life::NodeId;

/// How many events a block of the chain has.
pub const BLOCK_EVENTS: u64 = 1_024;

/// The hash of a run, or of several.
///
/// ```
/// assert_eq!(sameriver_sim::TraceHash::from_u64(255).to_string(), "00000000000000ff");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(u64);

impl TraceHash {
    /// Wraps a hash.
    pub const fn from_u64(hash: u64) -> Self {
        Self(hash)
    }

    /// The hash as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The hash of this and then `digest`.
    #[must_use]
    pub fn then(self, digest: u64) -> Self {
        Self(xxh3_64_with_seed(&digest.to_le_bytes(), self.0))
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What may happen in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Start,
    Spawn,
    TaskEnd,
    Panic,
    Timer,
    Charge,
    Blocking,
    Connect,
    Listen,
    Write,
    Shutdown,
    Close,
    Disk,
    Outside,
    Crash,
    Restart,
    Pause,
    Resume,
    Cut,
    Heal,
    Mark,
    Probe,
    Fault,
    FaultEnd,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Spawn => "spawn",
            Self::TaskEnd => "task end",
            Self::Panic => "panic",
            Self::Timer => "timer",
            Self::Charge => "charge",
            Self::Blocking => "blocking",
            Self::Connect => "connect",
            Self::Listen => "listen",
            Self::Write => "write",
            Self::Shutdown => "shutdown",
            Self::Close => "close",
            Self::Disk => "disk",
            Self::Outside => "outside",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cut => "cut",
            Self::Heal => "heal",
            Self::Mark => "mark",
            Self::Probe => "probe",
            Self::Fault => "fault",
            Self::FaultEnd => "fault end",
        }
    }

    /// Whether the job moves with it: a timer alone may fire for ever while nothing happens.
    pub(crate) fn is_progress(self) -> bool {
        !matches!(self, Self::Timer)
    }
}

/// The chain of one run.
#[derive(Default)]
pub(crate) struct Trace {
    hash: TraceHash,
    events: u64,
    blocks: Vec<TraceHash>,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(capture: bool) -> Self {
        Self {
            lines: capture.then(Vec::new),
            ..Self::default()
        }
    }

    pub(crate) fn record(
        &mut self,
        at: u64,
        node: NodeId,
        event: Event,
        digest: u64,
        detail: impl FnOnce() -> String,
    ) {
        let name = event.name().as_bytes();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&at.to_le_bytes());
        bytes[8..16].copy_from_slice(&digest.to_le_bytes());
        bytes[16..20].copy_from_slice(&node.0.to_le_bytes());
        bytes[20..20 + name.len()].copy_from_slice(name);
        self.hash = TraceHash(xxh3_64_with_seed(&bytes, self.hash.0));
        self.events += 1;
        if self.events.is_multiple_of(BLOCK_EVENTS) {
            self.blocks.push(self.hash);
        }
        if let Some(lines) = &mut self.lines {
            let (number, name, detail) = (self.events, event.name(), detail());
            lines.push(format!(
                "{number} {at} n{} {name} {digest:016x} {detail}",
                node.0
            ));
        }
    }

    pub(crate) fn hash(&self) -> TraceHash {
        self.hash
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn take_blocks(&mut self) -> Vec<TraceHash> {
        std::mem::take(&mut self.blocks)
    }

    pub(crate) fn take_lines(&mut self) -> Option<Vec<String>> {
        self.lines.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(events: &[(u64, Event, u64)]) -> TraceHash {
        let mut trace = Trace::new(false);
        for (at, event, digest) in events {
            trace.record(*at, NodeId(1), *event, *digest, String::new);
        }
        trace.hash()
    }

    #[test]
    fn time_event_digest_and_order_all_move_the_hash() {
        let base = [(1, Event::Write, 7), (2, Event::Disk, 8)];
        let others = [
            [(1, Event::Write, 7), (3, Event::Disk, 8)],
            [(1, Event::Write, 7), (2, Event::Charge, 8)],
            [(1, Event::Write, 7), (2, Event::Disk, 9)],
            [(2, Event::Disk, 8), (1, Event::Write, 7)],
        ];
        assert!(others.iter().all(|other| hash(other) != hash(&base)));
    }

    #[test]
    fn the_chain_is_fixed_for_ever() {
        let events = [(1, Event::Write, 7), (2, Event::Disk, 8)];
        assert_eq!(hash(&events).to_string(), "03c0ce8877f7744a");
    }
}
