//! Sends every record to every receiver. With fan-out the only place that clones records.

use std::sync::Arc;

use sameriver_model::{Batch, Element};

use super::{Lanes, Partition, Tail};
use crate::consumer::Consumer;
use crate::context::Context;
use crate::edge_codec::EdgeCodec;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::outputs::Outputs;

struct Broadcast;

impl<T: Element + Clone> Partition<T> for Broadcast {
    fn slice(
        &mut self,
        batch: &mut Batch<T>,
        lanes: &mut Lanes<T>,
        _cx: &Context,
    ) -> Result<(), OperatorError> {
        for channel in 1..lanes.len() {
            lanes.append(channel, &mut batch.clone());
        }
        lanes.append(0, batch);
        Ok(())
    }
}

/// Sends every record on every channel.
pub fn broadcast<T: Element + Clone>(
    name: &str,
    args: &OpenArgs,
    codec: Arc<dyn EdgeCodec>,
    outputs: Box<dyn Outputs>,
) -> Box<dyn Consumer<T>> {
    Box::new(Tail::new(name, args, codec, outputs, Broadcast))
}
