//! The chained graph for human eyes: as text and for Graphviz.
//!
//! Invariant: a drawing shows what is deployed, vertex by vertex, and is equal on every node. It
//! knows nothing of the factories.

use std::fmt::Write;

use sameriver_model::{JobPlan, PlanVertex};

use crate::chaining::Chains;
use crate::operator::{OperatorId, OperatorKind, Port};
use crate::stream_graph::StreamGraph;

/// An operator inside a vertex, as the drawings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedOperator {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What it is to the graph.
    pub kind: OperatorKind,
    /// The stable name of its state.
    pub uid: Option<String>,
    /// Its states.
    pub states: Vec<String>,
    /// Positions of the operators of the same vertex that it calls.
    pub calls: Vec<usize>,
}

impl ChainedOperator {
    /// One line: what it does, uid, states.
    fn details(&self) -> String {
        let what = match self.kind {
            OperatorKind::Source => format!("source, {}", self.description),
            OperatorKind::Sink => format!("sink, {}", self.description),
            OperatorKind::Stateless if self.description == self.name => String::new(),
            OperatorKind::Stateless | OperatorKind::Keyed => self.description.clone(),
        };
        let uid = self.uid.as_ref().filter(|uid| **uid != self.name);
        let uid = uid.map(|uid| format!("uid {uid}"));
        let states = self.states.join(", ");
        let states = (!states.is_empty()).then(|| format!("state {{{states}}}"));
        let parts = [Some(what), uid, states].into_iter().flatten();
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }
}

/// The operators of one vertex, head first.
pub(crate) fn chained_operators(
    graph: &StreamGraph,
    chains: &Chains,
    vertex: usize,
) -> Vec<ChainedOperator> {
    let members = &chains.members[vertex];
    let position_of = |id: OperatorId| members.iter().position(|member| *member == id);
    let calls = |id: OperatorId| {
        let outputs = graph.operator(id).outputs.len() as u32;
        let edges = (0..outputs).flat_map(|output| graph.leaving(Port::new(id, output)));
        let chained = edges.filter(|(position, _)| chains.is_chained[*position]);
        chained
            .filter_map(|(_, edge)| position_of(edge.to))
            .collect()
    };
    members
        .iter()
        .map(|id| {
            let operator = graph.operator(*id);
            ChainedOperator {
                name: operator.name.clone(),
                description: operator.description.clone(),
                kind: operator.kind,
                uid: operator.uid.as_ref().map(ToString::to_string),
                states: operator.states.clone(),
                calls: calls(*id),
            }
        })
        .collect()
}

/// The names joined by ` -> `; branches stand in brackets: `a -> (b, c -> d)`.
pub(crate) fn chain_name(operators: &[ChainedOperator]) -> String {
    name_from(operators, 0)
}

fn name_from(operators: &[ChainedOperator], position: usize) -> String {
    let operator = &operators[position];
    let behind: Vec<_> = operator
        .calls
        .iter()
        .map(|next| name_from(operators, *next))
        .collect();
    match behind.as_slice() {
        [] => operator.name.clone(),
        [one] => format!("{} -> {one}", operator.name),
        several => format!("{} -> ({})", operator.name, several.join(", ")),
    }
}

/// The graph as text, a paragraph a vertex.
pub(crate) fn text(plan: &JobPlan, operators: &[Vec<ChainedOperator>]) -> String {
    write_text(plan, operators).expect("text is written to memory")
}

fn write_text(
    plan: &JobPlan,
    operators: &[Vec<ChainedOperator>],
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let subtasks = plan.subtasks().count();
    writeln!(
        out,
        "job {}: {}, {}, {}, max parallelism {}",
        plan.name,
        counted(plan.vertices.len(), "vertex", "vertices"),
        counted(plan.edges.len(), "edge", "edges"),
        counted(subtasks, "subtask", "subtasks"),
        plan.max_parallelism
    )?;
    for (vertex, operators) in plan.vertices.iter().zip(operators) {
        writeln!(
            out,
            "\n{} x{}  {}",
            vertex.id, vertex.parallelism, vertex.name
        )?;
        let names = operators
            .iter()
            .map(|operator| operator.name.chars().count());
        let width = names.max().unwrap_or(0);
        for operator in operators {
            let line = format!("{:width$}  {}", operator.name, operator.details());
            writeln!(out, "    {}", line.trim_end())?;
        }
        for edge in plan.inputs(vertex.id) {
            let from = plan.vertex(edge.from);
            writeln!(out, "    <- {} by {}", from.id, edge.partitioning)?;
        }
        for edge in plan.outputs(vertex.id) {
            let to = plan.vertex(edge.to);
            writeln!(out, "    -> {} by {}", to.id, edge.partitioning)?;
        }
    }
    Ok(out)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The graph in the language of Graphviz: `dot -Tsvg`.
pub(crate) fn graphviz(plan: &JobPlan, operators: &[Vec<ChainedOperator>]) -> String {
    write_graphviz(plan, operators).expect("text is written to memory")
}

fn write_graphviz(
    plan: &JobPlan,
    operators: &[Vec<ChainedOperator>],
) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "digraph {} {{", quoted(&plan.name))?;
    writeln!(out, "  rankdir=LR;")?;
    writeln!(
        out,
        "  node [shape=box, style=rounded, fontname=\"sans-serif\"];"
    )?;
    writeln!(out, "  edge [fontname=\"sans-serif\"];")?;
    for (vertex, operators) in plan.vertices.iter().zip(operators) {
        writeln!(out, "  {} [label={}];", vertex.id, label(vertex, operators))?;
    }
    for edge in &plan.edges {
        let (from, to) = (edge.from, edge.to);
        writeln!(out, "  {from} -> {to} [label=\"{}\"];", edge.partitioning)?;
    }
    writeln!(out, "}}")?;
    Ok(out)
}

fn label(vertex: &PlanVertex, operators: &[ChainedOperator]) -> String {
    let mut label = format!("{} x{}", vertex.id, vertex.parallelism);
    for operator in operators {
        let line = format!("\n{}: {}", operator.name, operator.details());
        label += line.trim_end_matches([':', ' ']);
    }
    quoted(&label)
}

/// A Graphviz string; lines end with its left-adjusting mark.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    if escaped.contains('\n') {
        return format!("\"{}\\l\"", escaped.replace('\n', "\\l"));
    }
    format!("\"{escaped}\"")
}
