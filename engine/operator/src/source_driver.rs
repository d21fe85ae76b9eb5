//! The head of a chain that starts with a source: reads, stamps event times, makes watermarks.
//!
//! Invariant: records of one split keep their order; the watermark is the minimum over the splits
//! that go on, is sent only when it advances, and at most once a slice. After a restore it is sent
//! again before the first record, so that the clocks below stand where they stood. Knows nothing of
//! files or sockets: those belong to the reader.

use std::sync::Arc;

use sameriver_model::codec::wire;
use sameriver_model::{Batch, Element, EventTime, SectionKind, SectionWriter, Watermark};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::pass_on::pass_on;
use crate::saved;
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
    /// The watermark that was sent before the snapshot, until it is sent again.
    again: Option<Watermark>,
    next: Box<dyn Consumer<T>>,
}

/// What a snapshot has of a reader.
#[derive(Serialize, Deserialize)]
struct Saved {
    sent: Watermark,
    splits: Vec<SavedSplit>,
}

/// A split that has not ended, by the order of assignment.
#[derive(Serialize, Deserialize)]
struct SavedSplit {
    /// In `wire`: it begins with the first record that was not read yet.
    split: Vec<u8>,
    /// The highest event time of its records so far.
    highest: Option<EventTime>,
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

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        match self.send_again(cx)? {
            Progress::Done => self.next.resume(cx),
            progress @ (Progress::More | Progress::Waiting) => Ok(progress),
        }
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        let splits = self.reader.snapshot();
        let mut splits = splits.map_err(|cause| self.error(cause))?;
        splits.sort_by_key(|(position, _)| *position);
        let splits = splits.iter().map(|(position, split)| {
            Ok(SavedSplit {
                split: wire::encode(split)?,
                highest: self.splits.highest(*position),
            })
        });
        let splits = splits.collect::<Result<_, wire::WireError>>();
        let saved = Saved {
            sent: self.sent,
            splits: splits.map_err(|cause| OperatorError::snapshot(&self.name, cause))?,
        };
        let id = saved::section(&self.name, "", SectionKind::Splits);
        saved::write(id, &saved, sections)?;
        self.next.snapshot(sections)
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        self.next.walk(bytes_max, sections)
    }

    fn drop_snapshot(&mut self) {
        self.next.drop_snapshot();
    }

    pass_on!(stateful except resume);
}

impl<T: Element, S: Split> SourceDriver<T, S> {
    /// Goes on where the snapshot was taken.
    fn restore(&mut self, args: &OpenArgs) -> Result<(), OperatorError> {
        let id = saved::section(&self.name, "", SectionKind::Splits);
        let all: Vec<Saved> = saved::read(&id, args)?;
        // Of several old subtasks the one that is behind decides.
        let sent = all.iter().map(|saved| saved.sent).min();
        self.sent = sent.unwrap_or(Watermark::MIN);
        let is_under_way = self.sent > Watermark::MIN && self.sent < Watermark::MAX;
        self.again = is_under_way.then_some(self.sent);
        let splits: Vec<SavedSplit> = all.into_iter().flat_map(|saved| saved.splits).collect();
        if splits.is_empty() {
            return Ok(());
        }
        if let Some(strategy) = &self.strategy {
            for split in &splits {
                let mut generator = strategy.generator();
                generator.observe(split.highest);
                self.splits.add(generator);
            }
        }
        let splits = splits
            .iter()
            .map(|saved| self.decode(&saved.split, "the checkpoint"));
        let splits = splits.collect::<Result<_, _>>()?;
        let added = self.reader.add_splits(splits, false);
        added.map_err(|cause| self.error(cause))
    }

    /// Sends the watermark of the snapshot once more.
    fn send_again(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        match self.again.take() {
            Some(watermark) => self.next.watermark(watermark, cx),
            None => Ok(Progress::Done),
        }
    }

    fn decode(&self, split: &[u8], from: &str) -> Result<S, OperatorError> {
        wire::decode(split).map_err(|cause| {
            self.error(SourceError::Other {
                input: format!("a split from {from}"),
                cause: format!("{cause}: run the same binary on every node"),
            })
        })
    }
}

impl<T: Element, S: Split> SourceHead for SourceDriver<T, S> {
    fn assign(&mut self, splits: &[Vec<u8>], no_more: bool) -> Result<(), OperatorError> {
        let decoded = splits
            .iter()
            .map(|bytes| self.decode(bytes, "the enumerator"));
        let decoded = decoded.collect::<Result<Vec<S>, _>>()?;
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
        match self.send_again(cx)? {
            Progress::Done => {}
            progress @ (Progress::More | Progress::Waiting) => {
                return Ok(SourceProgress::Resume(progress));
            }
        }
        if let Some(status) = self.held.take() {
            return Ok(answer(status));
        }
        let status = self.reader.read(&mut self.read, max);
        let status = status.map_err(|cause| self.error(cause))?;
        cx.position = self.read.position.clone();
        cx.records_read += self.read.records.len() as u64;
        let told = self.read.take_counts();
        cx.bytes_read += told.bytes;
        cx.markers_met += told.markers;
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
/// one, records have no event time and the only watermark is the last. Goes on from
/// `args.restored`, by its name.
///
/// # Errors
/// [`OperatorError`] when the snapshot is not one that it can start from, or the reader refuses a
/// split of it.
pub fn source_driver<T: Element, S: Split>(
    name: &str,
    reader: Box<dyn SourceReader<T, S>>,
    strategy: Option<WatermarkStrategy<T>>,
    args: &OpenArgs,
    next: Box<dyn Consumer<T>>,
) -> Result<Box<dyn SourceHead>, OperatorError> {
    let mut driver = SourceDriver {
        name: name.into(),
        reader,
        read: ReadBatch::default(),
        strategy,
        splits: SplitWatermarks::default(),
        sent: Watermark::MIN,
        slice: Batch::new(),
        held: None,
        again: None,
        next,
    };
    driver.restore(args)?;
    Ok(Box::new(driver))
}

#[cfg(test)]
mod tests;
