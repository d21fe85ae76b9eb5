//! Hands every record to several chains: the only place, with broadcast, that clones records.

use sameriver_model::{Barrier, Batch, CheckpointId, Element, SectionWriter, Watermark};

use crate::branch::{Branch, join, join_walks};
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;

struct FanOut<T> {
    branches: Vec<Branch<T>>,
    copy: Batch<T>,
}

impl<T> FanOut<T> {
    fn each(
        &mut self,
        mut call: impl FnMut(&mut Branch<T>) -> Result<Progress, OperatorError>,
    ) -> Result<Progress, OperatorError> {
        let mut all = Progress::Done;
        for branch in &mut self.branches {
            all = join(all, call(branch)?);
        }
        Ok(all)
    }
}

fn copy_into<T: Clone>(from: &Batch<T>, to: &mut Batch<T>) {
    let (records, times) = to.parts_mut();
    records.extend_from_slice(from.records());
    match (from.times(), times) {
        (Some(from), Some(to)) => to.extend_from_slice(from),
        (Some(from), to @ None) => *to = Some(from.to_vec()),
        (None, to) => *to = None,
    }
}

impl<T: Element + Clone> Consumer<T> for FanOut<T> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let Some((last, others)) = self.branches.split_last_mut() else {
            batch.clear();
            return Ok(());
        };
        for branch in others {
            copy_into(batch, &mut self.copy);
            branch.next.slice(&mut self.copy, cx)?;
        }
        last.next.slice(batch, cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.each(|branch| branch.watermark(watermark, cx))
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.each(|branch| branch.resume(cx))
    }

    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        let mut branches = self.branches.iter_mut();
        branches.try_for_each(|branch| branch.next.idle(idle, cx))
    }

    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let mut branches = self.branches.iter_mut();
        branches.try_for_each(|branch| branch.next.flush(cx))
    }

    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.each(|branch| branch.finish(cx))
    }

    fn has_room(&self) -> bool {
        self.branches.iter().all(|branch| branch.next.has_room())
    }

    fn barrier(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError> {
        let mut branches = self.branches.iter_mut();
        branches.try_for_each(|branch| branch.next.barrier(barrier, cx))
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        let mut branches = self.branches.iter_mut();
        branches.try_for_each(|branch| branch.next.snapshot(sections))
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        let mut all = Walk::Done;
        for branch in &mut self.branches {
            all = join_walks(all, branch.next.walk(bytes_max, sections)?);
        }
        Ok(all)
    }

    fn drop_snapshot(&mut self) {
        for branch in &mut self.branches {
            branch.next.drop_snapshot();
        }
    }

    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        let mut branches = self.branches.iter_mut();
        branches.try_for_each(|branch| branch.next.complete(checkpoint))
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        let mut all = Progress::Done;
        for branch in &mut self.branches {
            all = join(all, branch.next.settle()?);
        }
        Ok(all)
    }
}

/// Hands every record, watermark and end to each of `branches`, in their order.
pub fn fan_out<T: Element + Clone>(branches: Vec<Box<dyn Consumer<T>>>) -> Box<dyn Consumer<T>> {
    Box::new(FanOut {
        branches: branches.into_iter().map(Branch::new).collect(),
        copy: Batch::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Seen, context, run, timed};

    #[test]
    fn every_branch_sees_the_same_records_watermarks_and_end() {
        let ((a, seen_a), (b, seen_b)) = (Collecting::new(), Collecting::new());
        let mut both = fan_out::<u64>(vec![a, b]);
        run(&mut *both, timed([(1, 10)]), Some(3));
        assert_eq!(both.finish(&mut context()).expect("ends"), Progress::Done);
        let expected = [
            Seen::Record(1, Some(10)),
            Seen::Watermark(3),
            Seen::<u64>::Finish,
        ];
        assert_eq!(
            (seen_a.take(), seen_b.take()),
            (expected.to_vec(), expected.to_vec())
        );
    }

    #[test]
    fn only_the_branches_that_are_not_done_are_resumed() {
        let (a, seen_a) =
            Collecting::answering([Progress::More, Progress::Waiting, Progress::Done]);
        let (b, seen_b) = Collecting::new();
        let mut both = fan_out::<u64>(vec![a, b]);
        let cx = &mut context();
        let answers = [
            both.watermark(Watermark::MAX, cx).expect("works"),
            both.resume(cx).expect("works"),
            both.resume(cx).expect("works"),
        ];
        assert_eq!(answers, [Progress::More, Progress::Waiting, Progress::Done]);
        let max = Seen::Watermark(i64::MAX);
        assert_eq!(seen_a.take(), [max.clone(), Seen::Resume, Seen::Resume]);
        assert_eq!(seen_b.take(), [max]);
    }
}
