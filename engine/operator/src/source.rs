//! The contract of sources: splits, the enumerator that hands them out, the reader that reads them.
//!
//! Invariant: a split is read by one reader at a time; records of one split come in the split's
//! order. A source says whether reading a split again gives the same records.

use std::io;

use bytes::Bytes;
use sameriver_model::{AttemptNumber, Element, Parallelism, ReadCounts, SubtaskId, SubtaskIndex};
use sameriver_runtime::{BoxFuture, Monotonic, Wake, World};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::context::Position;

#[cfg(any(test, feature = "testing"))]
mod nowhere;

#[cfg(any(test, feature = "testing"))]
pub use nowhere::Errands;

/// The world of a subtask, for its sources and sinks.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The node's world.
    pub world: World,
    /// Wakes the subtask's slot when something outside is ready.
    pub wake: Wake,
}

/// Why a source cannot be read. The kinds decide the exit code of the command line.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The input is not there, or may not be read.
    #[error("cannot read {input}: {cause}: {remedy}")]
    Unreadable {
        /// The input as the user named it.
        input: String,
        /// What the operating system said.
        cause: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The input is there, but is not what the source expects.
    #[error("bad data in {input} at {at}: {cause}: {remedy}")]
    BadData {
        /// The input as the user named it.
        input: String,
        /// Where: `line 7`, `byte 1024`.
        at: String,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The connection was refused or broke.
    #[error("{input}: {cause}: {remedy}")]
    Disconnected {
        /// The address as the user named it.
        input: String,
        /// What the operating system said.
        cause: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// Anything else.
    #[error("{input}: {cause}")]
    Other {
        /// The input as the user named it.
        input: String,
        /// What is wrong, with a remedy.
        cause: String,
    },
}

/// A readable part of a source's input; travels from the enumerator to a reader.
pub trait Split: Serialize + DeserializeOwned + Send + 'static {}

impl<S: Serialize + DeserializeOwned + Send + 'static> Split for S {}

/// A connector's input: finds the splits of it, and makes a reader for each subtask.
///
/// The enumerator runs once a job; readers ask it for splits when they have none left. A reader
/// never waits: what is slow runs in a task of the [`world`](ReaderArgs::surroundings), which wakes
/// the slot when there is something to read.
///
/// ```
/// use sameriver_model::SubtaskIndex;
/// use sameriver_operator::source::{
///     Assignment, Enumerator, EnumeratorArgs, ReadBatch, ReadStatus, Reader, ReaderArgs, Source,
///     SourceError, SourceReader, SplitEnumerator,
/// };
/// use sameriver_runtime::BoxFuture;
///
/// /// Counts down from each of some numbers; a number is a split.
/// struct Countdowns(Vec<u64>);
///
/// impl Source for Countdowns {
///     type Out = u64;
///     type Split = u64;
///
///     fn describe(&self) -> String {
///         format!("countdowns {:?}", self.0)
///     }
///
///     fn is_replayable(&self) -> bool {
///         true
///     }
///
///     fn enumerate(&self, _: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
///         let rest: Enumerator<Self> = Box::new(Rest(self.0.clone()));
///         Box::pin(async { Ok(rest) })
///     }
///
///     fn reader(&self, _: ReaderArgs) -> Result<Reader<Self>, SourceError> {
///         Ok(Box::new(CountdownReader::default()))
///     }
/// }
///
/// /// The splits that nobody has asked for yet.
/// struct Rest(Vec<u64>);
///
/// impl SplitEnumerator<u64> for Rest {
///     fn assign(&mut self, _: SubtaskIndex) -> Assignment<u64> {
///         let splits: Vec<u64> = self.0.pop().into_iter().collect();
///         Assignment { splits, no_more: self.0.is_empty() }
///     }
/// }
///
/// #[derive(Default)]
/// struct CountdownReader {
///     splits: Vec<u64>, // all that were assigned; the numbers that are next
///     current: usize,
///     no_more: bool,
/// }
///
/// impl SourceReader<u64, u64> for CountdownReader {
///     fn add_splits(&mut self, splits: Vec<u64>, no_more: bool) -> Result<(), SourceError> {
///         self.splits.extend(splits);
///         self.no_more |= no_more;
///         Ok(())
///     }
///
///     fn read(
///         &mut self,
///         batch: &mut ReadBatch<u64>,
///         max: usize,
///     ) -> Result<ReadStatus, SourceError> {
///         let Some(next) = self.splits.get_mut(self.current) else {
///             return Ok(if self.no_more { ReadStatus::Finished } else { ReadStatus::NeedSplit });
///         };
///         batch.split = self.current;
///         while *next > 0 && batch.records.len() < max {
///             batch.records.push(*next);
///             *next -= 1;
///         }
///         if *next == 0 {
///             batch.ended.push(self.current);
///             self.current += 1;
///         }
///         Ok(ReadStatus::Ready)
///     }
/// }
/// ```
pub trait Source: Send + Sync + 'static {
    /// The type of its records.
    type Out: Element;
    /// The type of its splits.
    type Split: Split;

    /// What the graph shows: `file words.txt`.
    fn describe(&self) -> String;

    /// Whether reading a split again gives the same records.
    fn is_replayable(&self) -> bool;

    /// What its readers tell beside records; nothing, if it does not say.
    fn tells(&self) -> Tells {
        Tells::default()
    }

    /// Finds the splits; runs once a job, on the job master's node.
    fn enumerate(&self, args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>>;

    /// Makes the reader of one subtask.
    ///
    /// # Errors
    /// [`SourceError`] when the reader cannot even start.
    fn reader(&self, args: ReaderArgs) -> Result<Reader<Self>, SourceError>;
}

/// What the readers of a source tell beside records, so that checkpoints may be due by it.
///
/// ```
/// assert!(!sameriver_operator::source::Tells::default().markers);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tells {
    /// Whether they [count bytes](ReadBatch::count_bytes).
    pub bytes: bool,
    /// Whether they know markers that [ask for checkpoints](ReadBatch::ask_for_checkpoint).
    pub markers: bool,
}

/// The enumerator of a source.
pub type Enumerator<S> = Box<dyn SplitEnumerator<<S as Source>::Split>>;
/// The reader of a source.
pub type Reader<S> = Box<dyn SourceReader<<S as Source>::Out, <S as Source>::Split>>;

/// What an enumerator is told.
#[derive(Clone, Debug)]
pub struct EnumeratorArgs {
    /// The job master's world.
    pub world: World,
    /// How many readers there are.
    pub parallelism: Parallelism,
    /// What [`SplitEnumerator::snapshot`] wrote for the checkpoint that the job starts from; `None`
    /// at the beginning of the job.
    pub restored: Option<Bytes>,
}

/// What a reader is told.
#[derive(Clone, Debug)]
pub struct ReaderArgs {
    /// The world and the slot's wake.
    pub surroundings: Surroundings,
    /// Which subtask this is.
    pub subtask: SubtaskId,
    /// Its attempt; no two attempts of a job have the same number.
    pub attempt: AttemptNumber,
    /// How many readers there are.
    pub parallelism: Parallelism,
}

/// The answer to a reader that asks for splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment<S> {
    /// Splits that are now this reader's, in the order in which they are best read.
    pub splits: Vec<S>,
    /// Whether this reader need not ask again.
    pub no_more: bool,
}

