//! The enumerators of a job's sources, and the readers that wait for them.
//!
//! Invariant: every split request gets exactly one answer, in the order of the requests, as soon as
//! the source's enumerator is ready.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sameriver_graph::JobGraph;
use sameriver_model::{AttemptNumber, Failure, FailureKind, PlanVertex, SubtaskId, VertexId};
use sameriver_operator::OperatorError;
use sameriver_operator::source::{AnyEnumerator, Assignment, EnumeratorArgs, SourceError};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Panicked, World};

use super::connection::Event;
use crate::stoppable::Stoppable;

/// An answer to a split request.
pub(super) struct Assigned {
    pub(super) subtask: SubtaskId,
    pub(super) attempt: AttemptNumber,
    pub(super) assignment: Assignment<Vec<u8>>,
}

enum Enumerator {
    Looking(Vec<(SubtaskId, AttemptNumber)>),
    Ready(Box<dyn AnyEnumerator>),
}

struct Hosted {
    source: String,
    enumerator: Enumerator,
}

#[derive(Default)]
pub(super) struct Enumerators {
    hosted: BTreeMap<VertexId, Hosted>,
    tasks: Vec<Stoppable>,
}

impl Enumerators {
    /// Lets every source look for its splits; each reports by `Event::Enumerated`.
    pub(super) fn open(&mut self, world: &World, graph: &JobGraph, events: &mpsc::Sender<Event>) {
        for vertex in &graph.plan().vertices {
            let args = EnumeratorArgs {
                world: world.clone(),
                parallelism: vertex.parallelism,
                restored: None,
            };
            let Some(looking) = graph.vertex(vertex.id).enumerator(args) else {
                continue;
            };
            let source = source_name(vertex).to_owned();
            let hosted = Hosted {
                source: source.clone(),
                enumerator: Enumerator::Looking(Vec::new()),
            };
            self.hosted.insert(vertex.id, hosted);
            let (vertex, events) = (vertex.id, events.clone());
            let name = format!("enumerate {vertex}");
            let task = Stoppable::start(world, &name.clone(), async move {
                // A connector that panics must not leave its readers waiting.
                let result = match AssertUnwindSafe(looking).catch_unwind().await {
                    Ok(result) => result.map_err(|cause| failure(&source, cause)),
                    Err(payload) => {
                        let panicked = Panicked::new(&name, payload.as_ref());
                        Err(Failure::new(FailureKind::User, panicked.to_string()))
                    }
                };
                // A loop that has ended wants to know nothing.
                let _ = events.send(Event::Enumerated { vertex, result }).await;
            });
            self.tasks.push(task);
        }
    }

    /// Takes over an enumerator and answers the readers that wait for it.
    pub(super) fn ready(
        &mut self,
        vertex: VertexId,
        result: Result<Box<dyn AnyEnumerator>, Failure>,
    ) -> Result<Vec<Assigned>, Failure> {
        let mut enumerator = result?;
        let Some(hosted) = self.hosted.get_mut(&vertex) else {
            return Ok(Vec::new());
        };
        let waiting = match &mut hosted.enumerator {
            Enumerator::Looking(waiting) => std::mem::take(waiting),
            Enumerator::Ready(_) => Vec::new(),
        };
        let answers = waiting.into_iter().map(|(subtask, attempt)| {
            answer(&hosted.source, enumerator.as_mut(), subtask, attempt)
        });
        let answers = answers.collect();
        hosted.enumerator = Enumerator::Ready(enumerator);
        answers
    }

    /// Answers a reader, or lets it wait.
    pub(super) fn request(
        &mut self,
        subtask: SubtaskId,
        attempt: AttemptNumber,
    ) -> Result<Vec<Assigned>, Failure> {
        let Some(hosted) = self.hosted.get_mut(&subtask.vertex) else {
            let message = "asks for splits, but its vertex has no source";
            return Err(Failure::new(FailureKind::Internal, message).in_subtask(subtask));
        };
        match &mut hosted.enumerator {
            Enumerator::Looking(waiting) => {
                waiting.push((subtask, attempt));
                Ok(Vec::new())
            }
            Enumerator::Ready(enumerator) => {
                let assigned = answer(&hosted.source, enumerator.as_mut(), subtask, attempt);
                Ok(vec![assigned?])
            }
        }
    }

    /// Ends the sources that still look.
    pub(super) async fn stop(&mut self) {
        for task in std::mem::take(&mut self.tasks) {
            super::report_panic(task.stop().await);
        }
    }
}

fn answer(
    source: &str,
    enumerator: &mut dyn AnyEnumerator,
    subtask: SubtaskId,
    attempt: AttemptNumber,
) -> Result<Assigned, Failure> {
    let assignment = enumerator.assign(subtask.index);
    let assignment = assignment.map_err(|cause| failure(source, cause))?;
    Ok(Assigned {
        subtask,
        attempt,
        assignment,
    })
}

/// The source is the first operator of its chain.
fn source_name(vertex: &PlanVertex) -> &str {
    vertex.name.split(" -> ").next().unwrap_or(&vertex.name)
}

fn failure(source: &str, cause: SourceError) -> Failure {
    let error = OperatorError::Source {
        operator: source.to_owned(),
        cause,
    };
    Failure::new(error.kind(), error.to_string())
}
