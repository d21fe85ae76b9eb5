//! The pipeline as the user wrote it: operators, and edges between their ports.
//!
//! Invariant: an operator's inputs were created before it, so there are no cycles and the order of
//! creation is topological. Nothing is checked here but wiring bugs; what a user can get wrong is
//! judged by [`StreamGraph::compile`].

use std::sync::Arc;

use sameriver_model::{MaxParallelism, Parallelism, Partitioning};

use crate::chaining::Chains;
use crate::job_graph::JobGraph;
use crate::operator::{Operator, OperatorId, OperatorKind, Output, Port};
use crate::problem::GraphProblem;
use crate::stream_type::{FanOut, Tail};
use crate::{validate, wiring};

/// How the user wants records to cross an edge.
#[derive(Clone, Default)]
pub enum Route {
    /// Forward between equal parallelisms, else rebalance.
    #[default]
    Auto,
    /// In turn to every receiver.
    Rebalance,
    /// By a rule that brings its own tail: hash or broadcast.
    By(Partitioning, Arc<Tail>),
}

impl Route {
    /// The partitioning between vertices of these parallelisms.
    pub(crate) fn partitioning(&self, from: Parallelism, to: Parallelism) -> Partitioning {
        match self {
            Self::Auto if from == to => Partitioning::Forward,
            Self::Auto | Self::Rebalance => Partitioning::Rebalance,
            Self::By(partitioning, _) => *partitioning,
        }
    }
}

/// One input of an operator that is about to be added.
#[derive(Clone)]
pub struct Input {
    /// Where the records come from.
    pub from: Port,
    /// How they get here.
    pub route: Route,
}

impl Input {
    /// Records of a port, by the default route.
    pub fn of(from: Port) -> Self {
        Self {
            from,
            route: Route::Auto,
        }
    }
}

/// An edge of the stream graph.
#[derive(Clone)]
pub struct StreamEdge {
    /// Where the records come from.
    pub from: Port,
    /// Who takes them.
    pub to: OperatorId,
    /// How they get there.
    pub route: Route,
}

/// What a graph is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileSettings {
    /// The parallelism of operators that did not choose.
    pub parallelism: Parallelism,
    /// The number of key groups.
    pub max_parallelism: MaxParallelism,
    /// Whether operators are chained at all.
    pub chaining: bool,
}

/// Operators and edges.
#[derive(Clone, Default)]
pub struct StreamGraph {
    name: String,
    operators: Vec<Operator>,
    edges: Vec<StreamEdge>,
}

impl StreamGraph {
    /// An empty graph of a job.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            operators: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// The job's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the job another name.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Adds an operator behind its inputs; several inputs are a union and feed one gate.
    ///
    /// # Panics
    /// If an input is not a port of this graph: a bug of the front door.
    pub fn add(&mut self, operator: Operator, inputs: Vec<Input>) -> OperatorId {
        let to = OperatorId::new(self.operators.len() as u32);
        for Input { from, route } in inputs {
            self.output(from);
            self.edges.push(StreamEdge { from, to, route });
        }
        self.operators.push(operator);
        to
    }

    /// All operators, each at the position of its id.
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// All edges, in the order of creation.
    pub fn edges(&self) -> &[StreamEdge] {
        &self.edges
    }

    /// An operator.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    pub fn operator(&self, id: OperatorId) -> &Operator {
        &self.operators[id.position()]
    }

    /// An operator, to be named, numbered or chained differently.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    pub fn operator_mut(&mut self, id: OperatorId) -> &mut Operator {
        &mut self.operators[id.position()]
    }

    /// An output.
    ///
    /// # Panics
    /// If the port is not one of this graph.
    pub fn output(&self, port: Port) -> &Output {
        &self.operators[port.operator.position()].outputs[port.output as usize]
    }

    /// Lets several receivers read one output.
    ///
    /// # Panics
    /// If the port is not one of this graph.
    pub fn allow_fan_out(&mut self, port: Port, fan_out: Arc<FanOut>) {
        let operator = &mut self.operators[port.operator.position()];
        operator.outputs[port.output as usize].fan_out = Some(fan_out);
    }

    /// Whether a port is a source's output that nobody else can read: then what is said of its
    /// stream may be told to the source itself.
    pub fn is_unshared_source(&self, port: Port) -> bool {
        self.operator(port.operator).kind == OperatorKind::Source
            && self.output(port).fan_out.is_none()
            && self.edges.iter().all(|edge| edge.from != port)
    }

    /// The edges that leave a port, in the order of creation.
    pub(crate) fn leaving(&self, port: Port) -> impl Iterator<Item = (usize, &StreamEdge)> {
        let edges = self.edges.iter().enumerate();
        edges.filter(move |(_, edge)| edge.from == port)
    }

    /// How many subtasks an operator gets.
    pub(crate) fn parallelism(&self, id: OperatorId, default: Parallelism) -> Parallelism {
        self.operator(id).parallelism.unwrap_or(default)
    }

    /// Chains operators into vertices and joins their factories.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, each with its remedy.
    pub fn compile(&self, settings: &CompileSettings) -> Result<JobGraph, Vec<GraphProblem>> {
        let problems = validate::problems(self, settings);
        if !problems.is_empty() {
            return Err(problems);
        }
        let chains = Chains::of(self, settings);
        Ok(wiring::job_graph(self, &chains, settings))
    }
}
