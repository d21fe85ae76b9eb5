//! Hosts subtasks: starts slots and the exchange, registers at the job master, does what it says
//! and reports what the slots say.
//!
//! Invariant: when it returns, every slot, connection and task that it started has ended. It
//! deploys from its own graph; a subtask that it cannot place is reported as failed, never dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sameriver_graph::JobGraph;
use sameriver_model::{
    AttemptNumber, Failure, FailureKind, SlotIndex, SubtaskId, TaskManagerIndex,
};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, ByteStream, Panicked, World};
use sameriver_task::{Deployment, Exchange, Placement, Slot, SlotEvent, SlotMail};
use thiserror::Error;
use tracing::{info, warn};

use crate::rpc::connection::converse;
use crate::rpc::hello::{self, Hello, HelloError, Identity};
use crate::rpc::{Deploy, FrameError, MasterMessage, TaskManagerMessage};
use crate::settings::{ClusterSettings, ClusterSettingsError};
use crate::stoppable::Stoppable;

/// Why a task manager ended before the job master told it to.
#[derive(Debug, Error)]
pub enum TaskManagerError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] ClusterSettingsError),
    /// There is no port for data.
    #[error("task manager {task_manager} cannot listen for data connections: {cause}")]
    Listen {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The job master does not answer.
    #[error(
        "task manager {task_manager} does not reach the job master at {master} within {within:?}: \
         {cause}: start it, or raise registration_timeout"
    )]
    Unreachable {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// The job master's address.
        master: Address,
        /// How long it was tried.
        within: Duration,
        /// What the operating system said last.
        cause: io::Error,
    },
    /// The two do not work together.
    #[error("task manager {task_manager}: {cause}")]
    Hello {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// Why.
        cause: HelloError,
    },
    /// The connection ended in the middle of the job.
    #[error("task manager {task_manager} lost the job master: {cause}")]
    MasterLost {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// What was seen.
        cause: String,
    },
    /// A bug of the engine.
    #[error("task manager {task_manager}: {cause}")]
    Panicked {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// Which task, and what it said.
        cause: Panicked,
    },
}

/// What comes from the job master.
enum FromMaster {
    Message(MasterMessage),
    Closed(Result<(), FrameError>),
}

/// Serves one job until its master says that it is over.
///
/// # Errors
/// [`TaskManagerError`]; whatever ran here has been stopped.
pub async fn run(
    world: World,
    master: Address,
    index: TaskManagerIndex,
    slots: u32,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
) -> Result<(), TaskManagerError> {
    let never = std::future::pending();
    run_until(world, master, index, slots, graph, settings, never).await
}

/// Same as [`run`], but does not go on looking for a job master once the job is `over`.
pub(crate) async fn run_until(
    world: World,
    master: Address,
    index: TaskManagerIndex,
    slots: u32,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
    over: impl Future<Output = ()> + Send,
) -> Result<(), TaskManagerError> {
    settings.validate()?;
    let bound = Exchange::bind(&world, &settings.exchange, settings.build).await;
    let exchange = bound.map_err(|cause| TaskManagerError::Listen {
        task_manager: index,
        cause,
    })?;
    let stream = sameriver_runtime::select! {
        connected = connect(&world, &master, index, &graph, &settings) => connected?,
        () = over => return Ok(()),
    };
    let (to_master, from_master, connection) = talk(&world, stream, index, &graph, &settings);
    // At most a start, an end and one unanswered split request of each subtask wait here, so a slot
    // that reports never waits for us.
    let (events, slot_events) = mpsc::channel(queue(&graph) * 2);
    let slots = (0..slots).map(SlotIndex::new);
    let start = |slot| {
        Slot::start(
            &world,
            slot,
            settings.slot,
            exchange.clone(),
            events.clone(),
        )
    };
    let manager = TaskManager {
        index,
        graph: Arc::clone(&graph),
        slots: slots.map(start).collect(),
        to_master,
        live: BTreeMap::new(),
    };
    drop(events);
    manager.register(&exchange);
    let served = manager.serve(from_master, slot_events).await;
    let ended = connection.end_within(&world, settings.hello_timeout).await;
    let panicked = |cause| TaskManagerError::Panicked {
        task_manager: index,
        cause,
    };
    served.and(ended.map_err(panicked))
}

/// The most messages of one direction that can be under way.
fn queue(graph: &JobGraph) -> usize {
    graph.plan().subtasks().count() * 4 + 16
}

