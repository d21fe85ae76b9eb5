//! Joins the factories of chained operators into one factory a vertex.
//!
//! Invariant: a vertex opens from its tails to its head, so every link owns what is below it; the
//! outputs that the task hands over are taken in ascending order of their edges.

use std::collections::BTreeMap;
use std::sync::Arc;

use sameriver_model::{EdgeId, JobPlan, Partitioning, PlanEdge, PlanVertex, VertexId};
use sameriver_operator::{AnyConsumer, EdgeCodec, OpenArgs, OperatorError, Outputs};

use crate::chaining::Chains;
use crate::drawing::{self, ChainedOperator};
use crate::fingerprint;
use crate::job_graph::{Body, JobGraph, JobVertex};
use crate::operator::{Behaviour, OperatorId, Port};
use crate::stream_graph::{CompileSettings, Route, StreamGraph};

/// The job graph of chained operators.
pub(crate) fn job_graph(
    graph: &StreamGraph,
    chains: &Chains,
    settings: &CompileSettings,
) -> JobGraph {
    let (edges, codecs) = edges(graph, chains);
    let operators: Vec<Vec<ChainedOperator>> = (0..chains.members.len())
        .map(|vertex| drawing::chained_operators(graph, chains, vertex))
        .collect();
    let plan = JobPlan {
        name: graph.name().to_owned(),
        max_parallelism: settings.max_parallelism,
        vertices: vertices(graph, chains, &operators),
        edges,
    };
    let fingerprint = fingerprint::of(graph, &plan);
    let wiring = Arc::new(Wiring::of(graph, chains));
    let factories = (0..chains.members.len())
        .map(|vertex| factory(&wiring, chains.members[vertex][0]))
        .collect();
    JobGraph::new(plan, factories, codecs, fingerprint).with_operators(operators)
}

fn vertices(
    graph: &StreamGraph,
    chains: &Chains,
    operators: &[Vec<ChainedOperator>],
) -> Vec<PlanVertex> {
    let members = chains.members.iter().zip(operators).enumerate();
    members
        .map(|(position, (members, operators))| PlanVertex {
            id: VertexId::new(position as u32),
            name: drawing::chain_name(operators),
            parallelism: chains.parallelism[position],
            is_source: match graph.operator(members[0]).behaviour {
                Behaviour::Source { .. } => true,
                Behaviour::Link(_) => false,
            },
        })
        .collect()
}

fn edges(graph: &StreamGraph, chains: &Chains) -> (Vec<PlanEdge>, Vec<Arc<dyn EdgeCodec>>) {
    let (mut edges, mut codecs) = (Vec::new(), Vec::new());
    for (position, edge) in graph.edges().iter().enumerate() {
        if chains.is_chained[position] {
            continue;
        }
        let vertex = |id: OperatorId| VertexId::new(chains.vertex_of[id.position()] as u32);
        edges.push(PlanEdge {
            id: EdgeId::new(edges.len() as u32),
            from: vertex(edge.from.operator),
            to: vertex(edge.to),
            partitioning: chains.partitioning[position],
        });
        codecs.push(Arc::clone(&graph.output(edge.from).stream.codec));
    }
    (edges, codecs)
}

/// What the factories of all vertices share.
struct Wiring {
    graph: StreamGraph,
    is_chained: Vec<bool>,
    partitioning: Vec<Partitioning>,
}

/// The outputs of one vertex, by the position of their edge in the stream graph.
type Ends = BTreeMap<usize, Box<dyn Outputs>>;

fn factory(wiring: &Arc<Wiring>, head: OperatorId) -> JobVertex {
    let enumerator = match &wiring.graph.operator(head).behaviour {
        Behaviour::Source { enumerator, .. } => Some(Arc::clone(enumerator)),
        Behaviour::Link(_) => None,
    };
    let (wiring, exits) = (Arc::clone(wiring), wiring.exits(head));
    let open = move |args: &OpenArgs, outputs: Vec<Box<dyn Outputs>>| {
        assert_eq!(outputs.len(), exits.len(), "one output an edge");
        let mut ends = exits.iter().copied().zip(outputs).collect();
        wiring.open_head(head, args, &mut ends)
    };
    JobVertex::new(Arc::new(open), enumerator)
}

