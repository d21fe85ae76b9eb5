//! What the loop of the job master is told.
//!
//! Invariant: what happened in one attempt or on one connection says in which, so that what comes
//! too late is known as such.

use sameriver_control::{Fact, Incarnation};
use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef};
use sameriver_model::{AttemptNumber, Failure, TaskManagerIndex, VertexId};
use sameriver_operator::source::AnyEnumerator;
use sameriver_runtime::ByteStream;
use sameriver_runtime::sync::oneshot;

use crate::checkpoints::Unreadable;
use crate::rpc::{Hello, Refusal, TaskManagerMessage};

/// A connection, numbered in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// Something that the loop of the job master has to react to.
pub(super) enum Event {
    /// Somebody connected.
    Accepted(Box<dyn ByteStream>),
    /// A task manager that runs our code asks to be admitted.
    Knocked {
        connection: ConnectionId,
        hello: Hello,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Somebody was turned away because of its hello.
    Refused {
        task_manager: Option<TaskManagerIndex>,
        reason: String,
    },
    /// An admitted task manager says something.
    Message {
        connection: ConnectionId,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
        message: TaskManagerMessage,
    },
    /// The connection has ended.
    Closed {
        connection: ConnectionId,
        cause: String,
    },
    /// A source's enumerator has found its splits, or not.
    Enumerated {
        attempt: AttemptNumber,
        vertex: VertexId,
        result: Result<Box<dyn AnyEnumerator>, Failure>,
    },
    /// What an attempt starts from was read, or not.
    MetadataRead {
        attempt: AttemptNumber,
        named: CheckpointRef,
        result: Result<CheckpointMetadata, Unreadable>,
    },
    /// The keeper of the job log has something for the job machine.
    Kept { epoch: u32, fact: Fact },
}
