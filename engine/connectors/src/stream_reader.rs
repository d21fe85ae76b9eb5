//! Reads an input that arrives once, as lines.
//!
//! Invariant: there is one split, which one reader has; a line is handed on as soon as it is
//! there. Does not know what the input is: the source hands in the task that feeds it.

use std::sync::Arc;

use sameriver_model::SubtaskIndex;
use sameriver_operator::source::{
    Assignment, ReadBatch, ReadStatus, SourceError, SourceReader, SplitEnumerator, Surroundings,
};
use sameriver_runtime::{BoxFuture, World};
use serde::{Deserialize, Serialize};

use crate::line_feed::{Ending, FeedArgs, Feeder, Feeding, LineFeed};
use crate::line_parser::LineParser;

/// All of an input that arrives once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeStream;

/// The enumerator of an input that arrives once.
pub(crate) fn one_stream(input: String) -> Box<dyn SplitEnumerator<WholeStream>> {
    let rest = Some(WholeStream);
    Box::new(OneStream { input, rest })
}

struct OneStream {
    input: String,
    rest: Option<WholeStream>,
}

impl SplitEnumerator<WholeStream> for OneStream {
    fn assign(&mut self, _reader: SubtaskIndex) -> Assignment<WholeStream> {
        Assignment {
            splits: self.rest.take().into_iter().collect(),
            no_more: true,
        }
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        Err(not_replayable(&self.input))
    }
}

fn not_replayable(input: &str) -> SourceError {
    SourceError::Other {
        input: input.to_owned(),
        cause: "it cannot be read again, so it takes part in no checkpoint: run the job without \
                checkpoints, or write the input to a file first"
            .to_owned(),
    }
}

/// Starts the task that feeds the input.
type Feed = Box<dyn FnOnce(World, Arc<Feeder>) -> BoxFuture<Ending> + Send>;

/// The input of a [`StreamReader`].
pub(crate) struct Stream<P> {
    /// As the user names it.
    pub(crate) input: String,
    /// Makes records.
    pub(crate) parser: P,
    /// The longest line.
    pub(crate) line_bytes_max: usize,
    /// Feeds it.
    pub(crate) feed: Feed,
}

/// One reader: at most one has anything to read.
pub(crate) struct StreamReader<P> {
    surroundings: Surroundings,
    input: String,
    stream: Option<Stream<P>>,
    feed: Option<LineFeed<P>>,
    no_more: bool,
}

impl<P: LineParser> StreamReader<P> {
    /// Starts to read when it gets the split.
    pub(crate) fn new(surroundings: Surroundings, stream: Stream<P>) -> Self {
        Self {
            surroundings,
            input: stream.input.clone(),
            stream: Some(stream),
            feed: None,
            no_more: false,
        }
    }

    fn without_feed(&self) -> ReadStatus {
        if self.no_more {
            ReadStatus::Finished
        } else {
            ReadStatus::NeedSplit
        }
    }
}

impl<P: LineParser> SourceReader<P::Out, WholeStream> for StreamReader<P> {
    fn add_splits(&mut self, splits: Vec<WholeStream>, no_more: bool) -> Result<(), SourceError> {
        self.no_more |= no_more;
        if splits.is_empty() {
            return Ok(());
        }
        let stream = self.stream.take().expect("a stream has one split");
        let args = FeedArgs {
            input: Arc::from(stream.input),
            split: 0,
            parser: stream.parser,
            line_bytes_max: stream.line_bytes_max,
            marker: None,
        };
        let world = self.surroundings.world.clone();
        let feed = LineFeed::start(&self.surroundings, args, |feeder| {
            (stream.feed)(world, feeder)
        });
        self.feed = Some(feed);
        Ok(())
    }

    fn read(
        &mut self,
        batch: &mut ReadBatch<P::Out>,
        max: usize,
    ) -> Result<ReadStatus, SourceError> {
        batch.ended.clear();
        let Some(feed) = &mut self.feed else {
            return Ok(self.without_feed());
        };
        Ok(match feed.read(batch, max)? {
            Feeding::Some => ReadStatus::Ready,
            Feeding::Waiting => ReadStatus::Waiting,
            Feeding::Ended => {
                self.feed = None;
                self.without_feed()
            }
        })
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, WholeStream)>, SourceError> {
        Err(not_replayable(&self.input))
    }
}