impl Wiring {
    fn of(graph: &StreamGraph, chains: &Chains) -> Self {
        Self {
            graph: graph.clone(),
            is_chained: chains.is_chained.clone(),
            partitioning: chains.partitioning.clone(),
        }
    }

    fn ports(&self, id: OperatorId) -> impl Iterator<Item = Port> + use<> {
        let outputs = self.graph.operator(id).outputs.len() as u32;
        (0..outputs).map(move |output| Port::new(id, output))
    }

    /// The edges by which a chain is left, ascending.
    fn exits(&self, head: OperatorId) -> Vec<usize> {
        let mut exits = Vec::new();
        let mut open = vec![head];
        while let Some(id) = open.pop() {
            for port in self.ports(id) {
                for (position, edge) in self.graph.leaving(port) {
                    if self.is_chained[position] {
                        open.push(edge.to);
                    } else {
                        exits.push(position);
                    }
                }
            }
        }
        exits.sort_unstable();
        exits
    }

    fn open_head(
        &self,
        head: OperatorId,
        args: &OpenArgs,
        ends: &mut Ends,
    ) -> Result<Body, OperatorError> {
        let name = &self.graph.operator(head).name;
        match &self.graph.operator(head).behaviour {
            Behaviour::Source {
                open, watermarks, ..
            } => {
                let next = self.open_port(Port::main(head), args, ends)?;
                Ok(Body::Source(open(name, args, watermarks.as_ref(), next)?))
            }
            Behaviour::Link(_) => {
                let input = self.graph.edges().iter().find(|edge| edge.to == head);
                let from = input
                    .expect("an operator that is no source has an input")
                    .from;
                let consumer = self.open_link(head, args, ends)?;
                Ok(Body::Chain((self.graph.output(from).stream.head)(consumer)))
            }
        }
    }

    fn open_link(
        &self,
        id: OperatorId,
        args: &OpenArgs,
        ends: &mut Ends,
    ) -> Result<AnyConsumer, OperatorError> {
        let outputs = self
            .ports(id)
            .map(|port| self.open_port(port, args, ends))
            .collect::<Result<_, _>>()?;
        match &self.graph.operator(id).behaviour {
            Behaviour::Link(open) => open(&self.graph.operator(id).name, args, outputs),
            Behaviour::Source { .. } => unreachable!("a source has no input"),
        }
    }

    fn open_port(
        &self,
        port: Port,
        args: &OpenArgs,
        ends: &mut Ends,
    ) -> Result<AnyConsumer, OperatorError> {
        let mut receivers = Vec::new();
        for (position, edge) in self.graph.leaving(port) {
            receivers.push(if self.is_chained[position] {
                self.open_link(edge.to, args, ends)?
            } else {
                self.open_tail(position, args, ends)
            });
        }
        if receivers.len() == 1 {
            return Ok(receivers.remove(0));
        }
        let fan_out = self.graph.output(port).fan_out.as_ref();
        Ok(fan_out.expect("a stream with several receivers was cloned")(receivers))
    }

    fn open_tail(&self, position: usize, args: &OpenArgs, ends: &mut Ends) -> AnyConsumer {
        let edge = &self.graph.edges()[position];
        let outputs = ends.remove(&position).expect("one output an edge");
        let stream = &self.graph.output(edge.from).stream;
        let tail = match &edge.route {
            Route::By(_, tail) => tail,
            Route::Rebalance => &stream.rebalance,
            Route::Auto => match self.partitioning[position] {
                Partitioning::Forward => &stream.forward,
                Partitioning::Hash | Partitioning::Rebalance | Partitioning::Broadcast => {
                    &stream.rebalance
                }
            },
        };
        let name = &self.graph.operator(edge.from.operator).name;
        tail(name, args, outputs)
    }
}
