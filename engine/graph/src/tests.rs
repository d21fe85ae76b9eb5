//! Promises of the graph, on operators that are never opened.

use std::sync::Arc;

use sameriver_model::{MaxParallelism, Parallelism, Partitioning};
use sameriver_operator::{AnyConsumer, Outputs, WireEdge};

use crate::{
    Behaviour, Chaining, CompileSettings, GraphProblem, Input, JobGraph, Operator, OperatorId,
    OperatorKind, Port, Route, StreamGraph, StreamType,
};

fn never(_: &str, _: &sameriver_operator::OpenArgs, _: Box<dyn Outputs>) -> AnyConsumer {
    unreachable!("graph tests open nothing")
}

fn stream() -> StreamType {
    StreamType {
        type_id: std::any::TypeId::of::<u64>(),
        type_name: "u64",
        head: Arc::new(|_| unreachable!("graph tests open nothing")),
        codec: Arc::new(WireEdge::<u64>::new()),
        forward: Arc::new(never),
        rebalance: Arc::new(never),
    }
}

/// A graph that grows by short calls.
struct Pipeline(StreamGraph);

impl Pipeline {
    fn new() -> Self {
        Self(StreamGraph::new("test"))
    }

    fn source(&mut self, name: &str) -> OperatorId {
        let behaviour = Behaviour::Source {
            open: Arc::new(|_, _, _, _| unreachable!("graph tests open nothing")),
            enumerator: Arc::new(|_| unreachable!("graph tests open nothing")),
            watermarks: None,
        };
        let operator = Operator::new(name, "elements", OperatorKind::Source, behaviour);
        self.0.add(operator.emits(stream()), Vec::new())
    }

    fn link(&mut self, kind: OperatorKind, name: &str, inputs: Vec<Input>) -> OperatorId {
        let behaviour = Behaviour::Link(Arc::new(|_, _, _| unreachable!("nothing is opened")));
        let operator = Operator::new(name, name, kind, behaviour);
        let operator = match kind {
            OperatorKind::Sink => operator,
            OperatorKind::Keyed => operator.with_uid(name).emits(stream()),
            OperatorKind::Stateless | OperatorKind::Source => operator.emits(stream()),
        };
        self.0.add(operator, inputs)
    }

    fn map(&mut self, name: &str, from: OperatorId) -> OperatorId {
        self.link(OperatorKind::Stateless, name, vec![main(from)])
    }

    fn keyed(&mut self, uid: &str, from: OperatorId) -> OperatorId {
        let route = Route::By(Partitioning::Hash, Arc::new(never));
        let input = Input {
            route,
            ..main(from)
        };
        self.link(OperatorKind::Keyed, uid, vec![input])
    }

    fn sink(&mut self, name: &str, from: OperatorId) -> OperatorId {
        self.link(OperatorKind::Sink, name, vec![main(from)])
    }

    fn set_parallelism(&mut self, id: OperatorId, subtasks: u32) {
        self.0.operator_mut(id).parallelism = Some(Parallelism::new(subtasks).expect("in range"));
    }

    fn compiled(&self) -> JobGraph {
        self.0
            .compile(&settings())
            .expect("a graph without problems")
    }

    fn vertices(&self) -> Vec<String> {
        let graph = self.compiled();
        let vertices = graph.plan().vertices.iter();
        vertices.map(|vertex| vertex.name.clone()).collect()
    }

    fn edges(&self) -> Vec<String> {
        let graph = self.compiled();
        let edges = graph.plan().edges.iter();
        edges
            .map(|edge| format!("{} > {} {}", edge.from, edge.to, edge.partitioning))
            .collect()
    }

    fn problems(&self) -> Vec<GraphProblem> {
        self.0
            .compile(&settings())
            .expect_err("a graph with problems")
    }
}

fn main(from: OperatorId) -> Input {
    Input::of(Port::main(from))
}

fn settings() -> CompileSettings {
    CompileSettings {
        parallelism: Parallelism::new(2).expect("in range"),
        max_parallelism: MaxParallelism::default(),
        chaining: true,
    }
}

/// source -> map -> keyed -> sink
fn word_count() -> Pipeline {
    let mut job = Pipeline::new();
    let lines = job.source("lines");
    let words = job.map("words", lines);
    let count = job.keyed("count", words);
    job.sink("out", count);
    job
}

#[test]
fn forward_neighbours_of_equal_parallelism_share_a_vertex() {
    assert_eq!(word_count().vertices(), ["lines -> words", "count -> out"]);
    assert_eq!(word_count().edges(), ["v0 > v1 hash"]);
}

#[test]
fn without_chaining_every_operator_is_a_vertex() {
    let settings = CompileSettings {
        chaining: false,
        ..settings()
    };
    let graph = word_count().0.compile(&settings).expect("no problems");
    assert_eq!(graph.plan().vertices.len(), 4);
    assert_eq!(graph.plan().edges[0].partitioning, Partitioning::Forward);
}

#[test]
fn unequal_parallelism_turns_forward_into_rebalance() {
    let mut job = Pipeline::new();
    let lines = job.source("lines");
    let words = job.map("words", lines);
    job.sink("out", words);
    job.set_parallelism(lines, 1);
    assert_eq!(job.vertices(), ["lines", "words -> out"]);
    assert_eq!(job.edges(), ["v0 > v1 rebalance"]);
}