/// Connects and says hello; the job master may start later than we do.
async fn connect(
    world: &World,
    master: &Address,
    index: TaskManagerIndex,
    graph: &JobGraph,
    settings: &ClusterSettings,
) -> Result<Box<dyn ByteStream>, TaskManagerError> {
    let within = settings.registration_timeout;
    let until = world.now().saturating_add(within);
    let mut stream = loop {
        match world.timeout(within, world.connect(master)).await {
            Ok(Ok(stream)) => break stream,
            Ok(Err(cause)) if world.now() >= until => {
                return Err(unreachable(index, master, within, cause));
            }
            Ok(Err(_)) => world.sleep(settings.connect_retry).await,
            Err(late) => {
                let cause = io::Error::new(io::ErrorKind::TimedOut, late);
                return Err(unreachable(index, master, within, cause));
            }
        }
    };
    let hello = Hello {
        task_manager: index,
        identity: Identity {
            build: settings.build,
            fingerprint: graph.fingerprint(),
        },
    };
    let greeted = world
        .timeout(settings.hello_timeout, hello::greet(&mut stream, hello))
        .await;
    let greeted = greeted.unwrap_or_else(|late| Err(late.into()));
    greeted.map_err(|cause| TaskManagerError::Hello {
        task_manager: index,
        cause,
    })?;
    Ok(stream)
}

fn unreachable(
    task_manager: TaskManagerIndex,
    master: &Address,
    within: Duration,
    cause: io::Error,
) -> TaskManagerError {
    TaskManagerError::Unreachable {
        task_manager,
        master: master.clone(),
        within,
        cause,
    }
}

/// Starts the task that sends and receives frames.
fn talk(
    world: &World,
    stream: Box<dyn ByteStream>,
    index: TaskManagerIndex,
    graph: &JobGraph,
    settings: &ClusterSettings,
) -> (
    mpsc::Sender<TaskManagerMessage>,
    mpsc::Receiver<FromMaster>,
    Stoppable,
) {
    let (to_master, outgoing) = mpsc::channel(queue(graph));
    let (incoming, from_master) = mpsc::channel(16);
    let limit = settings.control_frame_bytes;
    let task = Stoppable::start(world, &format!("control {index}"), async move {
        let ended = converse(stream, limit, outgoing, &incoming, FromMaster::Message).await;
        // A task manager that is shutting down does not listen any more.
        let _ = incoming.send(FromMaster::Closed(ended)).await;
    });
    (to_master, from_master, task)
}

struct TaskManager {
    index: TaskManagerIndex,
    graph: Arc<JobGraph>,
    slots: Vec<Slot>,
    to_master: mpsc::Sender<TaskManagerMessage>,
    /// The subtasks that were deployed here and have not ended.
    live: BTreeMap<SubtaskId, (SlotIndex, AttemptNumber)>,
}

impl TaskManager {
    fn register(&self, exchange: &Exchange) {
        self.report(TaskManagerMessage::Register {
            slots: u32::try_from(self.slots.len()).expect("slots were counted by a u32"),
            data_address: exchange.address().as_str().to_owned(),
        });
    }

    /// Queues a message; the queue holds all that can be unanswered, so it is full only when the
    /// connection hangs, and then the job master's loss ends us.
    fn report(&self, message: TaskManagerMessage) {
        if let Err(error) = self.to_master.try_send(message) {
            warn!(task_manager = %self.index, %error, "a report does not reach the job master");
        }
    }

    /// Obeys the job master and forwards the slots' reports until the job is over, then stops the
    /// slots.
    async fn serve(
        mut self,
        mut from_master: mpsc::Receiver<FromMaster>,
        mut slot_events: mpsc::Receiver<SlotEvent>,
    ) -> Result<(), TaskManagerError> {
        let served = loop {
            sameriver_runtime::select! {
                incoming = from_master.recv() => match incoming {
                    Some(FromMaster::Message(MasterMessage::Shutdown)) => break Ok(()),
                    Some(FromMaster::Message(message)) => self.obey(message).await,
                    Some(FromMaster::Closed(ended)) => break Err(self.lost(ended)),
                    None => break Err(self.lost(Ok(()))),
                },
                Some(event) = slot_events.recv() => self.forward(event),
            }
        };
        // Slots that still report must not wait for us while we wait for them.
        slot_events.close();
        let mut stopped = Ok(());
        for slot in self.slots {
            let ended = slot.stop().await;
            stopped = stopped.and(ended.map_err(|cause| TaskManagerError::Panicked {
                task_manager: self.index,
                cause,
            }));
        }
        served.and(stopped)
    }

    fn lost(&self, ended: Result<(), FrameError>) -> TaskManagerError {
        let cause = match ended {
            Ok(()) => "it closed the connection".to_owned(),
            Err(error) => error.to_string(),
        };
        TaskManagerError::MasterLost {
            task_manager: self.index,
            cause,
        }
    }

