//! The channels behind a chain's tails.
//!
//! Invariant: sending never waits. A slice starts only when every channel of every edge has a free
//! buffer; what it sends beyond that is counted, and above the limit nothing more is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sameriver_model::probe::{self, Probe};
use sameriver_model::{AnyBatch, AttemptNumber, Barrier, Failure, StreamElement, Watermark};
use sameriver_operator::Outputs;

use crate::exchange::local::ChannelQueue;

/// What passed through all outputs of one subtask. One thread writes, the same one reads.
#[derive(Default)]
pub(crate) struct OutputMeter {
    records: AtomicU64,
    batches: AtomicU64,
    overdraft_max: AtomicU64,
}

impl OutputMeter {
    fn sent(&self, records: u64, overdraft: u64) {
        // Plain adds are enough where one thread writes, and cheaper than `fetch_add`.
        let add = |counter: &AtomicU64, count| {
            counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
        };
        add(&self.records, records);
        add(&self.batches, 1);
        if overdraft > self.overdraft_max() {
            self.overdraft_max.store(overdraft, Ordering::Relaxed);
        }
    }

    /// Records sent.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Batches sent.
    pub(crate) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// The most batches that stood in one channel beyond its buffers.
    pub(crate) fn overdraft_max(&self) -> u64 {
        self.overdraft_max.load(Ordering::Relaxed)
    }
}

/// The channels of one edge, as the chain's tail sees them.
struct EdgeOutputs {
    attempt: AttemptNumber,
    queues: Vec<Arc<ChannelQueue>>,
    /// How many records each of them got.
    records: Vec<u64>,
    meter: Arc<OutputMeter>,
    overdraft_limit: u64,
}

impl EdgeOutputs {
    fn mark(&self, element: impl Fn() -> StreamElement) {
        for queue in &self.queues {
            queue.push(element());
        }
    }
}

impl Outputs for EdgeOutputs {
    fn channels(&self) -> usize {
        self.queues.len()
    }

    fn send(&mut self, channel: usize, batch: Box<dyn AnyBatch>) {
        debug_assert!(!batch.is_empty(), "empty batches say nothing");
        if self.meter.overdraft_max() > self.overdraft_limit {
            // The subtask fails at the end of this call; more of its output is of no use.
            return;
        }
        let records = batch.len() as u64;
        self.records[channel] += records;
        let overdraft = self.queues[channel].push(StreamElement::Batch(batch));
        self.meter.sent(records, overdraft as u64);
    }

    fn reuse(&mut self, channel: usize) -> Option<Box<dyn AnyBatch>> {
        self.queues[channel].spare()
    }

    fn barrier(&mut self, barrier: Barrier) {
        for (queue, records) in self.queues.iter().zip(&self.records) {
            queue.push(StreamElement::Barrier(barrier));
            probe::observe(&Probe::BarrierSent {
                channel: queue.channel(),
                attempt: self.attempt,
                checkpoint: barrier.checkpoint,
                records: *records,
            });
        }
    }

    fn watermark(&mut self, watermark: Watermark) {
        self.mark(|| StreamElement::Watermark(watermark));
    }

    fn idle(&mut self, idle: bool) {
        self.mark(|| {
            if idle {
                StreamElement::Idle
            } else {
                StreamElement::Active
            }
        });
    }

    fn end(&mut self) {
        self.mark(|| StreamElement::EndOfInput);
    }
}

/// All output channels of a subtask, as its slot sees them.
pub(crate) struct OutputBuffers {
    queues: Vec<Arc<ChannelQueue>>,
    meter: Arc<OutputMeter>,
    overdraft_limit: u64,
}

