//! The enumerator of sources whose splits are all known at the start.
//!
//! Invariant: splits are handed out one at a time, in order, each once. Does not know what a split
//! is.

use std::collections::VecDeque;

use sameriver_model::SubtaskIndex;
use sameriver_operator::source::{Assignment, SplitEnumerator};

/// Splits that any reader may have.
pub(crate) struct SplitQueue<S> {
    splits: VecDeque<S>,
}

impl<S> SplitQueue<S> {
    /// Hands out `splits` in their order.
    pub(crate) fn new(splits: impl IntoIterator<Item = S>) -> Self {
        let splits = splits.into_iter().collect();
        Self { splits }
    }
}

impl<S: Send> SplitEnumerator<S> for SplitQueue<S> {
    fn assign(&mut self, _reader: SubtaskIndex) -> Assignment<S> {
        Assignment {
            splits: self.splits.pop_front().into_iter().collect(),
            no_more: self.splits.is_empty(),
        }
    }
}