    async fn obey(&mut self, message: MasterMessage) {
        match message {
            MasterMessage::Deploy(deploy) => self.deploy(deploy).await,
            MasterMessage::Assign {
                subtask,
                attempt,
                splits,
                no_more,
            } => {
                if let Some((slot, current)) = self.live.get(&subtask)
                    && *current == attempt
                {
                    let assign = SlotMail::Assign {
                        subtask,
                        attempt,
                        splits,
                        no_more,
                    };
                    self.post(*slot, assign).await;
                }
            }
            MasterMessage::Cancel { attempt } => {
                for slot in 0..self.slots.len() as u32 {
                    self.post(SlotIndex::new(slot), SlotMail::Cancel { attempt })
                        .await;
                }
            }
            MasterMessage::Shutdown => {}
        }
    }

    async fn deploy(&mut self, deploy: Deploy) {
        let hosts = deploy.hosts.into_iter();
        let addresses = deploy.addresses.into_iter();
        let placement = Arc::new(Placement {
            here: self.index,
            hosts: hosts.map(|(id, host, slot)| (id, (host, slot))).collect(),
            addresses: addresses
                .map(|(index, at)| (index, Address::new(at)))
                .collect(),
        });
        info!(task_manager = %self.index, attempt = %deploy.attempt,
            subtasks = deploy.subtasks.len(), "deploy");
        let slots: BTreeSet<SlotIndex> = deploy.subtasks.iter().map(|(_, slot)| *slot).collect();
        for (subtask, slot) in deploy.subtasks {
            self.live.insert(subtask, (slot, deploy.attempt));
            let deployment = Deployment {
                attempt: deploy.attempt,
                subtask,
                graph: Arc::clone(&self.graph),
                placement: Arc::clone(&placement),
                restored: None,
                restored_from: None,
                checkpoints: None,
            };
            self.post(slot, SlotMail::Deploy(deployment)).await;
        }
        // Without checkpoints nobody needs a subtask that has ended.
        for slot in slots {
            let attempt = deploy.attempt;
            self.post(slot, SlotMail::Release { attempt }).await;
        }
    }

    /// Sends mail to a slot; one that is not there fails all its subtasks.
    async fn post(&mut self, slot: SlotIndex, mail: SlotMail) {
        let sent = match self.slots.get(slot.position()) {
            Some(slot) => slot.send(mail).await.is_ok(),
            None => false,
        };
        if sent {
            return;
        }
        for (subtask, attempt) in self.take_live(|at, _| at == slot) {
            let message = format!("slot {slot} of task manager {} has ended", self.index);
            let failure = Failure::new(FailureKind::Internal, message).in_subtask(subtask);
            self.report(TaskManagerMessage::Failed {
                subtask,
                attempt,
                failure,
            });
        }
    }

    /// Removes the live subtasks that match and answers them in order.
    fn take_live(
        &mut self,
        matches: impl Fn(SlotIndex, AttemptNumber) -> bool,
    ) -> Vec<(SubtaskId, AttemptNumber)> {
        let all = self.live.iter();
        let taken = all.filter(|(_, (slot, attempt))| matches(*slot, *attempt));
        let taken: Vec<_> = taken.map(|(id, (_, attempt))| (*id, *attempt)).collect();
        for (subtask, _) in &taken {
            self.live.remove(subtask);
        }
        taken
    }

    fn forward(&mut self, event: SlotEvent) {
        match event {
            SlotEvent::Running { subtask, attempt } => {
                self.report(TaskManagerMessage::Running { subtask, attempt });
            }
            SlotEvent::SplitRequest { subtask, attempt } => {
                self.report(TaskManagerMessage::SplitRequest { subtask, attempt });
            }
            // Without checkpoints nobody waits for these.
            SlotEvent::Ended { .. }
            | SlotEvent::Acknowledged { .. }
            | SlotEvent::Declined { .. } => {}
            SlotEvent::Finished {
                subtask,
                attempt,
                metrics,
            } => {
                self.live.remove(&subtask);
                self.report(TaskManagerMessage::Finished {
                    subtask,
                    attempt,
                    metrics,
                });
            }
            SlotEvent::Failed {
                subtask,
                attempt,
                failure,
            } => {
                self.live.remove(&subtask);
                self.report(TaskManagerMessage::Failed {
                    subtask,
                    attempt,
                    failure,
                });
            }
            // The slot answers once for all that it hosted; the job counts subtasks.
            SlotEvent::Cancelled { slot, attempt } => {
                for (subtask, attempt) in self.take_live(|at, of| at == slot && of == attempt) {
                    self.report(TaskManagerMessage::Cancelled { subtask, attempt });
                }
            }
        }
    }
}
