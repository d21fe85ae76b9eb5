//! Reads the lines of files, in splits of byte ranges.
//!
//! Invariant: every line is in exactly one split, that in which it starts, whatever the size of the
//! splits. Does not know how a file is opened: that is the world's disk.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sameriver_model::{Element, Parallelism};
use sameriver_operator::UserError;
use sameriver_operator::source::{
    Enumerator, EnumeratorArgs, ReadBatch, ReadStatus, Reader, ReaderArgs, Source, SourceError,
    SourceReader, Surroundings, Tells,
};
use sameriver_runtime::{BoxFuture, Disk, EntryKind};

use crate::file_fetch::{FileSplit, fetch_split};
use crate::line_cutter::LINE_BYTES_MAX;
use crate::line_feed::{FeedArgs, Feeding, LineFeed};
use crate::line_parser::{JsonLine, LineParser, Parsed, Whole};
use crate::split_queue::SplitQueue;

/// Splits are not made smaller than this unless the user says so: 1 MiB.
const SPLIT_BYTES_MIN: u64 = 1024 * 1024;
/// Nor larger than this: 64 MiB.
const SPLIT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many splits a reader gets of a file of middle size: enough to even out slow readers.
const SPLITS_PER_READER: u64 = 8;

/// A source of the lines of one or more files.
///
/// A line ends with a line feed, with or without a carriage return in front of it; neither is part
/// of the record. A final line without an end is a line. At parallelism 1 records come in the
/// order of the files; more readers share the files by byte ranges. A file must stay as it is while
/// a job reads it: another length than at the start of the job is an error, since neither splits
/// nor the places that checkpoints keep mean anything in another file.
///
/// Splits are handed out in the order of the files, so event times that rise over all files within
/// the bound of the watermarks are never late. Files whose event times overlap belong into sources
/// of their own, joined by `union`: read one after the other, the second would be late.
///
/// ```
/// use sameriver_connectors::FileSource;
/// use sameriver_operator::source::Source;
/// let numbers = FileSource::lines("numbers.txt").parse(|line| Ok(line.trim().parse::<u64>()?));
/// assert_eq!(numbers.describe(), "file numbers.txt");
/// ```
#[derive(Clone)]
pub struct FileSource<P = Whole> {
    paths: Vec<PathBuf>,
    split_bytes: Option<u64>,
    line_bytes_max: usize,
    marker: Option<Arc<str>>,
    parser: P,
}

impl<P> fmt::Debug for FileSource<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSource({:?})", self.paths)
    }
}

impl FileSource {
    /// Reads the lines of the file `path`.
    pub fn lines(path: impl Into<PathBuf>) -> Self {
        Self {
            paths: vec![path.into()],
            split_bytes: None,
            line_bytes_max: LINE_BYTES_MAX,
            marker: None,
            parser: Whole,
        }
    }

    /// Makes a record of each line with a function; an error ends the job and names the line.
    pub fn parse<T, F>(self, parse: F) -> FileSource<Parsed<F>>
    where
        T: Element,
        F: Fn(&str) -> Result<T, UserError> + Clone + Send + Sync + 'static,
    {
        self.parser(Parsed(parse))
    }

    /// Reads each line as JSON.
    pub fn json<T: Element>(self) -> FileSource<JsonLine<T>> {
        self.parser(JsonLine::new())
    }

    fn parser<Q>(self, parser: Q) -> FileSource<Q> {
        FileSource {
            paths: self.paths,
            split_bytes: self.split_bytes,
            line_bytes_max: self.line_bytes_max,
            marker: self.marker,
            parser,
        }
    }
}

impl<P> FileSource<P> {
    /// Reads the lines of one more file, after those before it.
    pub fn and(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Sets the size of splits, at least 1. Left out, it is an eighth of a reader's share of the
    /// file, between 1 and 64 MiB.
    pub fn split_bytes(mut self, bytes: u64) -> Self {
        self.split_bytes = Some(bytes.max(1));
        self
    }

    /// Sets the longest line in bytes, its end included; a longer one ends the job. Left out, it
    /// is 16 MiB.
    pub fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.line_bytes_max = bytes;
        self
    }

    /// Takes each line that is exactly `line` (its end not counted) for a marker: it is no record,
    /// and asks for a checkpoint behind the lines before it. Jobs take one if their setting
    /// `checkpoint_markers` is true.
    ///
    /// ```
    /// use sameriver_connectors::FileSource;
    /// use sameriver_operator::source::Source;
    /// let days = FileSource::lines("sales.txt").marker("# end of day");
    /// assert!(days.tells().markers);
    /// ```
    pub fn marker(mut self, line: impl Into<Arc<str>>) -> Self {
        self.marker = Some(line.into());
        self
    }
}

impl<P: LineParser> Source for FileSource<P> {
    type Out = P::Out;
    type Split = FileSplit;

