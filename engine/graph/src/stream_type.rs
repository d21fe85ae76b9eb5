//! What the graph can do with a stream whose record type it does not know: cut it with an exchange.
//!
//! Invariant: all factories of one stream type were made for the same record type.

use std::any::TypeId;
use std::sync::Arc;

use sameriver_operator::{AnyConsumer, EdgeCodec, Head, OpenArgs, Outputs};

/// Makes the typed end of a gate.
pub type OpenHead = dyn Fn(AnyConsumer) -> Box<dyn Head> + Send + Sync;

/// Makes the tail that spreads records over the channels of an edge; the name is that of the
/// operator before it, for errors.
pub type Tail = dyn Fn(&str, &OpenArgs, Box<dyn Outputs>) -> AnyConsumer + Send + Sync;

/// Joins several receivers into one that copies every record to each of them.
pub type FanOut = dyn Fn(Vec<AnyConsumer>) -> AnyConsumer + Send + Sync;

/// The factories for both ends of an edge, made where the record type was known.
#[derive(Clone)]
pub struct StreamType {
    /// The record type; it differs between builds, so it is no part of the fingerprint.
    pub type_id: TypeId,
    /// The record type's name, part of the fingerprint.
    pub type_name: &'static str,
    /// The receiving end.
    pub head: Arc<OpenHead>,
    /// Batches as bytes and back.
    pub codec: Arc<dyn EdgeCodec>,
    /// The sending end to the subtask of the same index.
    pub forward: Arc<Tail>,
    /// The sending end that gives every receiver an equal share.
    pub rebalance: Arc<Tail>,
}
