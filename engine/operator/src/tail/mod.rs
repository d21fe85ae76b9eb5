//! The ends of a chain that lead to other subtasks: one file for each way to pick a channel.
//!
//! Invariant: records of one channel keep their order, also against watermarks, idle marks and the
//! end; a batch has at most `batch_records_max` records. Partial batches are kept per channel until
//! they are full, something must not overtake them, or the task calls `flush`.

mod broadcast;
mod forward;
mod hash;
mod partial;
mod rebalance;
mod round_trip;

use std::sync::Arc;

use sameriver_model::{Barrier, Batch, CheckpointId, Element, SectionWriter, Watermark};

use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::edge_codec::EdgeCodec;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::outputs::Outputs;

pub use broadcast::broadcast;
pub use forward::forward;
pub use hash::hash;
pub use rebalance::rebalance;
pub use round_trip::RoundTripError;

use partial::PartialBatch;
use round_trip::RoundTrip;

/// How one way of partitioning spreads a slice over the channels.
trait Partition<T>: Send {
    /// Takes all records out of `batch` and hands them to `lanes`.
    fn slice(
        &mut self,
        batch: &mut Batch<T>,
        lanes: &mut Lanes<T>,
        cx: &Context,
    ) -> Result<(), OperatorError>;
}

/// The partial batches of all channels, and the channels themselves.
struct Lanes<T> {
    partial: Vec<PartialBatch<T>>,
    /// Used records that have come home.
    spent: Vec<T>,
    outputs: Box<dyn Outputs>,
}

impl<T: Element> Lanes<T> {
    fn new(args: &OpenArgs, outputs: Box<dyn Outputs>) -> Self {
        let lanes = 0..outputs.channels();
        Self {
            partial: lanes
                .map(|_| PartialBatch::new(args.batch_records_max))
                .collect(),
            spent: Vec::new(),
            outputs,
        }
    }

    fn len(&self) -> usize {
        self.partial.len()
    }

    /// Hands all of `batch` to one channel, without a copy where it fits.
    fn append(&mut self, channel: usize, batch: &mut Batch<T>) {
        self.align_lane(channel, batch.times().is_some());
        if batch.len() <= self.partial[channel].room() {
            self.partial[channel].append(batch);
            self.send_if_full(channel);
            return;
        }
        // More than one batch: each record moves once, however many there are.
        let (records, times) = batch.parts_mut();
        let mut times = times.as_mut().map(|times| times.drain(..));
        let mut records = records.drain(..);
        while records.len() > 0 {
            self.partial[channel].fill(&mut records, times.as_mut());
            self.send_if_full(channel);
        }
    }

    /// Makes every lane ready for records with or without event times; call it once a slice.
    fn align(&mut self, timed: bool) {
        for channel in 0..self.partial.len() {
            self.align_lane(channel, timed);
        }
    }

    /// What is held must go first if it is of the other sort.
    fn align_lane(&mut self, channel: usize, timed: bool) {
        if !self.partial[channel].is_alike(timed) {
            self.send(channel);
        }
    }

    /// Hands one record to one channel.
    #[inline]
    fn push(&mut self, channel: usize, record: T, time: Option<sameriver_model::EventTime>) {
        self.partial[channel].push(record, time);
        self.send_if_full(channel);
    }

    #[inline]
    fn send_if_full(&mut self, channel: usize) {
        if self.partial[channel].is_full() {
            self.send(channel);
        }
    }

    fn send(&mut self, channel: usize) {
        let partial = &mut self.partial[channel];
        if !partial.is_empty() {
            let spare = self.outputs.reuse(channel);
            self.outputs
                .send(channel, partial.take(spare, &mut self.spent));
        }
    }

    /// Leaves the used records to the links above, which make new ones.
    fn spend(&mut self, cx: &mut Context) {
        cx.spent.take(&mut self.spent);
    }

    fn send_all(&mut self) {
        for channel in 0..self.partial.len() {
            self.send(channel);
        }
    }
}

/// The link around a [`Partition`].
struct Tail<T, P> {
    check: RoundTrip<T>,
    partition: P,
    lanes: Lanes<T>,
}

impl<T: Element, P: Partition<T>> Tail<T, P> {
    fn new(
        name: &str,
        args: &OpenArgs,
        codec: Arc<dyn EdgeCodec>,
        outputs: Box<dyn Outputs>,
        partition: P,
    ) -> Self {
        Self {
            check: RoundTrip::new(name, codec),
            partition,
            lanes: Lanes::new(args, outputs),
        }
    }
}

impl<T: Element, P: Partition<T>> Consumer<T> for Tail<T, P> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        self.check.first(batch, cx)?;
        self.partition.slice(batch, &mut self.lanes, cx)?;
        self.lanes.spend(cx);
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.lanes.send_all();
        self.lanes.spend(cx);
        self.lanes.outputs.watermark(watermark);
        Ok(Progress::Done)
    }

    fn resume(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }

    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        self.lanes.send_all();
        self.lanes.spend(cx);
        self.lanes.outputs.idle(idle);
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.lanes.send_all();
        self.lanes.spend(cx);
        Ok(())
    }

    fn finish(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        self.lanes.send_all();
        self.lanes.outputs.end();
        Ok(Progress::Done)
    }

    fn has_room(&self) -> bool {
        true
    }

    fn barrier(&mut self, barrier: Barrier, _cx: &mut Context) -> Result<(), OperatorError> {
        self.lanes.send_all();
        self.lanes.outputs.barrier(barrier);
        Ok(())
    }

    fn snapshot(&mut self, _sections: &mut SectionWriter) -> Result<(), OperatorError> {
        Ok(())
    }

    fn walk(
        &mut self,
        _bytes_max: usize,
        _sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        Ok(Walk::Done)
    }

    fn drop_snapshot(&mut self) {}

    fn complete(&mut self, _checkpoint: CheckpointId) -> Result<(), OperatorError> {
        Ok(())
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
}

#[cfg(test)]
mod tests;
