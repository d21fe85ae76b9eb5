//! A side output: the second consumer of a link, if somebody wants it.
//!
//! Invariant: what is kept for it in a slice is handed on in that slice; watermarks, barriers and
//! the end reach it as they reach the main output.

use sameriver_model::{Barrier, Batch, CheckpointId, EventTime, SectionWriter, Watermark};

use crate::branch::Branch;
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;

pub(crate) struct Side<T> {
    branch: Option<Branch<T>>,
    batch: Batch<T>,
}

impl<T> Side<T> {
    pub(crate) fn new(next: Option<Box<dyn Consumer<T>>>) -> Self {
        Self {
            branch: next.map(Branch::new),
            batch: Batch::new(),
        }
    }

    /// Whether anybody wants it.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.branch.is_some()
    }

    pub(crate) fn push(&mut self, record: T, time: Option<EventTime>) {
        self.batch.push(record, time);
    }

    /// Hands on what came in this slice.
    pub(crate) fn hand_on(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        match &mut self.branch {
            Some(branch) if !self.batch.is_empty() => branch.next.slice(&mut self.batch, cx),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.watermark(watermark, cx))
    }

    pub(crate) fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.resume(cx))
    }

    pub(crate) fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.finish(cx))
    }

    /// Does `call` with the consumer, if there is one.
    fn each(
        &mut self,
        call: impl FnOnce(&mut dyn Consumer<T>) -> Result<(), OperatorError>,
    ) -> Result<(), OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(()), |branch| call(&mut *branch.next))
    }

    pub(crate) fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        self.each(|next| next.idle(idle, cx))
    }

    pub(crate) fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.each(|next| next.flush(cx))
    }

    pub(crate) fn has_room(&self) -> bool {
        let branch = self.branch.as_ref();
        branch.is_none_or(|branch| branch.next.has_room())
    }

    pub(crate) fn barrier(
        &mut self,
        barrier: Barrier,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        self.each(|next| next.barrier(barrier, cx))
    }

    pub(crate) fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.each(|next| next.snapshot(sections))
    }

    pub(crate) fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Walk::Done), |branch| {
            branch.next.walk(bytes_max, sections)
        })
    }

    pub(crate) fn drop_snapshot(&mut self) {
        if let Some(branch) = &mut self.branch {
            branch.next.drop_snapshot();
        }
    }

    pub(crate) fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        self.each(|next| next.complete(checkpoint))
    }

    pub(crate) fn settle(&mut self) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.next.settle())
    }
}
