//! Decides which operators run by direct call in one subtask.
//!
//! Invariant: an edge inside a chain is a forward edge between equal parallelisms, and the only
//! input of the operator behind it; so every chain is a tree with one head. Knows no factories.

use sameriver_model::Parallelism;
use sameriver_model::Partitioning;

use crate::operator::{Chaining, OperatorId, OperatorKind};
use crate::stream_graph::{CompileSettings, StreamEdge, StreamGraph};

/// The vertices of a job graph, as chains of operators.
pub(crate) struct Chains {
    /// For each edge of the stream graph, whether it is a direct call.
    pub(crate) is_chained: Vec<bool>,
    /// For each edge of the stream graph, how records cross it.
    pub(crate) partitioning: Vec<Partitioning>,
    /// For each operator, the position of its vertex.
    pub(crate) vertex_of: Vec<usize>,
    /// For each vertex its operators, head first. Heads are in the order of creation, which makes
    /// vertices topological.
    pub(crate) members: Vec<Vec<OperatorId>>,
    /// For each vertex its number of subtasks.
    pub(crate) parallelism: Vec<Parallelism>,
}

impl Chains {
    /// Chains all that may be chained.
    pub(crate) fn of(graph: &StreamGraph, settings: &CompileSettings) -> Self {
        let parallelism = |id| graph.parallelism(id, settings.parallelism);
        let partitioning: Vec<_> = graph
            .edges()
            .iter()
            .map(|edge| {
                let (from, to) = (parallelism(edge.from.operator), parallelism(edge.to));
                edge.route.partitioning(from, to)
            })
            .collect();
        let is_chained: Vec<_> = graph
            .edges()
            .iter()
            .zip(&partitioning)
            .map(|(edge, partitioning)| {
                settings.chaining
                    && *partitioning == Partitioning::Forward
                    && may_chain(graph, edge)
            })
            .collect();
        let mut chains = Self {
            is_chained,
            partitioning,
            vertex_of: Vec::with_capacity(graph.operators().len()),
            members: Vec::new(),
            parallelism: Vec::new(),
        };
        for position in 0..graph.operators().len() {
            let id = OperatorId::new(position as u32);
            chains.place(graph, id, parallelism(id));
        }
        chains
    }

    fn place(&mut self, graph: &StreamGraph, id: OperatorId, parallelism: Parallelism) {
        let edges = graph.edges().iter().zip(&self.is_chained);
        let chained_to = edges
            .filter(|(edge, is_chained)| edge.to == id && **is_chained)
            .map(|(edge, _)| edge.from.operator)
            .next();
        let vertex = if let Some(before) = chained_to {
            self.vertex_of[before.position()]
        } else {
            self.members.push(Vec::new());
            self.parallelism.push(parallelism);
            self.members.len() - 1
        };
        self.members[vertex].push(id);
        self.vertex_of.push(vertex);
    }
}

fn may_chain(graph: &StreamGraph, edge: &StreamEdge) -> bool {
    let (from, to) = (graph.operator(edge.from.operator), graph.operator(edge.to));
    let inputs = graph.edges().iter().filter(|other| other.to == edge.to);
    let before = match from.chaining {
        Chaining::Allowed | Chaining::Head => true,
        Chaining::Never => false,
    };
    let behind = match to.chaining {
        Chaining::Allowed => true,
        Chaining::Head | Chaining::Never => false,
    };
    before && behind && to.kind != OperatorKind::Source && inputs.count() == 1
}
