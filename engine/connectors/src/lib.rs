//! Sources and sinks: files, elements, generators, sockets, standard streams, collections.
//!
//! Reading order: the services by which connectors leave the process [`text_out`] → [`text_in`] →
//! [`collector`]; sources [`elements`] → [`generator`] → [`line_parser`] → [`file_source`] →
//! [`socket_source`] → [`stdin`]; sinks [`discard`] → [`mod@print`] → [`collect`] → [`file_sink`].
//!
//! Authors of connectors test theirs with the module `kit`, behind the feature `testing`; the page
//! `docs/connectors.md` says how.
//!
//! Invariant: a connector reaches outside only through the world, so it runs unchanged in every
//! world; nothing here blocks a slot. Graph, task and cluster are unknown here.
#![forbid(unsafe_code)]

pub mod collect;
pub mod collector;
pub mod discard;
pub mod draws;
pub mod elements;
mod file_commit;
mod file_fetch;
mod file_part;
pub mod file_sink;
pub mod file_source;
pub mod generator;
mod generator_reader;
#[cfg(any(test, feature = "testing"))]
pub mod kit;
mod line_cutter;
mod line_feed;
pub mod line_parser;
mod outbox;
mod part_names;
pub mod print;
pub mod socket_source;
mod split_queue;
pub mod stdin;
mod stored;
mod stream_reader;
pub mod text_in;
pub mod text_out;
mod text_outbox;
mod wake_at_end;

pub use collect::Collect;
pub use collector::{
    COLLECT_SCHEME, CollectError, CollectKey, CollectedResults, Collector, collect_url,
};
pub use discard::Discard;
pub use draws::{DrawSeed, Draws};
pub use elements::{Elements, ElementsSplit};
pub use file_fetch::FileSplit;
pub use file_sink::FileSink;
pub use file_source::FileSource;
pub use generator::{Generator, GeneratorSplit};
pub use print::Print;
pub use socket_source::SocketSource;
pub use stdin::Stdin;
pub use stream_reader::WholeStream;
pub use text_in::{STDIN, StandardInput, TextIn};
pub use text_out::{STDOUT, StandardOutput, TextOut};

/// The examples of the page on connectors, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/connectors.md")]
struct Page;
