//! The job master's end of one control connection.
//!
//! Invariant: whatever happens on a connection, its last event is `Closed`. Decides nothing: who is
//! admitted is asked of the loop.

use std::time::Duration;

use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{ByteStream, World};

use super::event::{ConnectionId, Event};
use crate::rpc::connection::converse;
use crate::rpc::hello;
use crate::rpc::{Hello, HelloError, Identity, MasterMessage};

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
        let connection = self.id;
        let knocked = Event::Knocked {
            connection,
            hello,
            answer,
        };
        self.tell(knocked).await;
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
            incarnation: hello.incarnation,
            message,
        };
        let limit = self.frame_bytes;
        match converse(stream, limit, outgoing, &self.events, wrap).await {
            Ok(()) => "it closed its connection".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}
