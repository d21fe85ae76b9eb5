//! What the slot loop sees of a chain: no record type anywhere.
//!
//! Invariant: only the head iterates; a slice runs through the whole chain before the next.

use sameriver_model::{AnyBatch, Batch, Element, Watermark};
use sameriver_runtime::Monotonic;

use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::OperatorError;

/// What heads with and without a source have in common; see [`Consumer`] for the meaning.
pub trait Chain: Send {
    /// See [`Consumer::watermark`].
    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError>;
    /// See [`Consumer::resume`].
    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;
    /// See [`Consumer::idle`].
    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError>;
    /// See [`Consumer::flush`].
    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError>;
    /// See [`Consumer::finish`].
    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;
    /// See [`Consumer::has_room`].
    fn has_room(&self) -> bool;
}

/// The head of a chain that is fed from an input gate.
pub trait Head: Chain {
    /// Takes up to `max` records off the front of `batch` and runs them through the chain.
    ///
    /// # Panics
    /// If `batch` is of another record type: a bug of the graph.
    fn slice(
        &mut self,
        batch: &mut dyn AnyBatch,
        max: usize,
        cx: &mut Context,
    ) -> Result<(), OperatorError>;
}

/// What a source has to say after a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceProgress {
    /// Call again.
    Ready,
    /// The chain is not done with a watermark: call `resume` until it is.
    Resume(Progress),
    /// Nothing to read before a wake.
    Waiting,
    /// Nothing to read before this instant (or a wake).
    Until(Monotonic),
    /// The splits are used up: ask the enumerator for more.
    NeedSplit,
    /// Nothing follows. The caller sends the last watermark and finishes the chain.
    Finished,
}

/// The head of a chain that starts with a source.
pub trait SourceHead: Chain {
    /// Hands over splits in `wire` encoding, and whether the enumerator has no further ones for
    /// this reader.
    fn assign(&mut self, splits: &[Vec<u8>], no_more: bool) -> Result<(), OperatorError>;

    /// Reads up to `max` records and runs them through the chain.
    fn slice(&mut self, max: usize, cx: &mut Context) -> Result<SourceProgress, OperatorError>;
}

/// The typed end of a gate: one downcast a slice.
pub struct TypedHead<T> {
    next: Box<dyn Consumer<T>>,
    slice: Batch<T>,
}

impl<T: Element> TypedHead<T> {
    /// Feeds `next`.
    pub fn new(next: Box<dyn Consumer<T>>) -> Self {
        Self {
            next,
            slice: Batch::new(),
        }
    }
}

impl<T: Element> Chain for TypedHead<T> {
    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.next.watermark(watermark, cx)
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.next.resume(cx)
    }

    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        self.next.idle(idle, cx)
    }

    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.next.flush(cx)
    }

    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.next.finish(cx)
    }

    fn has_room(&self) -> bool {
        self.next.has_room()
    }
}

impl<T: Element> Head for TypedHead<T> {
    fn slice(
        &mut self,
        batch: &mut dyn AnyBatch,
        max: usize,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let batch = batch.as_any_mut().downcast_mut::<Batch<T>>();
        let batch = batch.expect("the ends of a channel have one record type");
        if batch.len() <= max {
            return self.next.slice(batch, cx);
        }
        batch.move_front(max, &mut self.slice);
        self.next.slice(&mut self.slice, cx)
    }
}
