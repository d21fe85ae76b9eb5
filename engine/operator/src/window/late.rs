//! Where late records go: to the side output if there is one, else nowhere, but counted.

use sameriver_model::{Batch, EventTime, Watermark};

use crate::branch::Branch;
use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::OperatorError;

pub(super) struct Late<T> {
    branch: Option<Branch<T>>,
    batch: Batch<T>,
    dropped: u64,
}

impl<T> Late<T> {
    pub(super) fn new(next: Option<Box<dyn Consumer<T>>>) -> Self {
        Self {
            branch: next.map(Branch::new),
            batch: Batch::new(),
            dropped: 0,
        }
    }

    /// The chain of the side output, if there is one.
    pub(super) fn below(&mut self) -> Option<&mut Box<dyn Consumer<T>>> {
        self.branch.as_mut().map(|branch| &mut branch.next)
    }

    pub(super) fn take(&mut self, record: T, time: EventTime) {
        if self.branch.is_some() {
            self.batch.push(record, Some(time));
        } else {
            self.dropped += 1;
        }
    }

    /// Hands on what came in this slice.
    pub(super) fn hand_on(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        cx.late_dropped += std::mem::take(&mut self.dropped);
        match &mut self.branch {
            Some(branch) if !self.batch.is_empty() => branch.next.slice(&mut self.batch, cx),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.watermark(watermark, cx))
    }

    pub(super) fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.resume(cx))
    }

    pub(super) fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(()), |branch| branch.next.idle(idle, cx))
    }

    pub(super) fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(()), |branch| branch.next.flush(cx))
    }

    pub(super) fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        let branch = self.branch.as_mut();
        branch.map_or(Ok(Progress::Done), |branch| branch.finish(cx))
    }

    pub(super) fn has_room(&self) -> bool {
        let branch = self.branch.as_ref();
        branch.is_none_or(|branch| branch.next.has_room())
    }
}
