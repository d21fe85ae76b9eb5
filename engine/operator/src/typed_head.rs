//! The head of a chain that is fed from a gate: the one place where a batch gets its type back.
//!
//! Invariant: one downcast a slice; what does not fit into the slice stays in the batch, in order.

use sameriver_model::{AnyBatch, Batch, Element, Watermark};

use crate::chain::{Chain, Head};
use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::OperatorError;
use crate::pass_on::pass_on;

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

    pass_on!(checkpoints);
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
        let done = self.next.slice(&mut self.slice, cx);
        // They go back to their sender with the batch that they came in.
        batch.spent_mut().append(self.slice.spent_mut());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Seen, context, timed};

    #[test]
    fn a_slice_takes_the_front_of_a_batch_and_leaves_the_rest() {
        let (end, seen) = Collecting::new();
        let mut head = TypedHead::<u64>::new(end);
        let mut batch = timed([(1_u64, 10), (2, 20), (3, 30)]);
        let mut slices = Vec::new();
        while !batch.is_empty() {
            let taken = head.slice(&mut batch, 2, &mut context());
            taken.expect("the slice is good");
            slices.push(seen.take());
        }
        let [one, two, three] = [(1, 10), (2, 20), (3, 30)].map(|(n, t)| Seen::Record(n, Some(t)));
        assert_eq!(slices, [vec![one, two], vec![three]]);
    }
}
