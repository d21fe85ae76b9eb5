//! What a channel carries, and what a user's record type must be able to do.
//!
//! Invariant: the order of elements inside a channel is the order in which they were sent; a
//! watermark, an idle mark, a barrier and the end of input never overtake records.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::batch::AnyBatch;
use crate::event_time::Watermark;

/// A value that streams can carry: it can move to another thread and be turned into bytes.
///
/// Implemented for every `Serialize + DeserializeOwned + Send + 'static`. Every stream may be cut
/// by an exchange, so every stream's type must be able to cross one.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Click { user: u64, at: i64 }
/// fn is_element<T: sameriver_model::Element>() {}
/// is_element::<Click>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a stream",
    label = "not an `Element`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`, and let it own its data (no borrowed fields, no `Rc`)"
)]
pub trait Element: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Element for T {}

/// Names a checkpoint that a barrier belongs to; counted from 1.
///
/// ```
/// assert_eq!(sameriver_model::element::CheckpointId::new(17).to_string(), "c17");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckpointId(u64);

impl CheckpointId {
    /// Wraps the number that the coordinator gave.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number that the coordinator gave.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// Cuts the stream: what is before it belongs to the checkpoint, what is after it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
}

/// One thing that travels through a channel.
pub enum StreamElement {
    /// Records that travel together.
    Batch(Box<dyn AnyBatch>),
    /// No later record is at or before this event time.
    Watermark(Watermark),
    /// The channel is excused from holding the watermark back until it is active again.
    Idle,
    /// The channel takes part in the watermark again.
    Active,
    /// A cut of the stream.
    Barrier(Barrier),
    /// No record and no watermark follows; barriers may, until the subtask is released.
    EndOfInput,
}

impl std::fmt::Debug for StreamElement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(batch) => write!(f, "batch of {}", batch.len()),
            Self::Watermark(watermark) => write!(f, "{watermark}"),
            Self::Idle => f.write_str("idle"),
            Self::Active => f.write_str("active"),
            Self::Barrier(barrier) => write!(f, "barrier {}", barrier.checkpoint),
            Self::EndOfInput => f.write_str("end of input"),
        }
    }
}
