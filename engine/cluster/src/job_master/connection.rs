//! The job master's end of one control connection, and the events that reach its loop.
//!
//! Invariant: whatever happens on a connection, its last event is `Closed`. Decides nothing: who is
//! admitted is asked of the loop.

use std::time::Duration;

use sameriver_model::Failure;
use sameriver_model::{TaskManagerIndex, VertexId};
use sameriver_operator::source::AnyEnumerator;
use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{ByteStream, World};

use crate::rpc::connection::converse;
use crate::rpc::hello;
use crate::rpc::{Hello, HelloError, Identity, MasterMessage, Refusal, TaskManagerMessage};

/// A connection, numbered in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// What the loop of the job master is told.
pub(super) enum Event {
    /// Somebody connected.
    Accepted(Box<dyn ByteStream>),
    /// A task manager that runs our code asks to be admitted.
    Knocked {
        task_manager: TaskManagerIndex,
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
        message: TaskManagerMessage,
    },
    /// The connection has ended.
    Closed {
        connection: ConnectionId,
        cause: String,
    },
    /// A source's enumerator has found its splits, or not.
    Enumerated {
        vertex: VertexId,
        result: Result<Box<dyn AnyEnumerator>, Failure>,
    },
}

/// What a connection needs to know of its job master.
pub(super) struct Serving {
    pub(super) world: World,
    pub(super) id: ConnectionId,
    pub(super) identity: Identity,
    pub(super) hello_timeout: Duration,
    pub(super) frame_bytes: u32,
    pub(super) events: mpsc::Sender<Event>,
}

impl Serving {
    /// Talks with whoever connected until the connection ends.
    pub(super) async fn serve(
        self,
        mut stream: Box<dyn ByteStream>,
        outgoing: mpsc::Receiver<MasterMessage>,
    ) {
        let cause = match self.admit(&mut stream).await {
            Ok(Some(hello)) => self.converse(stream, outgoing, hello).await,
            Ok(None) => "it was refused".to_owned(),
            Err(error) => {
                let task_manager = error.task_manager();
                let reason = error.to_string();
                let refused = Event::Refused {
                    task_manager,
                    reason: reason.clone(),
                };
                self.tell(refused).await;
                let drained = hello::drain(&mut stream);
                // A peer that never closes is closed now.
                let _ = self.world.timeout(self.hello_timeout, drained).await;
                reason
            }
        };
        let connection = self.id;
        self.tell(Event::Closed { connection, cause }).await;
    }

    async fn tell(&self, event: Event) {
        // A loop that has ended wants to know nothing.
        let _ = self.events.send(event).await;
    }

    /// Reads the hello and answers it; `None` if the job has no use for the task manager.
    async fn admit(&self, stream: &mut Box<dyn ByteStream>) -> Result<Option<Hello>, HelloError> {
        let received = hello::receive(stream, self.identity);
        let hello = self.world.timeout(self.hello_timeout, received).await??;
        let (answer, verdict) = oneshot::channel();
        let task_manager = hello.task_manager;
        self.tell(Event::Knocked {
            task_manager,
            answer,
        })
        .await;
        match verdict.await {
            Ok(Ok(())) => {
                hello::welcome(stream, self.identity).await?;
                Ok(Some(hello))
            }
            Ok(Err(reason)) => {
                hello::refuse(stream, self.identity, reason).await?;
                let drained = hello::drain(stream);
                let _ = self.world.timeout(self.hello_timeout, drained).await;
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }

    async fn converse(
        &self,
        stream: Box<dyn ByteStream>,
        outgoing: mpsc::Receiver<MasterMessage>,
        hello: Hello,
    ) -> String {
        let (connection, task_manager) = (self.id, hello.task_manager);
        let wrap = |message| Event::Message {
            connection,
            task_manager,
            message,
        };
        let limit = self.frame_bytes;
        match converse(stream, limit, outgoing, &self.events, wrap).await {
            Ok(()) => "it closed its connection".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}
