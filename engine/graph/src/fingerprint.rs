//! A hash of a graph's shape, names and types.
//!
//! Invariant: equal on every node that runs the same job function of the same build; it tells
//! graphs apart, and metadata and job logs keep it to do so.

use std::fmt::Write;

use sameriver_model::{JobPlan, Uid};
use xxhash_rust::xxh3::xxh3_64;

use crate::stream_graph::StreamGraph;

/// The fingerprint of a graph and of what it was compiled to.
pub(crate) fn of(graph: &StreamGraph, plan: &JobPlan) -> u64 {
    xxh3_64(
        text(graph, plan)
            .expect("text is written to memory")
            .as_bytes(),
    )
}

fn text(graph: &StreamGraph, plan: &JobPlan) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{:?} {}", plan.name, plan.max_parallelism)?;
    for operator in graph.operators() {
        let uid = operator.uid.as_ref().map(Uid::as_str);
        let (name, kind) = (&operator.name, operator.kind);
        write!(text, "{kind} {name:?} {:?} {uid:?}", operator.description)?;
        for output in &operator.outputs {
            write!(text, " {}", output.stream.type_name)?;
        }
        writeln!(text, " {:?}", operator.states)?;
    }
    for vertex in &plan.vertices {
        writeln!(
            text,
            "{} {:?} x{}",
            vertex.id, vertex.name, vertex.parallelism
        )?;
    }
    for edge in graph.edges() {
        let (from, to) = (edge.from, edge.to);
        writeln!(text, "{}.{} > {to}", from.operator, from.output)?;
    }
    for edge in &plan.edges {
        writeln!(text, "{} > {} {}", edge.from, edge.to, edge.partitioning)?;
    }
    Ok(text)
}
