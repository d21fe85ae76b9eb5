//! A task manager's way to its job master: looks for one that takes it, then talks with it.
//!
//! Invariant: one link is one connection; its last event is `Closed`, `Over` or `GaveUp`. What only
//! time can mend is tried again, at every address in turn; what it cannot is an error at once.

use std::sync::Arc;
use std::time::Duration;

use sameriver_control::Incarnation;
use sameriver_graph::JobGraph;
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, ByteStream, World};
use tracing::{debug, warn};

use super::error::TaskManagerError;
use crate::checkpoints::CheckpointFolder;
use crate::rpc::connection::converse;
use crate::rpc::hello::{self, Hello, HelloError, Identity, Refusal};
use crate::rpc::{MasterMessage, TaskManagerMessage};
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;

/// What comes from the way to the job master.
pub(super) enum FromMaster {
    /// A job master takes us: it hears what is sent here.
    Welcomed {
        incarnation: Incarnation,
        to_master: mpsc::Sender<TaskManagerMessage>,
    },
    /// It says something.
    Message(MasterMessage),
    /// The connection has ended.
    Closed(String),
    /// The job is over, by what a job master or the job log says.
    Over,
    /// There is no way.
    GaveUp(TaskManagerError),
}

/// Looks for a job master on behalf of a task manager.
pub(super) struct Seeker {
    pub(super) world: World,
    pub(super) masters: Vec<Address>,
    pub(super) index: TaskManagerIndex,
    pub(super) graph: Arc<JobGraph>,
    pub(super) settings: ClusterSettings,
    pub(super) incarnation: Incarnation,
    /// Where the job log is; then a job master may come back at any time.
    pub(super) folder: Option<CheckpointFolder>,
}

/// What came of one look at one address.
enum Look {
    Found(Box<dyn ByteStream>),
    Over,
    Later(String),
    Never(TaskManagerError),
}

impl Seeker {
    /// Starts the task that finds a job master and talks with it; `outgoing_max` messages may wait.
    pub(super) fn start(self, outgoing_max: usize, events: mpsc::Sender<FromMaster>) -> Stoppable {
        let world = self.world.clone();
        let name = format!("control {}", self.index);
        Stoppable::start(&world, &name, async move {
            let last = self.run(outgoing_max, &events).await;
            // A task manager that is shutting down does not listen any more.
            let _ = events.send(last).await;
        })
    }

    async fn run(mut self, outgoing_max: usize, events: &mpsc::Sender<FromMaster>) -> FromMaster {
        let stream = match self.seek().await {
            Ok(Some(stream)) => stream,
            Ok(None) => return FromMaster::Over,
            Err(error) => return FromMaster::GaveUp(error),
        };
        let (to_master, outgoing) = mpsc::channel(outgoing_max);
        let welcomed = FromMaster::Welcomed {
            incarnation: self.incarnation,
            to_master,
        };
        if events.send(welcomed).await.is_err() {
            return FromMaster::Closed("nobody listens".to_owned());
        }
        let limit = self.settings.control_frame_bytes;
        let ended = converse(stream, limit, outgoing, events, FromMaster::Message).await;
        FromMaster::Closed(match ended {
            Ok(()) => "it closed the connection".to_owned(),
            Err(error) => error.to_string(),
        })
    }

    /// Looks at every address in turn; `None` when the job is over.
    async fn seek(&mut self) -> Result<Option<Box<dyn ByteStream>>, TaskManagerError> {
        let within = self.settings.registration_timeout;
        let mut until = self.world.now().saturating_add(within);
        let mut seen = "no address of a job master is given".to_owned();
        loop {
            for master in self.masters.clone() {
                match self.look(&master).await {
                    Look::Found(stream) => return Ok(Some(stream)),
                    Look::Over => return Ok(None),
                    Look::Never(error) => return Err(error),
                    Look::Later(cause) => {
                        debug!(task_manager = %self.index, %master, cause, "no job master yet");
                        seen = cause;
                    }
                }
            }
            if self.world.now() >= until {
                let Some(folder) = &self.folder else {
                    return Err(self.unreachable(within, seen));
                };
                if folder.is_over(&self.world).await {
                    return Ok(None);
                }
                warn!(task_manager = %self.index, cause = seen, "no job master: looking on");
                until = self.world.now().saturating_add(within);
            }
            self.world.sleep(self.settings.connect_retry).await;
        }
    }

    fn unreachable(&self, within: Duration, cause: String) -> TaskManagerError {
        let masters: Vec<_> = self.masters.iter().map(Address::as_str).collect();
        TaskManagerError::Unreachable {
            task_manager: self.index,
            masters: masters.join(", "),
            within,
            cause,
        }
    }

    async fn look(&mut self, master: &Address) -> Look {
        let limit = self.settings.hello_timeout;
        let mut stream = match self.world.timeout(limit, self.world.connect(master)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(cause)) => return Look::Later(cause.to_string()),
            Err(late) => return Look::Later(late.to_string()),
        };
        self.incarnation = Incarnation::new(self.incarnation.get().saturating_add(1));
        let hello = Hello {
            task_manager: self.index,
            incarnation: self.incarnation,
            identity: Identity {
                build: self.settings.build,
                fingerprint: self.graph.fingerprint(),
            },
        };
        let greeted = self.world.timeout(limit, hello::greet(&mut stream, hello));
        match greeted.await.unwrap_or_else(|late| Err(late.into())) {
            Ok(()) => Look::Found(stream),
            Err(cause) => self.judge(cause),
        }
    }

    fn judge(&self, cause: HelloError) -> Look {
        match &cause {
            HelloError::Refused { reason, .. } => match reason {
                Refusal::Over => return Look::Over,
                Refusal::StandingBy | Refusal::NotWaiting => return Look::Later(cause.to_string()),
                Refusal::Duplicate => {
                    warn!(task_manager = %self.index, %cause, "not registered");
                    return Look::Later(cause.to_string());
                }
                Refusal::Unknown => {}
            },
            HelloError::Truncated { .. } | HelloError::TimedOut(_) | HelloError::Io(_) => {
                return Look::Later(cause.to_string());
            }
            HelloError::OtherMagic { .. }
            | HelloError::OtherVersion { .. }
            | HelloError::OtherBuild { .. }
            | HelloError::OtherGraph { .. }
            | HelloError::UnknownVerdict { .. } => {}
        }
        Look::Never(TaskManagerError::Hello {
            task_manager: self.index,
            cause,
        })
    }
}
