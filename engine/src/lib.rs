//! Sameriver: a stateful stream processing engine whose every run can be replayed from a seed.
//!
//! A job is a function that takes an [`Environment`]. It runs unchanged on tokio and in simulation:
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
//! Inside a tokio program it is `sameriver::run(count_words, &settings).await`.
//!
//! Reading order: [`Environment`] → [`DataStream`] → [`KeyedStream`] → [`WindowedStream`] →
//! [`build_graph`], [`run`] and [`start`] → [`JobHandle`], [`JobResult`] → [`Settings`];
//! [`connectors`] has the sources and sinks, [`prelude`] what most jobs name.
//!
//! Features: none yet.
//!
//! Invariant: nothing runs while a job is described, and everything that can be known to be wrong
//! is said by the compiler or by [`BuildError`] before anything runs.
#![forbid(unsafe_code)]

mod build_error;
mod data_stream;
mod duration;
mod environment;
mod event_timed;
mod job;
mod keyed_stream;
pub mod prelude;
mod settings;
mod typed;
mod windowed_stream;

/// Sources and sinks.
pub use sameriver_connectors as connectors;
/// The contracts of sources and sinks, and of the functions inside operators, for those who write
/// their own.
pub use sameriver_operator as operator;
/// The world that connectors reach outside through.
pub use sameriver_runtime as runtime;

pub use build_error::{BuildError, BuildProblem};
pub use data_stream::DataStream;
pub use environment::Environment;
pub use event_timed::{EventTimed, Timed, Untimed};
pub use job::{
    JobEnd, JobError, JobHandle, JobResult, JobStatus, VertexMetrics, build_graph, run,
    run_blocking, start,
};
pub use keyed_stream::KeyedStream;
pub use sameriver_cluster::{JobControl, JobGone};
pub use sameriver_connectors::CollectError;
pub use sameriver_graph::JobGraph;
pub use sameriver_model::{Batch, Element, Failure, FailureKind, Key};
pub use settings::{EffectiveSettings, Origin, SettingRow, SettingValue, Settings, SettingsError};
pub use windowed_stream::WindowedStream;
