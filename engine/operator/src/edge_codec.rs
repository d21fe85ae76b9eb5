//! Turns batches of one edge into bytes and back, for channels that leave the process.
//!
//! Invariant: what comes back is what was sent; the first record of an edge makes the round trip
//! even when the exchange is local, so a type that cannot travel fails at once and everywhere.

use std::error::Error;
use std::marker::PhantomData;

use sameriver_model::codec::wire;
use sameriver_model::{AnyBatch, Batch, Element, EventTime};

/// The typed end of a remote channel, with the type erased.
pub trait EdgeCodec: Send + Sync {
    /// Appends the bytes of all records and times of `batch` to `out`.
    ///
    /// # Errors
    /// When a record's `Serialize` refuses.
    ///
    /// # Panics
    /// If `batch` is of another record type: a bug of the graph.
    fn encode(
        &self,
        batch: &dyn AnyBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Reads a batch back; every byte must be used.
    ///
    /// # Errors
    /// When the bytes are not a batch of this edge.
    fn decode(&self, bytes: &[u8]) -> Result<Box<dyn AnyBatch>, Box<dyn Error + Send + Sync>>;
}

/// Batches of `T` in `wire` encoding: `(times: Option<Vec<i64>>, records: Vec<T>)`.
pub struct WireEdge<T>(PhantomData<fn() -> T>);

impl<T> WireEdge<T> {
    /// The codec of an edge whose records are `T`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for WireEdge<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Element> EdgeCodec for WireEdge<T> {
    fn encode(
        &self,
        batch: &dyn AnyBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let batch = batch.as_any().downcast_ref::<Batch<T>>();
        let batch = batch.expect("the ends of a channel have one record type");
        wire::encode_into(&(batch.times(), batch.records()), out)?;
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Box<dyn AnyBatch>, Box<dyn Error + Send + Sync>> {
        let (times, records) = wire::decode::<(Option<Vec<EventTime>>, Vec<T>)>(bytes)?;
        if times
            .as_ref()
            .is_some_and(|times| times.len() != records.len())
        {
            return Err("a batch has another number of event times than of records".into());
        }
        Ok(Box::new(Batch::from_parts(records, times)))
    }
}
