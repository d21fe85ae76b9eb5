//! What the slot loop sees of a chain: no record type anywhere.
//!
//! Invariant: only the head iterates; a slice runs through the whole chain before the next.

use sameriver_model::{AnyBatch, Barrier, CheckpointId, SectionWriter, Watermark};

use crate::consumer::{Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;

/// What heads with and without a source have in common; see [`Consumer`](crate::Consumer) for the
/// meaning.
///
/// # Errors
/// Every method's [`OperatorError`] is that of the first operator of the chain that failed, and
/// names it. The chain is of no use afterwards: the attempt ends.
#[expect(
    clippy::missing_errors_doc,
    reason = "the trait says it for all of its methods"
)]
pub trait Chain: Send {
    /// See [`Consumer::watermark`](crate::Consumer::watermark).
    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError>;
    /// See [`Consumer::resume`](crate::Consumer::resume).
    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;
    /// See [`Consumer::idle`](crate::Consumer::idle).
    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError>;
    /// See [`Consumer::flush`](crate::Consumer::flush).
    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError>;
    /// See [`Consumer::finish`](crate::Consumer::finish).
    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;
    /// See [`Consumer::barrier`](crate::Consumer::barrier).
    fn barrier(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError>;
    /// See [`Consumer::snapshot`](crate::Consumer::snapshot).
    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError>;
    /// See [`Consumer::walk`](crate::Consumer::walk).
    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError>;
    /// See [`Consumer::drop_snapshot`](crate::Consumer::drop_snapshot).
    fn drop_snapshot(&mut self);
    /// See [`Consumer::complete`](crate::Consumer::complete).
    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError>;
    /// See [`Consumer::settle`](crate::Consumer::settle).
    fn settle(&mut self) -> Result<Progress, OperatorError>;
    /// See [`Consumer::has_room`](crate::Consumer::has_room).
    fn has_room(&self) -> bool;
}

/// The head of a chain that is fed from an input gate.
pub trait Head: Chain {
    /// Takes up to `max` records off the front of `batch` and runs them through the chain.
    ///
    /// # Errors
    /// As every method of [`Chain`].
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
