//! Reads the lines that arrive on the standard input.
//!
//! Invariant: what was read is gone; the source says so. Does not know what the standard input of
//! its world is.

use std::sync::Arc;

use sameriver_model::Element;
use sameriver_operator::UserError;
use sameriver_operator::source::{
    Enumerator, EnumeratorArgs, Reader, ReaderArgs, Source, SourceError,
};
use sameriver_runtime::BoxFuture;

use crate::line_cutter::LINE_BYTES_MAX;
use crate::line_feed::{CHUNK_BYTES, Ending, Feeder};
use crate::line_parser::{JsonLine, LineParser, Parsed, Whole};
use crate::stream_reader::{Stream, StreamReader, WholeStream, one_stream};
use crate::text_in::{STDIN, TextIn};

const INPUT: &str = "standard input";

/// A source of the lines that arrive on the standard input of the process that reads.
///
/// Lines are cut as by [`FileSource`](crate::FileSource). One reader gets them all; the others end
/// at once. It cannot be replayed.
///
/// ```
/// use sameriver_connectors::Stdin;
/// use sameriver_operator::source::Source;
/// assert!(!Stdin::lines().is_replayable());
/// ```
#[derive(Clone, Debug)]
pub struct Stdin<P = Whole> {
    line_bytes_max: usize,
    parser: P,
}

impl Stdin {
    /// Reads the lines of the standard input.
    pub fn lines() -> Self {
        Self {
            line_bytes_max: LINE_BYTES_MAX,
            parser: Whole,
        }
    }

    /// Makes a record of each line with a function; an error ends the job and names the line.
    pub fn parse<T, F>(self, parse: F) -> Stdin<Parsed<F>>
    where
        T: Element,
        F: Fn(&str) -> Result<T, UserError> + Clone + Send + Sync + 'static,
    {
        self.parser(Parsed(parse))
    }

    /// Reads each line as JSON.
    pub fn json<T: Element>(self) -> Stdin<JsonLine<T>> {
        self.parser(JsonLine::new())
    }

    fn parser<Q>(self, parser: Q) -> Stdin<Q> {
        let line_bytes_max = self.line_bytes_max;
        Stdin {
            line_bytes_max,
            parser,
        }
    }
}

impl<P> Stdin<P> {
    /// Sets the longest line in bytes, its end included; 16 MiB if left out.
    pub fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.line_bytes_max = bytes;
        self
    }
}

impl<P: LineParser> Source for Stdin<P> {
    type Out = P::Out;
    type Split = WholeStream;

    fn describe(&self) -> String {
        INPUT.to_owned()
    }

    fn is_replayable(&self) -> bool {
        false
    }

    fn enumerate(&self, _args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
        let input = self.describe();
        Box::pin(async move { Ok(one_stream(input)) })
    }

    fn reader(&self, args: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        let world = &args.surroundings.world;
        let text = world.service::<dyn TextIn>(STDIN);
        let text = text.map_err(|error| SourceError::Other {
            input: INPUT.to_owned(),
            cause: error.to_string(),
        })?;
        let stream = Stream {
            input: INPUT.to_owned(),
            parser: self.parser.clone(),
            line_bytes_max: self.line_bytes_max,
            feed: Box::new(move |_world, feeder| Box::pin(feed(text, feeder))),
        };
        Ok(Box::new(StreamReader::new(args.surroundings, stream)))
    }
}

async fn feed(text: Arc<dyn TextIn>, feeder: Arc<Feeder>) -> Ending {
    feeder.start(0).await?;
    loop {
        match text.read(CHUNK_BYTES).await {
            Ok(chunk) if chunk.is_empty() => return Ok(Ok(())),
            Ok(chunk) => feeder.chunk(chunk).await?,
            Err(cause) => {
                return Ok(Err(SourceError::Unreadable {
                    input: INPUT.to_owned(),
                    cause,
                    remedy: "redirect a file or a pipe to it",
                }));
            }
        }
    }
}
