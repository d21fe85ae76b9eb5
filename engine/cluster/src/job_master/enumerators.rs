//! The enumerators of a job's sources, and the readers that wait for them.
//!
//! Invariant: every split request of the current attempt gets exactly one answer, in the order of
//! the requests, as soon as the source's enumerator is ready. The snapshots of all enumerators are
//! of one instant: between two of them no split is handed out.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use sameriver_graph::JobGraph;
use sameriver_model::checkpoint::CheckpointMetadata;
use sameriver_model::{AttemptNumber, Failure, FailureKind, PlanVertex, SubtaskId, VertexId};
use sameriver_operator::OperatorError;
use sameriver_operator::source::{AnyEnumerator, Assignment, EnumeratorArgs, SourceError};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Panicked, World};

use super::event::Event;
use crate::stoppable::Stoppable;

/// An answer to a split request.
pub(super) struct Assigned {
    pub(super) subtask: SubtaskId,
    pub(super) attempt: AttemptNumber,
    pub(super) assignment: Assignment<Vec<u8>>,
}

enum Enumerator {
    Looking(Vec<SubtaskId>),
    Ready(Box<dyn AnyEnumerator>),
}

struct Hosted {
    source: String,
    enumerator: Enumerator,
}

#[derive(Default)]
pub(super) struct Enumerators {
    attempt: Option<AttemptNumber>,
    hosted: BTreeMap<VertexId, Hosted>,
    tasks: Vec<Stoppable>,
    /// Those of earlier attempts; they are to be joined.
    retired: Vec<Stoppable>,
}

impl Enumerators {
    /// Forgets those of the attempt before, and lets every source look for its splits, from where
    /// the checkpoint left it; each reports by `Event::Enumerated`.
    ///
    /// # Errors
    /// When the checkpoint lacks a source.
    pub(super) fn open(
        &mut self,
        world: &World,
        graph: &JobGraph,
        attempt: AttemptNumber,
        restored: Option<&CheckpointMetadata>,
        events: &mpsc::Sender<Event>,
    ) -> Result<(), Failure> {
        self.retire();
        self.attempt = Some(attempt);
        for vertex in &graph.plan().vertices {
            let from = restored.map(|metadata| (metadata, snapshot_of(metadata, vertex.id)));
            let args = EnumeratorArgs {
                world: world.clone(),
                parallelism: vertex.parallelism,
                restored: from
                    .as_ref()
                    .and_then(|(_, bytes)| bytes.clone())
                    .map(Into::into),
            };
            let Some(looking) = graph.vertex(vertex.id).enumerator(args) else {
                continue;
            };
            let source = source_name(vertex).to_owned();
            if let Some((metadata, None)) = from {
                let message = format!(
                    "checkpoint {} has no splits of source {source}: restore an older one",
                    metadata.id
                );
                return Err(Failure::new(FailureKind::BadData, message));
            }
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
                let enumerated = Event::Enumerated {
                    attempt,
                    vertex,
                    result,
                };
                // A loop that has ended wants to know nothing.
                let _ = events.send(enumerated).await;
            });
            self.tasks.push(task);
        }
        Ok(())
    }

    /// Whether all of them are there.
    pub(super) fn are_ready(&self) -> bool {
        let mut all = self.hosted.values();
        all.all(|hosted| matches!(hosted.enumerator, Enumerator::Ready(_)))
    }

    /// Takes over an enumerator and answers the readers that wait for it; `None` if it is not one
    /// of the current attempt.
    pub(super) fn ready(
        &mut self,
        attempt: AttemptNumber,
        vertex: VertexId,
        result: Result<Box<dyn AnyEnumerator>, Failure>,
    ) -> Option<Result<Vec<Assigned>, Failure>> {
        if self.attempt != Some(attempt) {
            return None;
        }
        let hosted = self.hosted.get_mut(&vertex)?;
        let mut enumerator = match result {
            Ok(enumerator) => enumerator,
            Err(failure) => return Some(Err(failure)),
        };
        let waiting = match &mut hosted.enumerator {
            Enumerator::Looking(waiting) => std::mem::take(waiting),
            Enumerator::Ready(_) => Vec::new(),
        };
        let source = &hosted.source;
        let answers = waiting
            .into_iter()
            .map(|subtask| answer(source, enumerator.as_mut(), subtask, attempt));
        let answers = answers.collect();
        hosted.enumerator = Enumerator::Ready(enumerator);
        Some(answers)
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
                waiting.push(subtask);
                Ok(Vec::new())
            }
            Enumerator::Ready(enumerator) => {
                let assigned = answer(&hosted.source, enumerator.as_mut(), subtask, attempt);
                Ok(vec![assigned?])
            }
        }
    }

    /// The snapshot of every enumerator, by ascending vertex.
    ///
    /// # Errors
    /// When one still looks for its splits, refuses or panics.
    pub(super) fn snapshot(&self) -> Result<Vec<(VertexId, Vec<u8>)>, Failure> {
        let all = self.hosted.iter().map(|(vertex, hosted)| {
            let Enumerator::Ready(enumerator) = &hosted.enumerator else {
                let message = format!("source {} still looks for its splits", hosted.source);
                return Err(Failure::new(FailureKind::Cluster, message));
            };
            let taken = std::panic::catch_unwind(AssertUnwindSafe(|| enumerator.snapshot()));
            match taken {
                Ok(Ok(bytes)) => Ok((*vertex, bytes)),
                Ok(Err(cause)) => Err(failure(&hosted.source, cause)),
                Err(payload) => {
                    let name = format!("enumerate {vertex}");
                    let panicked = Panicked::new(&name, payload.as_ref());
                    Err(Failure::new(FailureKind::User, panicked.to_string()))
                }
            }
        });
        all.collect()
    }

    fn retire(&mut self) {
        self.hosted.clear();
        self.retired.append(&mut self.tasks);
    }

    /// Waits for the tasks of earlier attempts.
    pub(super) async fn join_retired(&mut self) {
        for task in std::mem::take(&mut self.retired) {
            super::report_panic(task.stop().await);
        }
    }

    /// Ends the sources that still look.
    pub(super) async fn stop(&mut self) {
        self.retire();
        self.join_retired().await;
    }
}

fn snapshot_of(metadata: &CheckpointMetadata, vertex: VertexId) -> Option<Vec<u8>> {
    let mut all = metadata.enumerators.iter();
    let (_, bytes) = all.find(|(of, _)| *of == vertex)?;
    Some(bytes.clone())
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
