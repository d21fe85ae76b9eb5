//! The enumerator of sources whose splits are all known at the start.
//!
//! Invariant: splits are handed out one at a time, in order, each once; a snapshot holds those that
//! are left. Does not know what a split is.

use std::collections::VecDeque;

use sameriver_model::SubtaskIndex;
use sameriver_operator::source::{Assignment, SourceError, Split, SplitEnumerator};

use crate::stored;

/// Splits that any reader may have.
pub(crate) struct SplitQueue<S> {
    input: String,
    splits: VecDeque<S>,
}

impl<S: Split> SplitQueue<S> {
    /// Hands out `splits` of `input` in their order.
    pub(crate) fn new(input: String, splits: impl IntoIterator<Item = S>) -> Self {
        let splits = splits.into_iter().collect();
        Self { input, splits }
    }

    /// Goes on from a snapshot.
    pub(crate) fn restored(input: String, bytes: &[u8]) -> Result<Self, SourceError> {
        let splits: Vec<S> = restored_splits(&input, bytes)?;
        Ok(Self::new(input, splits))
    }
}

impl<S: Split> SplitEnumerator<S> for SplitQueue<S> {
    fn assign(&mut self, _reader: SubtaskIndex) -> Assignment<S> {
        Assignment {
            splits: self.splits.pop_front().into_iter().collect(),
            no_more: self.splits.is_empty(),
        }
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        snapshot_splits(&self.input, self.splits.iter().collect())
    }
}

/// The bytes of splits that no reader has got yet.
pub(crate) fn snapshot_splits<S: Split>(
    input: &str,
    splits: Vec<&S>,
) -> Result<Vec<u8>, SourceError> {
    stored::to_bytes(splits).map_err(|cause| SourceError::Other {
        input: input.to_owned(),
        cause: format!("its splits cannot be kept: {cause}"),
    })
}

/// The splits of [`snapshot_splits`].
pub(crate) fn restored_splits<S: Split>(input: &str, bytes: &[u8]) -> Result<Vec<S>, SourceError> {
    stored::from_bytes(bytes).map_err(|cause| SourceError::Other {
        input: input.to_owned(),
        cause: format!("its splits in the checkpoint cannot be read: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_queue_hands_out_what_was_left() {
        let mut queue = SplitQueue::new("numbers".to_owned(), [1_u64, 2, 3]);
        let reader = SubtaskIndex::new(0);
        assert_eq!(queue.assign(reader).splits, [1]);
        let bytes = queue.snapshot().expect("numbers can be kept");
        for _ in 0..2 {
            let restored = SplitQueue::<u64>::restored("numbers".to_owned(), &bytes);
            let mut restored = restored.expect("a snapshot");
            assert_eq!(restored.assign(reader).splits, [2]);
            let last = restored.assign(reader);
            assert_eq!((last.splits, last.no_more), (vec![3], true));
            assert!(restored.assign(reader).splits.is_empty());
        }
    }

    #[test]
    fn bytes_that_are_no_snapshot_are_named_with_the_source() {
        let restored = SplitQueue::<u64>::restored("file a".to_owned(), &[9, 9]);
        let error = restored.err().expect("two bytes are no snapshot");
        assert!(
            error.to_string().starts_with("file a: its splits"),
            "{error}"
        );
    }
}
