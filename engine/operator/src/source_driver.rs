//! The head of a chain that starts with a source: reads, stamps event times, makes watermarks.
//!
//! Invariant: records of one split keep their order; the watermark is the minimum over the splits
//! that go on, is sent only when it advances, and at most once a slice. Knows nothing of files or
//! sockets: those belong to the reader.

use std::sync::Arc;

use sameriver_model::codec::wire;
use sameriver_model::{Batch, Element, Watermark};

use crate::chain::Chain;
use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::OperatorError;
use crate::pass_on::pass_on;
use crate::source::{ReadBatch, ReadStatus, SourceError, SourceReader, Split};
use crate::source_head::{SourceHead, SourceProgress};
use crate::watermark::{SplitWatermarks, WatermarkStrategy};

struct SourceDriver<T, S> {
    name: Arc<str>,
    reader: Box<dyn SourceReader<T, S>>,
    read: ReadBatch<T>,
    strategy: Option<WatermarkStrategy<T>>,
    splits: SplitWatermarks,
    sent: Watermark,
    slice: Batch<T>,
    /// What the last read said, while the chain below it is not done with a watermark.
    held: Option<ReadStatus>,
    next: Box<dyn Consumer<T>>,
}

impl<T: Element, S: Split> SourceDriver<T, S> {
    fn error(&self, cause: SourceError) -> OperatorError {
        let operator = self.name.to_string();
        OperatorError::Source { operator, cause }
    }

    /// Runs what was read through the chain.
    fn hand_on(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let (records, times) = self.slice.parts_mut();
        std::mem::swap(records, &mut self.read.records);
        // A link below may have stamped the buffer in the slice before.
        *times = times.take().filter(|_| self.strategy.is_some());
        if let Some(strategy) = &self.strategy {
            let highest = strategy.stamp(&mut self.slice);
            self.splits.observe(self.read.split, highest);
        }
        self.next.slice(&mut self.slice, cx)?;
        // The reader gets its allocation back.
        let (records, _) = self.slice.parts_mut();
        std::mem::swap(records, &mut self.read.records);
        Ok(())
    }

    /// Sends the watermark on if it advances.
    fn advance(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        for split in self.read.ended.drain(..) {
            if self.strategy.is_some() {
                self.splits.end(split);
            }
        }
        match self.splits.watermark() {
            Some(watermark) if watermark > self.sent => {
                self.sent = watermark;
                self.next.watermark(watermark, cx)
            }
            Some(_) | None => Ok(Progress::Done),
        }
    }
}

impl<T: Element, S: Split> Chain for SourceDriver<T, S> {
    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.sent = self.sent.max(watermark);
        self.next.watermark(watermark, cx)
    }

    pass_on!();
}

impl<T: Element, S: Split> SourceHead for SourceDriver<T, S> {
    fn assign(&mut self, splits: &[Vec<u8>], no_more: bool) -> Result<(), OperatorError> {
        let decoded = splits.iter().map(|bytes| wire::decode::<S>(bytes));
        let decoded = decoded.collect::<Result<Vec<S>, _>>();
        let decoded = decoded.map_err(|cause| {
            self.error(SourceError::Other {
                input: "a split from the enumerator".to_owned(),
                cause: format!("{cause}: run the same binary on every node"),
            })
        })?;
        if let Some(strategy) = &self.strategy {
            for _ in &decoded {
                self.splits.add(strategy.generator());
            }
        }
        self.held = None;
        let added = self.reader.add_splits(decoded, no_more);
        added.map_err(|cause| self.error(cause))
    }

    fn slice(&mut self, max: usize, cx: &mut Context) -> Result<SourceProgress, OperatorError> {
        if let Some(status) = self.held.take() {
            return Ok(answer(status));
        }
        let status = self.reader.read(&mut self.read, max);
        let status = status.map_err(|cause| self.error(cause))?;
        cx.position = self.read.position.clone();
        cx.records_read += self.read.records.len() as u64;
        if !self.read.records.is_empty() {
            self.hand_on(cx)?;
        }
        match self.advance(cx)? {
            Progress::Done => Ok(answer(status)),
            progress @ (Progress::More | Progress::Waiting) => {
                self.held = match status {
                    ReadStatus::Ready => None,
                    ReadStatus::Waiting
                    | ReadStatus::Until(_)
                    | ReadStatus::NeedSplit
                    | ReadStatus::Finished => Some(status),
                };
                Ok(SourceProgress::Resume(progress))
            }
        }
    }
}

fn answer(status: ReadStatus) -> SourceProgress {
    match status {
        ReadStatus::Ready => SourceProgress::Ready,
        ReadStatus::Waiting => SourceProgress::Waiting,
        ReadStatus::Until(instant) => SourceProgress::Until(instant),
        ReadStatus::NeedSplit => SourceProgress::NeedSplit,
        ReadStatus::Finished => SourceProgress::Finished,
    }
}

/// Makes the head of a chain that reads from `reader`.
///
/// With a strategy, each record gets an event time and each split a watermark of its own; without
/// one, records have no event time and the only watermark is the last.
pub fn source_driver<T: Element, S: Split>(
    name: &str,
    reader: Box<dyn SourceReader<T, S>>,
    strategy: Option<WatermarkStrategy<T>>,
    next: Box<dyn Consumer<T>>,
) -> Box<dyn SourceHead> {
    Box::new(SourceDriver {
        name: name.into(),
        reader,
        read: ReadBatch::default(),
        strategy,
        splits: SplitWatermarks::default(),
        sent: Watermark::MIN,
        slice: Batch::new(),
        held: None,
        next,
    })
}

#[cfg(test)]
mod tests;
