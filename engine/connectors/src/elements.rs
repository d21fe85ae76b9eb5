//! Reads the elements of a list that the job holds itself.
//!
//! Invariant: every element is read once; at parallelism 1 in the order of the list. Splits are
//! ranges of positions; the elements are in every process, because every process builds the job.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use sameriver_model::Element;
use sameriver_operator::Position;
use sameriver_operator::source::{
    Enumerator, EnumeratorArgs, ReadBatch, ReadStatus, Reader, ReaderArgs, Source, SourceError,
    SourceReader,
};
use sameriver_runtime::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::split_queue::SplitQueue;
use crate::stored::Versioned;

/// How many elements a split has, but for the last.
const SPLIT_ELEMENTS: usize = 1024;

/// A range of positions in a list of known length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSplit", into = "StoredSplit")]
pub struct ElementsSplit {
    from: u64,
    to: u64,
    count: u64,
}

/// The range, then the length of the list.
type StoredSplit = Versioned<(u64, u64, u64)>;

impl From<StoredSplit> for ElementsSplit {
    fn from(Versioned::V1((from, to, count)): StoredSplit) -> Self {
        Self { from, to, count }
    }
}

impl From<ElementsSplit> for StoredSplit {
    fn from(split: ElementsSplit) -> Self {
        Self::V1((split.from, split.to, split.count))
    }
}

/// A source of the elements of a list, for tests and examples.
///
/// ```
/// use sameriver_connectors::Elements;
/// use sameriver_operator::source::Source;
/// assert_eq!(Elements::of(["a".to_owned(), "b".to_owned()]).describe(), "2 elements");
/// ```
#[derive(Clone, Debug)]
pub struct Elements<T> {
    elements: Arc<[T]>,
}

impl<T> Elements<T> {
    /// Reads `elements` in their order; readers of a parallel source share them in blocks.
    pub fn of(elements: impl IntoIterator<Item = T>) -> Self {
        let elements = elements.into_iter().collect();
        Self { elements }
    }
}

impl<T: Element + Clone + Sync> Source for Elements<T> {
    type Out = T;
    type Split = ElementsSplit;

    fn describe(&self) -> String {
        match self.elements.len() {
            1 => "1 element".to_owned(),
            count => format!("{count} elements"),
        }
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn enumerate(&self, args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
        let queue = match args.restored {
            Some(bytes) => SplitQueue::restored(self.describe(), &bytes),
            None => Ok(SplitQueue::new(
                self.describe(),
                cut_list(self.elements.len()),
            )),
        };
        Box::pin(async move {
            let queue: Enumerator<Self> = Box::new(queue?);
            Ok(queue)
        })
    }

    fn reader(&self, _args: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        Ok(Box::new(ElementsReader {
            elements: Arc::clone(&self.elements),
            name: Arc::from(self.describe()),
            splits: VecDeque::new(),
            current: 0,
            no_more: false,
        }))
    }
}

fn cut_list(count: usize) -> impl Iterator<Item = ElementsSplit> {
    (0..count)
        .step_by(SPLIT_ELEMENTS)
        .map(move |from| ElementsSplit {
            from: from as u64,
            to: count.min(from + SPLIT_ELEMENTS) as u64,
            count: count as u64,
        })
}

struct ElementsReader<T> {
    elements: Arc<[T]>,
    name: Arc<str>,
    /// What is left of the splits; the first is number `current`.
    splits: VecDeque<Range<usize>>,
    current: usize,
    no_more: bool,
}

impl<T: Element + Clone + Sync> SourceReader<T, ElementsSplit> for ElementsReader<T> {
    fn add_splits(&mut self, splits: Vec<ElementsSplit>, no_more: bool) -> Result<(), SourceError> {
        self.no_more |= no_more;
        for split in &splits {
            self.check(split)?;
            self.splits
                .push_back(split.from as usize..split.to as usize);
        }
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<T>, max: usize) -> Result<ReadStatus, SourceError> {
        batch.ended.clear();
        let Some(split) = self.splits.front_mut() else {
            return Ok(if self.no_more {
                ReadStatus::Finished
            } else {
                ReadStatus::NeedSplit
            });
        };
        let to = split.end.min(split.start.saturating_add(max));
        batch
            .records
            .extend_from_slice(&self.elements[split.start..to]);
        batch.split = self.current;
        batch.position = Position::Source {
            split: Arc::clone(&self.name),
            from: split.start as u64,
            to: to as u64,
            unit: "record",
        };
        split.start = to;
        if split.start == split.end {
            batch.ended.push(self.current);
            self.splits.pop_front();
            self.current += 1;
        }
        Ok(ReadStatus::Ready)
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, ElementsSplit)>, SourceError> {
        let count = self.elements.len() as u64;
        let rest = (self.current..).zip(&self.splits);
        let rest = rest.map(|(position, range)| {
            let (from, to) = (range.start as u64, range.end as u64);
            (position, ElementsSplit { from, to, count })
        });
        Ok(rest.collect())
    }
}

impl<T> ElementsReader<T> {
    /// Positions mean nothing in another list.
    fn check(&self, split: &ElementsSplit) -> Result<(), SourceError> {
        let count = self.elements.len() as u64;
        if split.count == count && split.from <= split.to && split.to <= count {
            return Ok(());
        }
        Err(SourceError::Other {
            input: self.name.to_string(),
            cause: format!(
                "a split holds the elements {} to {} of a list of {}, but the list has {count}: \
                 restore with the list that the checkpoint was taken of",
                split.from, split.to, split.count
            ),
        })
    }
}
