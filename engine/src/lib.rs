//! Sameriver: a stateful stream processing engine whose simulated runs repeat from a seed.
//!
//! A job is a function that takes an [`Environment`] and describes a pipeline, from sources over
//! operators to sinks. It runs unchanged on tokio and in simulation:
//!
//! ```
//! use sameriver::prelude::*;
//!
//! fn count_words(env: &mut Environment) -> Result<(), BuildError> {
//!     env.elements("words", ["to", "be", "or", "not", "to", "be"].map(String::from))
//!         .map(|word| (word, 1_u64))
//!         .key_by_ref(|(word, _)| word.as_str())
//!         .sum("count", |(_, n)| *n)
//!         .collect("counts")
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let result = sameriver::run_blocking(count_words, &Settings::default())?;
//! let counts = result.collected::<(String, u64)>("counts")?;
//! assert_eq!(counts.last(), Some(&("be".to_owned(), 2)));
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | read | [`FileSource`], [`SocketSource`], [`Stdin`], [`Generator`], [`Elements`] |
//! | write | [`Print`], [`FileSink`], [`Discard`], [`DataStream::collect`] |
//! | turn records into others | [`DataStream`]: `map`, `filter`, `flat_map`, their `try_` forms |
//! | compute per key | [`DataStream::key_by`], then [`KeyedStream`]: `sum`, `reduce`, … |
//! | keep state and set timers | [`KeyedStream::process`], [`KeyedStream::process_fn`] |
//! | say when things happened | [`DataStream::watermarks`] |
//! | compute per window of event time | [`KeyedStream::window`], then [`WindowedStream`] |
//! | run a job | [`run_blocking`]; in async code [`run`] |
//! | watch and cancel it | [`start`], [`JobHandle`] |
//! | run it on several processes | [`run_job_master`], [`run_task_manager`] |
//! | look at its checkpoints | [`CheckpointStore`] |
//! | look at the pipeline | [`build_graph`], [`JobGraph::to_text`] |
//! | tune it | [`Settings`] |
//! | write a source or a sink | [`Source`], [`Sink`] |
//! | make a command of your jobs | the crate `sameriver-cli` |
//!
//! Records, keys and state are plain data that derives `serde`'s `Serialize` and `Deserialize` and
//! owns all it has (`String`, not `&str`), since every stream may be spread over machines.
//! Everything that fails says what, where, and what to do about it; a job's `main` may return
//! [`JobError`].
//!
//! The modules [`connectors`], [`model`], [`operator`], [`runtime`] and [`state`] are the engine's
//! crates of these names: an example there that says `sameriver_operator::window` is, to a user of
//! this crate, `sameriver::operator::window`.
//!
//! Reading order: [`Environment`] → [`DataStream`] → [`KeyedStream`] → [`WindowedStream`] →
//! [`build_graph`], [`run`] and [`start`] → [`JobHandle`], [`JobResult`] → [`Settings`];
//! [`prelude`] has what most jobs name.
//!
//! Features: none yet.
//!
//! Invariant: nothing runs while a job is described, and everything that can be known to be wrong
//! is said by the compiler or by [`BuildError`] before anything runs.
//!
//! [`Discard`]: connectors::Discard
//! [`Elements`]: connectors::Elements
//! [`FileSink`]: connectors::FileSink
//! [`FileSource`]: connectors::FileSource
//! [`Generator`]: connectors::Generator
//! [`Print`]: connectors::Print
//! [`SocketSource`]: connectors::SocketSource
//! [`Stdin`]: connectors::Stdin
//! [`Sink`]: operator::sink::Sink
//! [`Source`]: operator::source::Source
#![forbid(unsafe_code)]

mod build_error;
mod checkpoint_store;
mod data_stream;
mod duration;
mod environment;
mod event_timed;
mod job;
mod keyed_stream;
mod lint;
mod nodes;
mod poison;
pub mod prelude;
mod replacements;
mod settings;
mod typed;
mod windowed_stream;

/// Sources and sinks.
pub mod connectors {
    #[doc(inline)]
    pub use sameriver_connectors::*;
}

/// Names of the domain: event time, keys, batches, ids.
pub mod model {
    #[doc(inline)]
    pub use sameriver_model::*;
}

/// The contracts of sources, sinks and keyed functions, for those who write their own; windows,
/// watermarks, and what operators are built of.
pub mod operator {
    #[doc(inline)]
    pub use sameriver_operator::*;
}

/// The world: disks, connections, tasks, outside systems. Sources and sinks reach outside through
/// it, and so run in simulation too.
pub mod runtime {
    #[doc(inline)]
    pub use sameriver_runtime::*;
}

/// Keyed state: what is declared, and the handles that read and write it.
pub mod state {
    #[doc(inline)]
    pub use sameriver_state::*;
}

pub use build_error::{BuildError, BuildProblem};
pub use checkpoint_store::{CheckpointStore, StoreError};
pub use data_stream::DataStream;
pub use environment::Environment;
pub use event_timed::{EventTimed, Timed, Untimed};
pub use job::{
    JobCounts, JobEnd, JobError, JobHandle, JobReport, JobResult, JobStatus, VertexMetrics,
    build_graph, run, run_blocking, start,
};
pub use keyed_stream::KeyedStream;
pub use nodes::{NodeError, NodeFault, run_job_master, run_task_manager};
pub use replacements::{Replacements, build_graph_with};
pub use sameriver_cluster::{JobControl, JobGone};
pub use sameriver_connectors::CollectError;
pub use sameriver_graph::{GraphProblem, JobGraph};
pub use sameriver_model::{Batch, Element, Failure, FailureKind, Key};
pub use sameriver_storage::Audit;
pub use settings::{
    CheckpointMode, EffectiveSettings, Origin, Restart, SettingRow, SettingValue, Settings,
    SettingsError,
};
pub use windowed_stream::WindowedStream;