/// Hands out splits to readers; one per job and source.
pub trait SplitEnumerator<S>: Send {
    /// Answers a reader that has nothing left to read.
    fn assign(&mut self, reader: SubtaskIndex) -> Assignment<S>;

    /// What a later enumerator needs to go on from here: the splits that no reader got yet.
    ///
    /// What readers got is in their own snapshots. The bytes outlive this program: begin them with
    /// a version.
    ///
    /// # Errors
    /// [`SourceError`] fails the checkpoint; the default says that the source has no checkpoints.
    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        Err(no_checkpoints("SplitEnumerator::snapshot"))
    }
}

fn no_checkpoints(method: &str) -> SourceError {
    SourceError::Other {
        input: "the source".to_owned(),
        cause: format!("it cannot take part in a checkpoint: implement {method}"),
    }
}

/// What one read gave: records of one split.
#[derive(Debug)]
pub struct ReadBatch<T> {
    /// The records, in the split's order; the caller drains them and keeps the allocation.
    pub records: Vec<T>,
    /// Which of this reader's splits they are from: the position in the order of assignment,
    /// counted over all assignments.
    pub split: usize,
    /// Where in the split they are from.
    pub position: Position,
    /// The splits that ended with this read (their watermarks hold nothing back any more).
    pub ended: Vec<usize>,
    /// What it is worth beside the records.
    told: ReadCounts,
}