#[test]
fn a_union_is_several_edges_into_one_gate() {
    let mut job = Pipeline::new();
    let (left, right) = (job.source("left"), job.source("right"));
    let both = job.link(
        OperatorKind::Stateless,
        "both",
        vec![main(left), main(right)],
    );
    job.sink("out", both);
    assert_eq!(job.vertices(), ["left", "right", "both -> out"]);
    assert_eq!(job.edges(), ["v0 > v2 forward", "v1 > v2 forward"]);
}

#[test]
fn a_stream_read_twice_branches_inside_the_chain() {
    let mut job = Pipeline::new();
    let lines = job.source("lines");
    let fan_out = |_: Vec<AnyConsumer>| unreachable!("graph tests open nothing");
    job.0.allow_fan_out(Port::main(lines), Arc::new(fan_out));
    let (a, b) = (job.map("a", lines), job.map("b", lines));
    job.sink("out-a", a);
    job.sink("out-b", b);
    assert_eq!(job.vertices(), ["lines -> (a -> out-a, b -> out-b)"]);
}

#[test]
fn chaining_can_be_refused_on_one_side_or_on_both() {
    for (chaining, expected) in [
        (Chaining::Allowed, vec!["lines -> words -> out"]),
        (Chaining::Head, vec!["lines", "words -> out"]),
        (Chaining::Never, vec!["lines", "words", "out"]),
    ] {
        let mut job = Pipeline::new();
        let lines = job.source("lines");
        let words = job.map("words", lines);
        job.sink("out", words);
        job.0.operator_mut(words).chaining = chaining;
        assert_eq!(job.vertices(), expected);
    }
}

#[test]
fn equal_graphs_have_equal_fingerprints_and_others_do_not() {
    let fingerprint = |job: &Pipeline| job.compiled().fingerprint();
    assert_eq!(fingerprint(&word_count()), fingerprint(&word_count()));
    let mut renamed = word_count();
    "lines2".clone_into(&mut renamed.0.operator_mut(OperatorId::new(0)).name);
    let mut wider = word_count();
    wider.set_parallelism(OperatorId::new(2), 3);
    let mut retyped = word_count();
    retyped.0.operator_mut(OperatorId::new(1)).outputs[0]
        .stream
        .type_name = "i64";
    for other in [renamed, wider, retyped] {
        assert_ne!(fingerprint(&other), fingerprint(&word_count()));
    }
}

#[test]
fn a_job_without_a_source_is_refused() {
    let job = "test".to_owned();
    assert_eq!(Pipeline::new().problems(), [GraphProblem::NoSource { job }]);
}

#[test]
fn a_stream_that_leads_nowhere_is_refused() {
    let mut job = Pipeline::new();
    let lines = job.source("lines");
    job.map("words", lines);
    job.source("spare");
    let problems: Vec<_> = job.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "the stream of words leads nowhere: end it with a sink (`.discard(name)` drops it)",
            "source spare is not used: end its stream with a sink (`.discard(name)` drops it), or \
             remove the source",
        ]
    );
}

#[test]
fn a_stateful_operator_needs_a_uid_of_its_own() {
    let mut job = word_count();
    let count = OperatorId::new(2);
    let again = job.keyed("count", count);
    let empty = job.keyed(" ", again);
    let missing = job.keyed("missing", empty);
    job.0.operator_mut(missing).uid = None;
    job.sink("end", missing);
    let problems: Vec<_> = job.problems().iter().map(ToString::to_string).collect();
    assert!(
        problems
            .iter()
            .any(|text| text.starts_with("uid count is given to")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|text| text.starts_with("the uid of operator")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|text| text.contains("missing has no uid")),
        "{problems:?}"
    );
}

#[test]
fn two_sinks_of_one_name_are_refused() {
    let mut job = word_count();
    let lines = OperatorId::new(0);
    let upper = job.map("upper", lines);
    job.sink("out", upper);
    assert_eq!(
        job.problems()[0].to_string(),
        "two sinks have the name out: rename one of them"
    );
}

#[test]
fn parallelism_above_the_key_groups_is_refused() {
    let mut job = word_count();
    job.set_parallelism(OperatorId::new(2), 129);
    assert_eq!(
        job.problems()[0].to_string(),
        "operator count: parallelism 129 is above max parallelism 128: lower the parallelism, or \
         raise max_parallelism before the job has state"
    );
}

#[test]
fn the_text_shows_vertices_operators_and_edges() {
    let mut job = word_count();
    job.0.operator_mut(OperatorId::new(2)).states = vec!["n: value".to_owned()];
    let expected = "\
job test: 2 vertices, 1 edge, 4 subtasks, max parallelism 128

v0 x2  lines -> words
    lines  source, elements
    words
    -> v1 by hash

v1 x2  count -> out
    count  count, state {n: value}
    out    sink, out
    <- v0 by hash
";
    assert_eq!(job.compiled().to_text(), expected);
}

#[test]
fn the_graphviz_form_escapes_names() {
    let mut job = word_count();
    "say \"hi\"".clone_into(&mut job.0.operator_mut(OperatorId::new(0)).name);
    let expected = r#"digraph "test" {
  rankdir=LR;
  node [shape=box, style=rounded, fontname="sans-serif"];
  edge [fontname="sans-serif"];
  v0 [label="v0 x2\lsay \"hi\": source, elements\lwords\l"];
  v1 [label="v1 x2\lcount: count\lout: sink, out\l"];
  v0 -> v1 [label="hash"];
}
"#;
    assert_eq!(job.compiled().to_graphviz(), expected);
}
