//! Sends records to all receivers in turn, so that their shares differ by one at most.

use std::sync::Arc;

use sameriver_model::{Batch, Element};

use super::{Lanes, Partition, Tail};
use crate::consumer::Consumer;
use crate::context::Context;
use crate::drained::Drained;
use crate::edge_codec::EdgeCodec;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::outputs::Outputs;

struct Rebalance {
    turn: usize,
}

impl<T: Element> Partition<T> for Rebalance {
    fn slice(
        &mut self,
        batch: &mut Batch<T>,
        lanes: &mut Lanes<T>,
        _cx: &Context,
    ) -> Result<(), OperatorError> {
        if lanes.len() == 1 {
            lanes.append(0, batch);
            return Ok(());
        }
        lanes.align(batch.times().is_some());
        for (record, time) in Drained::of(batch) {
            lanes.push(self.turn, record, time);
            self.turn += 1;
            if self.turn == lanes.len() {
                self.turn = 0;
            }
        }
        Ok(())
    }
}

/// Sends records in turn; each sender starts with another receiver.
pub fn rebalance<T: Element>(
    name: &str,
    args: &OpenArgs,
    codec: Arc<dyn EdgeCodec>,
    outputs: Box<dyn Outputs>,
) -> Box<dyn Consumer<T>> {
    let turn = args.subtask.index.position() % outputs.channels();
    Box::new(Tail::new(name, args, codec, outputs, Rebalance { turn }))
}
