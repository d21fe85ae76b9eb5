//! What an operator may know about a call: where its input came from, and how much it may do.

use std::fmt;
use std::sync::Arc;

use sameriver_model::{ChannelId, ProcessingTime};

use crate::spent::Spent;

/// Where the records of a slice came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Nothing was read yet, or no record is involved (a timer, the end of input).
    #[default]
    None,
    /// Part of a source's split: `unit`s `from..to`.
    Source {
        /// The split, as a user would name it (a path, a partition).
        split: Arc<str>,
        /// The first unit of the slice (inclusive).
        from: u64,
        /// The end of the slice (exclusive).
        to: u64,
        /// What is counted: `byte`, `line`, `record`.
        unit: &'static str,
    },
    /// Part of a channel: records `from..to`, counted from the channel's first record.
    Channel {
        /// The channel.
        channel: ChannelId,
        /// The first record of the slice (inclusive).
        from: u64,
        /// The end of the slice (exclusive).
        to: u64,
    },
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no record"),
            Self::Source {
                split,
                from,
                to,
                unit,
            } => write!(f, "{split}, {unit}s {from}..{to}"),
            Self::Channel { channel, from, to } => {
                write!(f, "channel {channel}, records {from}..{to}")
            }
        }
    }
}

/// The circumstances of one call into a chain.
///
/// ```
/// use sameriver_model::ProcessingTime;
/// use sameriver_operator::Context;
/// let cx = Context::new(ProcessingTime::from_millis(0), 256);
/// assert_eq!(cx.timers_max(), 256);
/// ```
#[derive(Debug)]
pub struct Context {
    now: ProcessingTime,
    timers_max: usize,
    /// Where the records of this slice came from; the head of the chain writes it.
    pub position: Position,
    /// How many records the chain's source read in this call; the source adds to it.
    pub records_read: u64,
    /// How many bytes of input are behind them, if the source counts bytes; it adds to it.
    pub bytes_read: u64,
    /// How often the source met a marker that asks for a checkpoint; it adds to it.
    pub markers_met: u64,
    /// How many late records operators dropped in this call; they add to it.
    pub late_dropped: u64,
    /// How many records on which a user's function failed were skipped in this call.
    pub records_skipped: u64,
    /// How many records on which a user's function failed became dead letters in this call.
    pub dead_letters: u64,
    /// The used records of the slot; links add to it, and drop one for each record they make.
    pub spent: Spent,
}

impl Context {
    /// The circumstances of a call at `now` that may fire up to `timers_max` timers.
    pub fn new(now: ProcessingTime, timers_max: usize) -> Self {
        Self {
            now,
            timers_max,
            position: Position::None,
            records_read: 0,
            bytes_read: 0,
            markers_met: 0,
            late_dropped: 0,
            records_skipped: 0,
            dead_letters: 0,
            spent: Spent::default(),
        }
    }

    /// Processing time at the start of the call.
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// How many timers one call of `watermark` or `resume` may fire before it answers `More`.
    pub fn timers_max(&self) -> usize {
        self.timers_max
    }
}
