//! Sends each record to the subtask that owns its key's group.
//!
//! Invariant: the owner is that of `KeyHash` and nothing else. With one receiver nothing is hashed.

use std::sync::Arc;

use sameriver_model::{Batch, Element, KeyGroup, KeyHash, MaxParallelism, Parallelism};

use super::{Lanes, Partition, Tail};
use crate::consumer::Consumer;
use crate::context::Context;
use crate::drained::Drained;
use crate::edge_codec::EdgeCodec;
use crate::error::OperatorError;
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::outputs::Outputs;

struct Hash<S> {
    name: Arc<str>,
    selector: S,
    max: MaxParallelism,
    /// The channel of each key group.
    owners: Vec<u32>,
    /// Holds the `ordered` bytes of one key.
    scratch: Vec<u8>,
}

impl<T: Element, S: SelectKey<T>> Partition<T> for Hash<S> {
    fn slice(
        &mut self,
        batch: &mut Batch<T>,
        lanes: &mut Lanes<T>,
        cx: &Context,
    ) -> Result<(), OperatorError> {
        if lanes.len() == 1 {
            lanes.append(0, batch);
            return Ok(());
        }
        lanes.align(batch.times().is_some());
        for (record, time) in Drained::of(batch) {
            let hash = self
                .selector
                .select(&record, |key| KeyHash::of(key, &mut self.scratch));
            let hash = hash
                .map_err(|cause| OperatorError::key::<S::Key>(&self.name, &cx.position, cause))?;
            let group = hash.group(self.max).get() as usize;
            lanes.push(self.owners[group] as usize, record, time);
        }
        Ok(())
    }
}

/// Sends each record to the owner of its key.
pub fn hash<T: Element, S: SelectKey<T>>(
    name: &str,
    selector: S,
    args: &OpenArgs,
    codec: Arc<dyn EdgeCodec>,
    outputs: Box<dyn Outputs>,
) -> Box<dyn Consumer<T>> {
    let receivers = u32::try_from(outputs.channels()).ok();
    let receivers = receivers.and_then(|count| Parallelism::new(count).ok());
    let receivers = receivers.expect("a channel a receiver");
    let max = args.max_parallelism;
    let groups = (0..max.get()).map(KeyGroup::new);
    let partition = Hash {
        name: name.into(),
        selector,
        max,
        owners: groups
            .map(|group| group.owner(receivers, max).get())
            .collect(),
        scratch: Vec::new(),
    };
    Box::new(Tail::new(name, args, codec, outputs, partition))
}
