//! The job graph without types: vertices, edges and how many subtasks each vertex has.
//!
//! Invariant: plain data, equal on every node that runs the same job function; the control plane
//! decides from it alone, and the data plane derives every channel from it.

use serde::{Deserialize, Serialize};

use crate::id::{ChannelId, EdgeId, SubtaskId, SubtaskIndex, VertexId};
use crate::parallelism::{MaxParallelism, Parallelism};

/// The rule that picks the channel for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partitioning {
    /// Subtask *i* sends to subtask *i*; both vertices have the same parallelism.
    Forward,
    /// By the key group of the record's key.
    Hash,
    /// In turn, so that receivers get equal shares.
    Rebalance,
    /// Every record to every receiver.
    Broadcast,
}

impl std::fmt::Display for Partitioning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Hash => "hash",
            Self::Rebalance => "rebalance",
            Self::Broadcast => "broadcast",
        })
    }
}

/// A vertex of the job graph: one operator chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanVertex {
    /// Its position in [`JobPlan::vertices`].
    pub id: VertexId,
    /// The names of the chained operators, joined by ` -> `.
    pub name: String,
    /// How many subtasks it has.
    pub parallelism: Parallelism,
    /// Whether the chain starts with a source (and so has no input edge).
    pub is_source: bool,
}

/// An edge of the job graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEdge {
    /// Its position in [`JobPlan::edges`].
    pub id: EdgeId,
    /// The sending vertex.
    pub from: VertexId,
    /// The receiving vertex; all edges into one vertex feed one input gate.
    pub to: VertexId,
    /// How a record's channel is picked.
    pub partitioning: Partitioning,
}

/// What is deployed: the job graph with its parallelism and without its types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPlan {
    /// The name of the job.
    pub name: String,
    /// The number of key groups of every keyed vertex.
    pub max_parallelism: MaxParallelism,
    /// Vertices in topological order, each at the position of its id.
    pub vertices: Vec<PlanVertex>,
    /// Edges, each at the position of its id.
    pub edges: Vec<PlanEdge>,
}

impl JobPlan {
    /// The vertex with this id.
    ///
    /// # Panics
    /// If the id is not one of this plan.
    pub fn vertex(&self, id: VertexId) -> &PlanVertex {
        &self.vertices[id.position()]
    }

    /// The edge with this id.
    ///
    /// # Panics
    /// If the id is not one of this plan.
    pub fn edge(&self, id: EdgeId) -> &PlanEdge {
        &self.edges[id.position()]
    }

    /// Every subtask, vertex by vertex.
    pub fn subtasks(&self) -> impl Iterator<Item = SubtaskId> + '_ {
        self.vertices.iter().flat_map(|vertex| {
            indices(vertex.parallelism).map(|index| SubtaskId::new(vertex.id, index))
        })
    }

    /// The edges that leave a vertex, in ascending order of their ids.
    pub fn outputs(&self, vertex: VertexId) -> impl Iterator<Item = &PlanEdge> {
        self.edges.iter().filter(move |edge| edge.from == vertex)
    }

    /// The edges that enter a vertex, in ascending order of their ids.
    pub fn inputs(&self, vertex: VertexId) -> impl Iterator<Item = &PlanEdge> {
        self.edges.iter().filter(move |edge| edge.to == vertex)
    }

    /// The channels along which a subtask sends on one edge, by ascending receiver.
    pub fn output_channels(&self, edge: EdgeId, from: SubtaskIndex) -> Vec<ChannelId> {
        let edge = self.edge(edge);
        match edge.partitioning {
            Partitioning::Forward => vec![ChannelId::new(edge.id, from, from)],
            Partitioning::Hash | Partitioning::Rebalance | Partitioning::Broadcast => {
                let to = self.vertex(edge.to).parallelism;
                indices(to)
                    .map(|to| ChannelId::new(edge.id, from, to))
                    .collect()
            }
        }
    }

    /// The channels of a subtask's input gate: edge by edge, by ascending sender.
    pub fn input_channels(&self, subtask: SubtaskId) -> Vec<ChannelId> {
        let mut channels = Vec::new();
        for edge in self.inputs(subtask.vertex) {
            match edge.partitioning {
                Partitioning::Forward => {
                    channels.push(ChannelId::new(edge.id, subtask.index, subtask.index));
                }
                Partitioning::Hash | Partitioning::Rebalance | Partitioning::Broadcast => {
                    let from = self.vertex(edge.from).parallelism;
                    channels.extend(
                        indices(from).map(|from| ChannelId::new(edge.id, from, subtask.index)),
                    );
                }
            }
        }
        channels
    }

    /// The subtask that sends on a channel.
    pub fn sender(&self, channel: ChannelId) -> SubtaskId {
        SubtaskId::new(self.edge(channel.edge).from, channel.from)
    }

    /// The subtask that receives from a channel.
    pub fn receiver(&self, channel: ChannelId) -> SubtaskId {
        SubtaskId::new(self.edge(channel.edge).to, channel.to)
    }

    /// How many slots the job needs: the highest parallelism, since a slot hosts at most one
    /// subtask of each vertex.
    pub fn slots(&self) -> u32 {
        self.vertices
            .iter()
            .map(|vertex| vertex.parallelism.get())
            .max()
            .unwrap_or(0)
    }
}

fn indices(parallelism: Parallelism) -> impl Iterator<Item = SubtaskIndex> {
    (0..parallelism.get()).map(SubtaskIndex::new)
}
