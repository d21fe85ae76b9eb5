//! Stream graph, chaining, job graph and its drawings.
//!
//! Reading order: [`stream_type`] → [`operator`] → [`stream_graph`] → `chaining` → `wiring` →
//! [`job_graph`]; then `validate` with [`problem`], `fingerprint`, [`drawing`] and [`replacement`].
//!
//! Invariant: a graph describes and never runs; factories were made where the types were known, and
//! links of a chain are joined by one downcast at wiring.
#![forbid(unsafe_code)]

mod chaining;
pub mod drawing;
mod fingerprint;
pub mod job_graph;
pub mod operator;
pub mod problem;
pub mod replacement;
pub mod stream_graph;
pub mod stream_type;
#[cfg(test)]
mod tests;
mod validate;
mod wiring;

pub use drawing::ChainedOperator;
pub use job_graph::{Body, JobGraph, JobVertex};
pub use operator::{Behaviour, Chaining, Operator, OperatorId, OperatorKind, Port, Recovery};
pub use problem::GraphProblem;
pub use stream_graph::{CompileSettings, Input, Route, StreamGraph};
pub use stream_type::StreamType;
