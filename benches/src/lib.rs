//! What the project measures: two specified streams, through the public API and by plain loops.
//!
//! Reading order: [`spec`] and [`text_file`] (the records) → [`row`] → [`plain`] (the loops) and
//! [`jobs`] with [`row_sink`] (the engine) → [`rounds`] with [`stopwatch`] → [`table`] and
//! [`check`]; [`checkpoints`] with [`store`] and [`stops`]; [`recovery`] with [`processes`] and
//! [`node`]; [`latency`] with [`feed`] and [`arrivals`]; [`origin`].
//!
//! Invariant: engine and loop read the same records and give the same rows; `SPECIFICATION.md`
//! fixes both and the expected checksums. The simulator is never linked.
#![forbid(unsafe_code)]

pub mod arrivals;
pub mod check;
pub mod checkpoints;
pub mod feed;
pub mod jobs;
pub mod latency;
pub mod node;
pub mod origin;
pub mod plain;
pub mod processes;
pub mod recovery;
pub mod rounds;
pub mod row;
pub mod row_sink;
pub mod spec;
pub mod stops;
pub mod stopwatch;
pub mod store;
pub mod table;
pub mod text_file;