    fn describe(&self) -> String {
        let paths: Vec<String> = self.paths.iter().map(|path| named(path)).collect();
        format!("file {}", paths.join(", "))
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn tells(&self) -> Tells {
        Tells {
            bytes: true,
            markers: self.marker.is_some(),
        }
    }

    fn enumerate(&self, args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
        let (paths, split_bytes) = (self.paths.clone(), self.split_bytes);
        let input = self.describe();
        Box::pin(async move {
            if let Some(bytes) = args.restored {
                let queue: Enumerator<Self> = Box::new(SplitQueue::restored(input, &bytes)?);
                return Ok(queue);
            }
            let (disk, mut splits) = (args.world.disk(), Vec::new());
            for path in &paths {
                let length = readable_length(&*disk, path).await?;
                let size = split_bytes.unwrap_or_else(|| split_size(length, args.parallelism));
                cut_file(path, length, size, &mut splits);
            }
            let queue: Enumerator<Self> = Box::new(SplitQueue::new(input, splits));
            Ok(queue)
        })
    }

    fn reader(&self, args: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        Ok(Box::new(FileReader {
            surroundings: args.surroundings,
            parser: self.parser.clone(),
            line_bytes_max: self.line_bytes_max,
            marker: self.marker.clone(),
            splits: VecDeque::new(),
            assigned: 0,
            no_more: false,
            current: None,
        }))
    }
}

fn named(path: &Path) -> String {
    path.display().to_string()
}

fn split_size(length: u64, parallelism: Parallelism) -> u64 {
    let share = length / (u64::from(parallelism.get()) * SPLITS_PER_READER);
    share.clamp(SPLIT_BYTES_MIN, SPLIT_BYTES_MAX)
}

fn cut_file(path: &Path, length: u64, size: u64, splits: &mut Vec<FileSplit>) {
    let mut from = 0;
    while from < length {
        let to = from.saturating_add(size).min(length);
        splits.push(FileSplit::new(path, from, to, length));
        from = to;
    }
}

/// The length of a file that can be read.
async fn readable_length(disk: &dyn Disk, path: &Path) -> Result<u64, SourceError> {
    let unreadable = |cause: io::Error| {
        let remedy = remedy(&cause);
        SourceError::Unreadable {
            input: named(path),
            cause,
            remedy,
        }
    };
    match disk.entry(path).await.map_err(unreadable)? {
        EntryKind::Directory => {
            let cause = io::Error::new(io::ErrorKind::IsADirectory, "it is a directory");
            Err(unreadable(cause))
        }
        EntryKind::File { length } => {
            disk.open(path).await.map_err(unreadable)?;
            Ok(length)
        }
    }
}

/// What to do about a file that cannot be read.
pub(crate) fn remedy(cause: &io::Error) -> &'static str {
    let kind = cause.kind();
    if kind == io::ErrorKind::NotFound {
        "check the path: relative ones start at the working directory of each node"
    } else if kind == io::ErrorKind::IsADirectory {
        "name the files in it one by one"
    } else if kind == io::ErrorKind::PermissionDenied {
        "let the user that runs the job read it"
    } else if kind == io::ErrorKind::NotADirectory {
        "check the path: a part of it is a file, not a folder"
    } else if kind == io::ErrorKind::Unsupported {
        "write its content to a file first, or use the source `Stdin`"
    } else {
        "check the file and its disk"
    }
}

struct FileReader<P: LineParser> {
    surroundings: Surroundings,
    parser: P,
    line_bytes_max: usize,
    marker: Option<Arc<str>>,
    splits: VecDeque<FileSplit>,
    /// How many splits were ever started.
    assigned: usize,
    no_more: bool,
    current: Option<Current<P>>,
}

/// The split that is being read.
struct Current<P: LineParser> {
    split: FileSplit,
    feed: LineFeed<P>,
}

impl<P: LineParser> FileReader<P> {
    fn start_next(&mut self) {
        let Some(split) = self.splits.pop_front() else {
            return;
        };
        let args = FeedArgs {
            input: Arc::from(split.path()),
            split: self.assigned,
            parser: self.parser.clone(),
            line_bytes_max: self.line_bytes_max,
            marker: self.marker.clone(),
        };
        self.assigned += 1;
        let (disk, fetched) = (self.surroundings.world.disk(), split.clone());
        let feed = LineFeed::start(&self.surroundings, args, |feeder| async move {
            fetch_split(&*disk, &fetched, &feeder).await
        });
        self.current = Some(Current { split, feed });
    }

    fn without_feed(&self) -> ReadStatus {
        match (self.splits.is_empty(), self.no_more) {
            (false, _) => ReadStatus::Ready,
            (true, false) => ReadStatus::NeedSplit,
            (true, true) => ReadStatus::Finished,
        }
    }
}

impl<P: LineParser> SourceReader<P::Out, FileSplit> for FileReader<P> {
    fn add_splits(&mut self, splits: Vec<FileSplit>, no_more: bool) -> Result<(), SourceError> {
        self.splits.extend(splits);
        self.no_more |= no_more;
        Ok(())
    }

    fn read(
        &mut self,
        batch: &mut ReadBatch<P::Out>,
        max: usize,
    ) -> Result<ReadStatus, SourceError> {
        batch.ended.clear();
        if self.current.is_none() {
            self.start_next();
        }
        let Some(current) = &mut self.current else {
            return Ok(self.without_feed());
        };
        Ok(match current.feed.read(batch, max)? {
            Feeding::Some => ReadStatus::Ready,
            Feeding::Waiting => ReadStatus::Waiting,
            Feeding::Ended => {
                self.current = None;
                self.without_feed()
            }
        })
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, FileSplit)>, SourceError> {
        let waiting = (self.assigned..).zip(self.splits.iter().cloned());
        let current = self.current.iter().map(|current| {
            let rest = match current.feed.next_start() {
                Some(next) => current.split.rest(next),
                None => current.split.clone(),
            };
            (self.assigned - 1, rest)
        });
        Ok(current.chain(waiting).collect())
    }
}