impl OutputBuffers {
    /// Splits the channels (edge by edge) between the slot and the tails.
    pub(crate) fn new(
        attempt: AttemptNumber,
        edges: Vec<Vec<Arc<ChannelQueue>>>,
        overdraft_limit: usize,
    ) -> (Self, Vec<Box<dyn Outputs>>) {
        let meter = Arc::new(OutputMeter::default());
        let overdraft_limit = overdraft_limit as u64;
        let queues = edges.iter().flatten().cloned().collect();
        let tails = edges.into_iter().map(|queues| {
            let meter = Arc::clone(&meter);
            let tail: Box<dyn Outputs> = Box::new(EdgeOutputs {
                attempt,
                records: vec![0; queues.len()],
                queues,
                meter,
                overdraft_limit,
            });
            tail
        });
        let tails = tails.collect();
        let buffers = Self {
            queues,
            meter,
            overdraft_limit,
        };
        (buffers, tails)
    }

    /// Whether every channel has a free buffer.
    #[inline]
    pub(crate) fn have_room(&self) -> bool {
        self.queues.iter().all(|queue| queue.has_room())
    }

    /// Whether the receivers, or the connections to them, have taken everything up to the end.
    pub(crate) fn are_drained(&self) -> bool {
        self.queues.iter().all(|queue| queue.is_drained())
    }

    /// Nothing at all follows on any channel.
    pub(crate) fn close(&self) {
        for queue in &self.queues {
            queue.close();
        }
    }

    /// Why a channel broke, if one did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.queues.iter().find_map(|queue| queue.failure())
    }

    /// The overdraft and its limit, if it is above.
    #[inline]
    pub(crate) fn excess(&self) -> Option<(u64, u64)> {
        let overdraft = self.meter.overdraft_max();
        (overdraft > self.overdraft_limit).then_some((overdraft, self.overdraft_limit))
    }

    /// What passed through.
    pub(crate) fn meter(&self) -> &OutputMeter {
        &self.meter
    }
}

#[cfg(test)]
mod tests {
    use sameriver_model::{Batch, ChannelId, CheckpointId, EdgeId, SubtaskIndex};

    use super::*;

    const ATTEMPT: AttemptNumber = AttemptNumber::new(1);

    fn edge(edge: u32, channels: u32) -> Vec<Arc<ChannelQueue>> {
        let id = |to| {
            ChannelId::new(
                EdgeId::new(edge),
                SubtaskIndex::new(0),
                SubtaskIndex::new(to),
            )
        };
        (0..channels)
            .map(|to| Arc::new(ChannelQueue::new(id(to), 1)))
            .collect()
    }

    fn batch() -> Box<dyn AnyBatch> {
        Box::new(Batch::from_parts(vec![1_u32, 2], None))
    }

    #[test]
    fn one_full_channel_of_any_edge_leaves_no_room() {
        let (buffers, mut tails) = OutputBuffers::new(ATTEMPT, vec![edge(0, 2), edge(1, 3)], 10);
        assert!(buffers.have_room());
        tails[1].send(2, batch());
        assert!(!buffers.have_room());
    }

    #[test]
    fn what_is_above_the_overdraft_limit_is_reported_and_not_kept() {
        let queues = edge(0, 1);
        let (buffers, mut tails) = OutputBuffers::new(ATTEMPT, vec![queues.clone()], 2);
        for _ in 0..10 {
            tails[0].send(0, batch());
        }
        assert_eq!(buffers.excess(), Some((3, 2)));
        let kept = std::iter::from_fn(|| queues[0].pop(true)).count();
        assert_eq!(kept, 4, "one buffer, two allowed, and the one too many");
    }

    #[test]
    fn marks_reach_every_channel_of_the_edge() {
        let queues = edge(0, 2);
        let (_, mut tails) = OutputBuffers::new(ATTEMPT, vec![queues.clone()], 2);
        tails[0].watermark(Watermark::MAX);
        tails[0].end();
        tails[0].barrier(Barrier {
            checkpoint: CheckpointId::new(1),
        });
        for queue in &queues {
            assert!(matches!(queue.pop(true), Some(StreamElement::Watermark(_))));
            assert!(matches!(queue.pop(true), Some(StreamElement::EndOfInput)));
            assert!(matches!(queue.pop(true), Some(StreamElement::Barrier(_))));
        }
    }
}
