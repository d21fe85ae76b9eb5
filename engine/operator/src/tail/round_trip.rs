//! Sends the first record of an edge through its codec and back.
//!
//! Invariant: a type that cannot travel fails at its first record, also where the exchange stays
//! inside the process, so a job that works on one machine works on many.

use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;

use sameriver_model::{Batch, Element};
use thiserror::Error;

use crate::context::Context;
use crate::edge_codec::EdgeCodec;
use crate::error::OperatorError;

/// Why a record type cannot cross an exchange.
#[derive(Debug, Error)]
pub enum RoundTripError {
    /// Its `Serialize` refuses.
    #[error("a record of type {type_name} cannot be turned into bytes: {cause}: {REMEDY}")]
    Encode {
        /// The record type.
        type_name: &'static str,
        /// What the codec reported.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Its `Deserialize` does not understand what its `Serialize` wrote.
    #[error("a record of type {type_name} cannot be read back from its bytes: {cause}: {REMEDY}")]
    Decode {
        /// The record type.
        type_name: &'static str,
        /// What the codec reported.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// What was read back is not what was written.
    #[error("a record of type {type_name} is another one after a round trip: {REMEDY}")]
    Changed {
        /// The record type.
        type_name: &'static str,
    },
}

const REMEDY: &str = "derive Serialize and Deserialize without skip, untagged, tag and flatten \
                      attributes, or map the record to a plain struct first";

/// Checks the first record of an edge.
pub(super) struct RoundTrip<T> {
    name: Arc<str>,
    /// `None` once the first record has made the trip.
    codec: Option<Arc<dyn EdgeCodec>>,
    record: PhantomData<fn(T)>,
}

impl<T: Element> RoundTrip<T> {
    pub(super) fn new(name: &str, codec: Arc<dyn EdgeCodec>) -> Self {
        Self {
            name: name.into(),
            codec: Some(codec),
            record: PhantomData,
        }
    }

    /// Checks the first record of the first slice that has one.
    pub(super) fn first(
        &mut self,
        batch: &mut Batch<T>,
        cx: &Context,
    ) -> Result<(), OperatorError> {
        if batch.is_empty() {
            return Ok(());
        }
        let Some(codec) = self.codec.take() else {
            return Ok(());
        };
        let mut all = Batch::new();
        batch.move_front(1, &mut all);
        let checked = round_trip(&*codec, &all);
        batch.move_front(usize::MAX, &mut all);
        std::mem::swap(batch, &mut all);
        checked.map_err(|cause| OperatorError::Codec {
            operator: self.name.to_string(),
            position: cx.position.clone(),
            cause: Box::new(cause),
        })
    }
}

fn round_trip<T: Element>(codec: &dyn EdgeCodec, batch: &Batch<T>) -> Result<(), RoundTripError> {
    let type_name = std::any::type_name::<T>();
    let (mut sent, mut again) = (Vec::new(), Vec::new());
    let encoded = codec.encode(batch, &mut sent);
    encoded.map_err(|cause| RoundTripError::Encode { type_name, cause })?;
    let received = codec.decode(&sent);
    let received = received.map_err(|cause| RoundTripError::Decode { type_name, cause })?;
    let encoded = codec.encode(&*received, &mut again);
    encoded.map_err(|cause| RoundTripError::Encode { type_name, cause })?;
    if sent == again || is_reordered(sent, again) {
        return Ok(());
    }
    Err(RoundTripError::Changed { type_name })
}

/// Whether both are the same bytes in another order: a map without an order is written in another
/// one each time it is built.
fn is_reordered(mut sent: Vec<u8>, mut again: Vec<u8>) -> bool {
    sent.sort_unstable();
    again.sort_unstable();
    sent == again
}