impl<T> ReadBatch<T> {
    /// Counts bytes of input behind the records of this read; a source that does says so in
    /// [`Source::tells`].
    pub fn count_bytes(&mut self, bytes: u64) {
        self.told.bytes = self.told.bytes.saturating_add(bytes);
    }

    /// Asks for a checkpoint behind the records of this read: the source has met a marker.
    ///
    /// The job takes one, soon, if its settings say that markers ask for checkpoints
    /// (`checkpoint_markers`); it holds at least what was read so far. If the job fails before,
    /// the marker is read again. A source that knows markers says so in [`Source::tells`].
    ///
    /// ```
    /// use sameriver_operator::source::ReadBatch;
    /// let mut batch = ReadBatch::default();
    /// batch.records.push("the day is over");
    /// batch.ask_for_checkpoint();
    /// assert_eq!(batch.take_counts().markers, 1);
    /// ```
    pub fn ask_for_checkpoint(&mut self) {
        self.told.markers = self.told.markers.saturating_add(1);
    }

    /// What was counted since the last call; records are not counted here.
    pub fn take_counts(&mut self) -> ReadCounts {
        std::mem::take(&mut self.told)
    }
}

impl<T> Default for ReadBatch<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            split: 0,
            position: Position::None,
            ended: Vec::new(),
            told: ReadCounts::default(),
        }
    }
}

/// What a reader has to say after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// Call again.
    Ready,
    /// Nothing before a wake.
    Waiting,
    /// Nothing before this instant (or a wake).
    Until(Monotonic),
    /// All assigned splits are used up, and more may come.
    NeedSplit,
    /// All splits are used up, and no more will come.
    Finished,
}

/// Reads splits; one per subtask. Never blocks: what is slow runs in tasks that wake the slot.
pub trait SourceReader<T, S>: Send {
    /// Takes over splits.
    ///
    /// # Errors
    /// [`SourceError`] when a split cannot be opened.
    fn add_splits(&mut self, splits: Vec<S>, no_more: bool) -> Result<(), SourceError>;

    /// Puts up to `max` records of one split into `batch` (which is empty).
    ///
    /// # Errors
    /// [`SourceError`] when the split cannot be read.
    fn read(&mut self, batch: &mut ReadBatch<T>, max: usize) -> Result<ReadStatus, SourceError>;

    /// The splits that have not ended, each as a split that begins with the first record that was
    /// not read yet; with its position in the order of assignment.
    ///
    /// A later reader gets them by [`add_splits`](Self::add_splits).
    ///
    /// # Errors
    /// [`SourceError`] fails the checkpoint; the default says that the source has no checkpoints.
    fn snapshot(&mut self) -> Result<Vec<(usize, S)>, SourceError> {
        Err(no_checkpoints("SourceReader::snapshot"))
    }
}

/// An enumerator with its split type erased: splits travel in `wire` encoding.
pub trait AnyEnumerator: Send {
    /// Answers a reader that has nothing left to read.
    ///
    /// # Errors
    /// When a split's `Serialize` refuses.
    fn assign(&mut self, reader: SubtaskIndex) -> Result<Assignment<Vec<u8>>, SourceError>;

    /// See [`SplitEnumerator::snapshot`].
    ///
    /// # Errors
    /// As there.
    fn snapshot(&self) -> Result<Vec<u8>, SourceError>;
}

/// The future of an enumerator that looks for its splits.
pub type Enumerating = BoxFuture<Result<Box<dyn AnyEnumerator>, SourceError>>;
