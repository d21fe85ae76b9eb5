//! Stream graph, chaining, job graph and its drawings.
//!
//! Reading order: [`job_graph`].
//!
//! Invariant: a graph describes and never runs; factories were made where the types were known, and
//! links of a chain are joined by one downcast at wiring.
#![forbid(unsafe_code)]

pub mod job_graph;

pub use job_graph::{Body, JobGraph, JobVertex};
