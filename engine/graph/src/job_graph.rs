//! The job graph: the plan, and for each vertex the factory that makes a subtask's chain.
//!
//! Invariant: equal job functions give equal plans and equal fingerprints on every node; a node
//! deploys (vertex, subtask) from its own graph, so no code travels.

use std::fmt;
use std::sync::Arc;

use sameriver_model::{EdgeId, JobPlan, VertexId};
use sameriver_operator::source::{Enumerating, EnumeratorArgs};
use sameriver_operator::{EdgeCodec, Head, OpenArgs, OperatorError, Outputs, SourceHead};

use crate::drawing::{self, ChainedOperator};

/// The chain of one subtask, ready to run.
pub enum Body {
    /// The chain starts with a source.
    Source(Box<dyn SourceHead>),
    /// The chain is fed from an input gate.
    Chain(Box<dyn Head>),
}

/// Makes a subtask's chain; `outputs` has one entry for each edge that leaves the vertex, in the
/// order of [`JobPlan::outputs`].
pub type OpenVertex =
    dyn Fn(&OpenArgs, Vec<Box<dyn Outputs>>) -> Result<Body, OperatorError> + Send + Sync;

/// Makes the enumerator of a vertex that starts with a source.
pub type OpenEnumerator = dyn Fn(EnumeratorArgs) -> Enumerating + Send + Sync;

/// The factories of one vertex.
#[derive(Clone)]
pub struct JobVertex {
    open: Arc<OpenVertex>,
    enumerator: Option<Arc<OpenEnumerator>>,
}

impl JobVertex {
    /// Joins the factories of a vertex; those that start with a source have an enumerator.
    pub fn new(open: Arc<OpenVertex>, enumerator: Option<Arc<OpenEnumerator>>) -> Self {
        Self { open, enumerator }
    }

    /// Makes the chain of one subtask.
    ///
    /// # Errors
    /// [`OperatorError`] when an operator of the chain cannot start.
    pub fn open(
        &self,
        args: &OpenArgs,
        outputs: Vec<Box<dyn Outputs>>,
    ) -> Result<Body, OperatorError> {
        (self.open)(args, outputs)
    }

    /// Finds the splits of the vertex's source; `None` if it has no source.
    pub fn enumerator(&self, args: EnumeratorArgs) -> Option<Enumerating> {
        self.enumerator.as_ref().map(|open| open(args))
    }
}

/// The stream graph after chaining: vertices are chains.
///
/// ```
/// use sameriver_graph::JobGraph;
/// fn draw(graph: &JobGraph, for_a_page: bool) -> String {
///     if for_a_page { graph.to_graphviz() } else { graph.to_text() }
/// }
/// ```
pub struct JobGraph {
    plan: JobPlan,
    vertices: Vec<JobVertex>,
    codecs: Vec<Arc<dyn EdgeCodec>>,
    fingerprint: u64,
    operators: Vec<Vec<ChainedOperator>>,
}

impl JobGraph {
    /// Joins the plan with the factories of its vertices and the codecs of its edges.
    ///
    /// # Panics
    /// If there is not exactly one factory a vertex and one codec an edge.
    pub fn new(
        plan: JobPlan,
        vertices: Vec<JobVertex>,
        codecs: Vec<Arc<dyn EdgeCodec>>,
        fingerprint: u64,
    ) -> Self {
        assert_eq!(plan.vertices.len(), vertices.len(), "one factory a vertex");
        assert_eq!(plan.edges.len(), codecs.len(), "one codec an edge");
        Self {
            operators: vec![Vec::new(); plan.vertices.len()],
            plan,
            vertices,
            codecs,
            fingerprint,
        }
    }

    /// The same graph with what its drawings say of the operators of each vertex.
    ///
    /// # Panics
    /// If there is not exactly one chain a vertex.
    pub fn with_operators(self, operators: Vec<Vec<ChainedOperator>>) -> Self {
        assert_eq!(operators.len(), self.vertices.len(), "one chain a vertex");
        Self { operators, ..self }
    }

    /// The chained operators of a vertex, head first.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    pub fn operators(&self, id: VertexId) -> &[ChainedOperator] {
        &self.operators[id.position()]
    }

    /// The chained graph as text, a paragraph a vertex.
    pub fn to_text(&self) -> String {
        drawing::text(&self.plan, &self.operators)
    }

    /// The chained graph in the language of Graphviz (`dot -Tsvg`).
    pub fn to_graphviz(&self) -> String {
        drawing::graphviz(&self.plan, &self.operators)
    }

    /// Vertices, edges and parallelism.
    pub fn plan(&self) -> &JobPlan {
        &self.plan
    }

    /// The factories of a vertex.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    pub fn vertex(&self, id: VertexId) -> &JobVertex {
        &self.vertices[id.position()]
    }

    /// The codec of an edge's records.
    ///
    /// # Panics
    /// If the id is not one of this graph.
    pub fn codec(&self, id: EdgeId) -> &Arc<dyn EdgeCodec> {
        &self.codecs[id.position()]
    }

    /// A hash of the graph's shape, names and types: nodes with different ones run other code.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl fmt::Debug for JobGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job graph {} {:016x}", self.plan.name, self.fingerprint)
    }
}
