//! Sources and sinks: files, elements, generators, sockets, standard streams, collections.
//!
//! Reading order of the services by which connectors leave the process: [`text_out`] → [`text_in`]
//! → [`collector`].
//!
//! Invariant: a connector reaches outside only through the world, so it runs unchanged in every
//! world; nothing here blocks a slot. Graph, task and cluster are unknown here.
#![forbid(unsafe_code)]

pub mod collector;
pub mod text_in;
pub mod text_out;

pub use collector::{COLLECT_SCHEME, CollectError, CollectedResults, Collector, collect_url};
pub use text_in::{STDIN, StandardInput, TextIn};
pub use text_out::{STDOUT, StandardOutput, TextOut};
