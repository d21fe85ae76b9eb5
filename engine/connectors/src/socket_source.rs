//! Connects to a server and reads the lines that it sends.
//!
//! Invariant: a connection that breaks is an error, never the end of input; what was read is gone.
//! Does not know sockets: the connection is the world's.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use sameriver_model::Element;
use sameriver_operator::UserError;
use sameriver_operator::source::{
    Enumerator, EnumeratorArgs, Reader, ReaderArgs, Source, SourceError,
};
use sameriver_runtime::io::AsyncReadExt as _;
use sameriver_runtime::{Address, BoxFuture, World};

use crate::line_cutter::LINE_BYTES_MAX;
use crate::line_feed::{CHUNK_BYTES, Ending, Feeder};
use crate::line_parser::{JsonLine, LineParser, Parsed, Whole};
use crate::stream_reader::{Stream, StreamReader, WholeStream, one_stream};

const NOT_CONNECTED: &str = "start the server that sends the lines, or mend the address";
const BROKEN: &str = "look at the server: it ends the input by closing the connection";

/// A source of the lines that a server sends to whoever connects.
///
/// Lines are cut as by [`FileSource`](crate::FileSource). The server ends the input by closing the
/// connection; a connection that is refused or reset ends the job with an error. One reader
/// connects; the others end at once. It cannot be replayed.
///
/// ```
/// use sameriver_connectors::SocketSource;
/// use sameriver_operator::source::Source;
/// assert_eq!(SocketSource::lines("localhost:9999").describe(), "socket localhost:9999");
/// ```
#[derive(Clone, Debug)]
pub struct SocketSource<P = Whole> {
    address: Address,
    line_bytes_max: usize,
    parser: P,
}

impl SocketSource {
    /// Connects to `address`, `host:port`, and reads the lines that come.
    pub fn lines(address: impl Into<String>) -> Self {
        Self {
            address: Address::new(address),
            line_bytes_max: LINE_BYTES_MAX,
            parser: Whole,
        }
    }

    /// Makes a record of each line with a function; an error ends the job and names the line.
    pub fn parse<T, F>(self, parse: F) -> SocketSource<Parsed<F>>
    where
        T: Element,
        F: Fn(&str) -> Result<T, UserError> + Clone + Send + Sync + 'static,
    {
        self.parser(Parsed(parse))
    }

    /// Reads each line as JSON.
    pub fn json<T: Element>(self) -> SocketSource<JsonLine<T>> {
        self.parser(JsonLine::new())
    }

    fn parser<Q>(self, parser: Q) -> SocketSource<Q> {
        SocketSource {
            address: self.address,
            line_bytes_max: self.line_bytes_max,
            parser,
        }
    }
}

impl<P> SocketSource<P> {
    /// Sets the longest line in bytes, its end included; 16 MiB if left out.
    pub fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.line_bytes_max = bytes;
        self
    }
}

impl<P: LineParser> Source for SocketSource<P> {
    type Out = P::Out;
    type Split = WholeStream;

    fn describe(&self) -> String {
        format!("socket {}", self.address)
    }

    fn is_replayable(&self) -> bool {
        false
    }

    fn enumerate(&self, _args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
        let input = self.describe();
        Box::pin(async move { Ok(one_stream(input)) })
    }

    fn reader(&self, args: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        let address = self.address.clone();
        let stream = Stream {
            input: self.describe(),
            parser: self.parser.clone(),
            line_bytes_max: self.line_bytes_max,
            feed: Box::new(move |world, feeder| Box::pin(feed(world, address, feeder))),
        };
        Ok(Box::new(StreamReader::new(args.surroundings, stream)))
    }
}

fn disconnected(address: &Address, cause: io::Error, remedy: &'static str) -> SourceError {
    SourceError::Disconnected {
        input: format!("socket {address}"),
        cause,
        remedy,
    }
}

async fn feed(world: World, address: Address, feeder: Arc<Feeder>) -> Ending {
    feeder.start(0).await?;
    let mut stream = match world.connect(&address).await {
        Ok(stream) => stream,
        // Accepted, and broken before we heard of it.
        Err(cause) if cause.kind() == io::ErrorKind::ConnectionReset => {
            return Ok(Err(disconnected(&address, cause, BROKEN)));
        }
        Err(cause) => return Ok(Err(disconnected(&address, cause, NOT_CONNECTED))),
    };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK_BYTES / 4);
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return Ok(Ok(())),
            Ok(_) => feeder.chunk(buffer.split().freeze()).await?,
            Err(cause) => return Ok(Err(disconnected(&address, cause, BROKEN))),
        }
    }
}
