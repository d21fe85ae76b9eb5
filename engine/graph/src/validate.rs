//! Looks for what a user can get wrong in a graph, before anything runs.
//!
//! Invariant: all problems are found in one pass, in the order of the operators.

use std::collections::BTreeMap;

use crate::operator::{Operator, OperatorId, OperatorKind, Port};
use crate::problem::GraphProblem;
use crate::stream_graph::{CompileSettings, StreamGraph};

/// Everything that is wrong.
pub(crate) fn problems(graph: &StreamGraph, settings: &CompileSettings) -> Vec<GraphProblem> {
    let mut problems = Vec::new();
    let kinds = graph.operators().iter().map(|operator| operator.kind);
    if !kinds.into_iter().any(|kind| kind == OperatorKind::Source) {
        problems.push(GraphProblem::NoSource {
            job: graph.name().to_owned(),
        });
    }
    names(graph, &mut problems);
    uids(graph, &mut problems);
    parallelism(graph, settings, &mut problems);
    ends(graph, &mut problems);
    problems
}

fn names(graph: &StreamGraph, problems: &mut Vec<GraphProblem>) {
    let mut seen = Vec::new();
    for operator in graph.operators() {
        let is_blank = |text: &str| text.trim().is_empty();
        if is_blank(&operator.name) {
            // A name that is the uid is reported as the uid.
            if operator
                .uid
                .as_ref()
                .is_some_and(|uid| is_blank(uid.as_str()))
            {
                continue;
            }
            problems.push(GraphProblem::NameEmpty {
                kind: operator.kind,
                description: operator.description.clone(),
            });
            continue;
        }
        match operator.kind {
            OperatorKind::Source | OperatorKind::Sink => {}
            OperatorKind::Stateless | OperatorKind::Keyed => continue,
        }
        let name = (operator.kind, operator.name.as_str());
        if seen.contains(&name) {
            problems.push(GraphProblem::NameTwice {
                kind: operator.kind,
                name: operator.name.clone(),
            });
        }
        seen.push(name);
    }
}

fn uids(graph: &StreamGraph, problems: &mut Vec<GraphProblem>) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for operator in graph.operators() {
        match &operator.uid {
            None => missing_uid(operator, problems),
            Some(uid) if uid.as_str().trim().is_empty() => {
                problems.push(GraphProblem::UidEmpty {
                    operator: shown(operator),
                });
            }
            Some(uid) => {
                if let Some(first) = seen.insert(uid.as_str(), &operator.description) {
                    problems.push(GraphProblem::UidTwice {
                        uid: uid.to_string(),
                        first: format!("one operator ({first})"),
                        second: format!("another ({})", operator.description),
                    });
                }
            }
        }
    }
}

fn missing_uid(operator: &Operator, problems: &mut Vec<GraphProblem>) {
    match operator.kind {
        OperatorKind::Keyed => problems.push(GraphProblem::UidMissing {
            operator: shown(operator),
        }),
        OperatorKind::Source | OperatorKind::Stateless | OperatorKind::Sink => {}
    }
}

fn parallelism(graph: &StreamGraph, settings: &CompileSettings, problems: &mut Vec<GraphProblem>) {
    for (position, operator) in graph.operators().iter().enumerate() {
        let id = OperatorId::new(position as u32);
        let parallelism = graph.parallelism(id, settings.parallelism);
        if let Err(cause) = settings.max_parallelism.check(parallelism) {
            problems.push(GraphProblem::Parallelism {
                operator: shown(operator),
                cause,
            });
        }
    }
}

fn ends(graph: &StreamGraph, problems: &mut Vec<GraphProblem>) {
    for (position, operator) in graph.operators().iter().enumerate() {
        let id = OperatorId::new(position as u32);
        for (index, output) in operator.outputs.iter().enumerate() {
            if graph.leaving(Port::new(id, index as u32)).next().is_some() {
                continue;
            }
            problems.push(match operator.kind {
                OperatorKind::Source => GraphProblem::UnusedSource {
                    source_name: operator.name.clone(),
                },
                OperatorKind::Stateless | OperatorKind::Keyed | OperatorKind::Sink => {
                    let side = match output.label {
                        "" => String::new(),
                        label => format!(", side output {label},"),
                    };
                    GraphProblem::LeadsNowhere {
                        operator: shown(operator) + &side,
                    }
                }
            });
        }
    }
}

/// The name, and what the operator does if the name does not say so.
fn shown(operator: &Operator) -> String {
    if operator.name.trim().is_empty() || operator.name == operator.description {
        return operator.description.clone();
    }
    format!("{} ({})", operator.name, operator.description)
}
