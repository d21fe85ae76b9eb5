//! The task that fetches the lines of one split of a file.
//!
//! Invariant: a split gives the bytes from behind the first line feed at or after its first byte
//! minus one, up to and with the first line feed at or after its last byte: whole lines, and every
//! byte of the file in exactly one split. A file whose length is no longer that which the job began
//! with is an error: its splits mean nothing any more. Does not know records.

use std::io::{self, BufRead as _};
use std::path::Path;

use bytes::{Buf as _, Bytes};
use sameriver_operator::source::SourceError;
use sameriver_runtime::{Disk, DiskFile};
use serde::{Deserialize, Serialize};

use crate::file_source::remedy;
use crate::line_feed::{CHUNK_BYTES, Ending, Feeder, Unwanted};
use crate::stored::Versioned;

/// What is read beyond the end of a split to find the end of its last line.
const TAIL_BYTES: u64 = 16 * 1024;

/// A range of bytes of a file of known length: the lines that start in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSplit", into = "StoredSplit")]
pub struct FileSplit {
    path: String,
    from: u64,
    to: u64,
    length: u64,
}

/// The path, the range, and the length of the file.
type StoredSplit = Versioned<(String, u64, u64, u64)>;

impl From<StoredSplit> for FileSplit {
    fn from(Versioned::V1((path, from, to, length)): StoredSplit) -> Self {
        Self {
            path,
            from,
            to,
            length,
        }
    }
}

impl From<FileSplit> for StoredSplit {
    fn from(split: FileSplit) -> Self {
        Self::V1((split.path, split.from, split.to, split.length))
    }
}

impl FileSplit {
    /// The lines that start at bytes `from..to` of a file with `length` bytes.
    ///
    /// # Panics
    /// If the range is empty.
    pub(crate) fn new(path: &Path, from: u64, to: u64, length: u64) -> Self {
        assert!(from < to, "a split has at least one byte");
        let path = path.display().to_string();
        Self {
            path,
            from,
            to,
            length,
        }
    }

    /// What is left of it from byte `next` on, where a line starts; maybe nothing.
    pub(crate) fn rest(&self, next: u64) -> Self {
        let from = next;
        Self {
            from,
            ..self.clone()
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn unreadable(&self, cause: io::Error) -> SourceError {
        let remedy = remedy(&cause);
        SourceError::Unreadable {
            input: self.path.clone(),
            cause,
            remedy,
        }
    }

    fn changed(&self, length: u64) -> SourceError {
        SourceError::BadData {
            input: self.path.clone(),
            at: format!("byte {}", self.from),
            cause: format!(
                "the file has {length} bytes, but had {} when the job began",
                self.length
            ),
            remedy: "put the file back as it was, or start the job anew without its checkpoints",
        }
    }
}

/// Feeds the lines of `split`.
pub(crate) async fn fetch_split(disk: &dyn Disk, split: &FileSplit, feeder: &Feeder) -> Ending {
    let mut fetch = match disk.open(Path::new(&split.path)).await {
        Ok(file) => Fetch {
            file,
            split,
            at: split.from.saturating_sub(1),
        },
        Err(cause) => return Ok(Err(split.unreadable(cause))),
    };
    match fetch.run(feeder).await {
        Ok(()) => Ok(Ok(())),
        Err(Broken::Unwanted) => Err(Unwanted),
        Err(Broken::Disk(cause)) => Ok(Err(split.unreadable(cause))),
        Err(Broken::Changed(length)) => Ok(Err(split.changed(length))),
    }
}

enum Broken {
    Unwanted,
    Disk(io::Error),
    /// The file has this length now.
    Changed(u64),
}

impl From<Unwanted> for Broken {
    fn from(Unwanted: Unwanted) -> Self {
        Self::Unwanted
    }
}

impl From<io::Error> for Broken {
    fn from(cause: io::Error) -> Self {
        Self::Disk(cause)
    }
}

struct Fetch<'a> {
    file: Box<dyn DiskFile>,
    split: &'a FileSplit,
    /// The next byte to read.
    at: u64,
}

impl Fetch<'_> {
    async fn run(&mut self, feeder: &Feeder) -> Result<(), Broken> {
        let length = self.file.length().await?;
        if length != self.split.length {
            return Err(Broken::Changed(length));
        }
        let mut chunk = Bytes::new();
        if self.split.from > 0 {
            chunk = self.skip_started_line().await?;
        }
        let mut start = self.at - chunk.len() as u64;
        feeder.start(start).await?;
        // A line that began before the split reaches beyond it: then no line starts in it.
        if start >= self.split.to {
            return Ok(());
        }
        loop {
            let ended = self.cut_at_end(start, &mut chunk);
            start += chunk.len() as u64;
            if !chunk.is_empty() {
                feeder.chunk(chunk).await?;
            }
            if ended {
                return Ok(());
            }
            chunk = self.read().await?;
            if chunk.is_empty() {
                return Ok(());
            }
        }
    }

    /// Passes over the line that began before the split; what was read behind it is left over.
    async fn skip_started_line(&mut self) -> Result<Bytes, Broken> {
        loop {
            let mut chunk = self.read().await?;
            if chunk.is_empty() {
                return Ok(chunk);
            }
            let (skipped, found) = through_line_feed(&chunk);
            chunk.advance(skipped);
            if found {
                return Ok(chunk);
            }
        }
    }

    /// Cuts `chunk`, which starts at byte `start`, behind the last line of the split.
    fn cut_at_end(&self, start: u64, chunk: &mut Bytes) -> bool {
        let last = (self.split.to - 1).saturating_sub(start);
        let Ok(last) = usize::try_from(last) else {
            return false;
        };
        if last >= chunk.len() {
            return false;
        }
        let (length, found) = through_line_feed(&chunk[last..]);
        chunk.truncate(last + length);
        found
    }

    /// The next bytes; none at the end of the file as it was when the job began.
    async fn read(&mut self) -> Result<Bytes, Broken> {
        let rest = self.split.to.saturating_sub(self.at);
        let length = rest.saturating_add(TAIL_BYTES).min(CHUNK_BYTES as u64);
        let length = length.min(self.split.length.saturating_sub(self.at));
        if length == 0 {
            return Ok(Bytes::new());
        }
        let chunk = self.file.read_at(self.at, length as usize).await?;
        if chunk.is_empty() {
            return Err(Broken::Changed(self.file.length().await?));
        }
        self.at += chunk.len() as u64;
        Ok(chunk)
    }
}

/// How many bytes there are up to and with the first line feed, and whether there is one.
fn through_line_feed(bytes: &[u8]) -> (usize, bool) {
    let mut rest = bytes;
    let skipped = rest.skip_until(b'\n');
    let skipped = skipped.expect("a slice of memory can be read");
    let found = skipped > 0 && bytes[skipped - 1] == b'\n';
    (skipped, found)
}
