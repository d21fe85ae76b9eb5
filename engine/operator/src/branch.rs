//! One of several consumers below a link, and how far its last call came.
//!
//! Invariant: a branch that answered `Done` is not resumed.

use sameriver_model::Watermark;

use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;

/// What two branches together have to say: done only when both are, and waiting only when nothing
/// can be done without a wake.
pub(crate) fn join(left: Progress, right: Progress) -> Progress {
    match (left, right) {
        (Progress::More, _) | (_, Progress::More) => Progress::More,
        (Progress::Waiting, _) | (_, Progress::Waiting) => Progress::Waiting,
        (Progress::Done, Progress::Done) => Progress::Done,
    }
}

/// What two walks together have to say, by the same rule.
pub(crate) fn join_walks(left: Walk, right: Walk) -> Walk {
    match (left, right) {
        (Walk::More, _) | (_, Walk::More) => Walk::More,
        (Walk::Waiting, _) | (_, Walk::Waiting) => Walk::Waiting,
        (Walk::Done, Walk::Done) => Walk::Done,
    }
}

/// A consumer with the progress of its last call.
pub(crate) struct Branch<T> {
    pub(crate) next: Box<dyn Consumer<T>>,
    progress: Progress,
}

impl<T> Branch<T> {
    pub(crate) fn new(next: Box<dyn Consumer<T>>) -> Self {
        // After a restore, something may be left that only `resume` reaches.
        let progress = Progress::More;
        Self { next, progress }
    }

    pub(crate) fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.progress = self.next.watermark(watermark, cx)?;
        Ok(self.progress)
    }

    pub(crate) fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        match self.progress {
            Progress::Done => {}
            Progress::More | Progress::Waiting => self.progress = self.next.resume(cx)?,
        }
        Ok(self.progress)
    }

    pub(crate) fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.progress = self.next.finish(cx)?;
        Ok(self.progress)
    }
}
