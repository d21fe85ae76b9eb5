//! Subtask *i* sends to subtask *i*: whole batches move, no record is looked at.

use std::sync::Arc;

use sameriver_model::{Batch, Element};

use super::{Lanes, Partition, Tail};
use crate::consumer::Consumer;
use crate::context::Context;
use crate::edge_codec::EdgeCodec;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::outputs::Outputs;

struct Forward;

impl<T: Element> Partition<T> for Forward {
    fn slice(
        &mut self,
        batch: &mut Batch<T>,
        lanes: &mut Lanes<T>,
        _cx: &Context,
    ) -> Result<(), OperatorError> {
        lanes.append(0, batch);
        Ok(())
    }
}

/// Sends everything on the only channel.
///
/// # Panics
/// If there is not exactly one channel: a bug of the plan.
pub fn forward<T: Element>(
    name: &str,
    args: &OpenArgs,
    codec: Arc<dyn EdgeCodec>,
    outputs: Box<dyn Outputs>,
) -> Box<dyn Consumer<T>> {
    assert_eq!(outputs.channels(), 1, "forward has one receiver");
    Box::new(Tail::new(name, args, codec, outputs, Forward))
}
