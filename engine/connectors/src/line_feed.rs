//! Carries chunks of text from a task to the reader, and reads them as lines.
//!
//! Invariant: the queue is bounded; the reader never waits for it; the slot is woken by every
//! chunk. An input that ends without saying so is an error. Does not know files or sockets.

use std::sync::Arc;

use bytes::Bytes;
use sameriver_operator::Position;
use sameriver_operator::source::{ReadBatch, SourceError, Surroundings};
use sameriver_runtime::Lane;
use sameriver_runtime::sync::mpsc;

use crate::line_cutter::LineCutter;
use crate::line_parser::LineParser;
use crate::wake_at_end::WakeAtEnd;

/// How many chunks may wait for the reader. Fixed: with one being read and one being cut, 1 MiB
/// ahead hides a disk's or a peer's pauses, and more would only hold memory for each split.
const QUEUE_CHUNKS: usize = 4;

/// How many bytes a task reads at once.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

enum Fed {
    /// Lines start in the input at this byte; comes first.
    Start(u64),
    Chunk(Bytes),
    End,
}

/// The task's end of the queue.
pub(crate) struct Feeder {
    // Fields are dropped in this order: a task that panics closes the queue, then wakes the slot.
    chunks: mpsc::Sender<Result<Fed, SourceError>>,
    wake: WakeAtEnd,
}

/// The reader is gone: the task should end.
pub(crate) struct Unwanted;

impl Feeder {
    async fn send(&self, fed: Result<Fed, SourceError>) -> Result<(), Unwanted> {
        self.chunks.send(fed).await.map_err(|_| Unwanted)?;
        self.wake.0.wake();
        Ok(())
    }

    /// Says where the first line starts.
    pub(crate) async fn start(&self, byte: u64) -> Result<(), Unwanted> {
        self.send(Ok(Fed::Start(byte))).await
    }

    /// Hands on the next bytes.
    pub(crate) async fn chunk(&self, chunk: Bytes) -> Result<(), Unwanted> {
        self.send(Ok(Fed::Chunk(chunk))).await
    }
}

/// How a feeding task ends: well, with an error of the source, or because nobody wants more.
pub(crate) type Ending = Result<Result<(), SourceError>, Unwanted>;

/// The reader's end of the queue, for one split.
pub(crate) struct LineFeed<P> {
    input: Arc<str>,
    split: usize,
    chunks: mpsc::Receiver<Result<Fed, SourceError>>,
    chunk: Bytes,
    parser: P,
    line_bytes_max: usize,
    marker: Option<Arc<str>>,
    cutter: Option<LineCutter<P>>,
    /// Where the records of the next read start.
    from: u64,
}

/// How far a read came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feeding {
    /// There are records.
    Some,
    /// Nothing before a wake.
    Waiting,
    /// The input has ended; there may be last records.
    Ended,
}

/// What is read as lines.
pub(crate) struct FeedArgs<P> {
    /// The input as the user named it.
    pub(crate) input: Arc<str>,
    /// The position of the split in the order of assignment.
    pub(crate) split: usize,
    /// Makes records.
    pub(crate) parser: P,
    /// The longest line.
    pub(crate) line_bytes_max: usize,
    /// The line that is no record, but asks for a checkpoint.
    pub(crate) marker: Option<Arc<str>>,
}

impl<P: LineParser> LineFeed<P> {
    /// Starts the task that `work` describes.
    pub(crate) fn start<F>(
        surroundings: &Surroundings,
        args: FeedArgs<P>,
        work: impl FnOnce(Arc<Feeder>) -> F,
    ) -> Self
    where
        F: Future<Output = Ending> + Send + 'static,
    {
        let (tx, chunks) = mpsc::channel(QUEUE_CHUNKS);
        let wake = WakeAtEnd(surroundings.wake.clone());
        let feeder = Arc::new(Feeder { chunks: tx, wake });
        let work = work(Arc::clone(&feeder));
        let task = async move {
            // A silent peer must not keep the task of a reader that is gone.
            let ending = sameriver_runtime::select! {
                ending = work => ending,
                () = feeder.chunks.closed() => Err(Unwanted),
            };
            let last = match ending {
                Ok(Ok(())) => Ok(Fed::End),
                Ok(Err(error)) => Err(error),
                Err(Unwanted) => return,
            };
            // The reader may be gone; then nobody wants to know.
            let _ = feeder.send(last).await;
        };
        // It is joined by its last message; without one the reader fails.
        surroundings
            .world
            .spawn(Lane::Control, "source", task)
            .detach();
        let FeedArgs {
            input,
            split,
            parser,
            line_bytes_max,
            marker,
        } = args;
        Self {
            input,
            split,
            chunks,
            chunk: Bytes::new(),
            parser,
            line_bytes_max,
            marker,
            cutter: None,
            from: 0,
        }
    }

    /// Puts up to `max` records into `batch`.
    pub(crate) fn read(
        &mut self,
        batch: &mut ReadBatch<P::Out>,
        max: usize,
    ) -> Result<Feeding, SourceError> {
        batch.split = self.split;
        let feeding = self.fill(&mut batch.records, max)?;
        if feeding == Feeding::Ended {
            batch.ended.push(self.split);
        }
        if let Some(cutter) = &self.cutter {
            batch.position = Position::Source {
                split: Arc::clone(&self.input),
                from: self.from,
                to: cutter.start(),
                unit: "byte",
            };
            batch.count_bytes(cutter.start().saturating_sub(self.from));
            self.from = cutter.start();
        }
        if let Some(cutter) = &mut self.cutter
            && cutter.take_marked()
        {
            batch.ask_for_checkpoint();
        }
        Ok(feeding)
    }

    /// Where the first line starts that was not handed out; `None` before the task has said where
    /// lines start.
    pub(crate) fn next_start(&self) -> Option<u64> {
        self.cutter.as_ref().map(LineCutter::start)
    }

    fn fill(&mut self, records: &mut Vec<P::Out>, max: usize) -> Result<Feeding, SourceError> {
        loop {
            if let Some(cutter) = &mut self.cutter {
                cutter.cut(&mut self.chunk, records, max)?;
            }
            if records.len() >= max {
                return Ok(Feeding::Some);
            }
            match self.chunks.try_recv() {
                Ok(Ok(Fed::Start(byte))) => {
                    let (input, parser) = (Arc::clone(&self.input), self.parser.clone());
                    let cutter = LineCutter::new(input, parser, self.line_bytes_max, byte);
                    self.cutter = Some(cutter.with_marker(self.marker.clone()));
                    self.from = byte;
                }
                Ok(Ok(Fed::Chunk(chunk))) => self.chunk = chunk,
                Ok(Ok(Fed::End)) => {
                    if let Some(cutter) = &mut self.cutter {
                        cutter.end(records)?;
                    }
                    return Ok(Feeding::Ended);
                }
                Ok(Err(error)) => return Err(error),
                Err(mpsc::error::TryRecvError::Empty) if records.is_empty() => {
                    return Ok(Feeding::Waiting);
                }
                Err(mpsc::error::TryRecvError::Empty) => return Ok(Feeding::Some),
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    return Err(SourceError::Other {
                        input: self.input.to_string(),
                        cause: "the task that reads it has panicked: see the log".to_owned(),
                    });
                }
            }
        }
    }
}
