//! Hosts subtasks: starts slots and the exchange, finds the job master, does what it says and
//! reports what the slots say. Outlives job masters: when one is lost, nothing of its attempt goes
//! on, and the next one is looked for.
//!
//! Reading order: this file → `link` → `hosting` → `stopping` → `carrier` → `restoring`.
//!
//! Invariant: when it returns, every slot, connection and task that it started has ended, or is
//! named in the error. It deploys from its own graph; a subtask that it cannot place is reported as
//! failed, never dropped. Its loop waits for nothing but its inputs.

use std::pin::pin;
use std::sync::Arc;

use sameriver_control::{HeartbeatMonitor, Incarnation, Liveness, Moment};
use sameriver_graph::JobGraph;
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, World};
use sameriver_task::{Exchange, SlotEvent};
use tracing::{info, warn};

use crate::checkpoints::CheckpointFolder;
use crate::rpc::{MasterMessage, TaskManagerMessage};
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;

mod carrier;
mod error;
mod hosting;
mod link;
mod restoring;
mod slot_report;
mod stopping;

pub use error::TaskManagerError;
use hosting::{Distrusted, Hosted, Hosting, Site};
use link::{FromMaster, Seeker};

/// How many messages of the job master may wait for the loop. Fixed: the loop waits for nothing but
/// its inputs, and what it has not read yet waits in the connection.
const LINK_EVENTS_MAX: usize = 16;

/// Serves one job, whoever of `masters` leads it, until the job is over.
///
/// With checkpoints it goes on looking for a job master for ever, unless the job log says that the
/// job is over; without, a job master that is gone for `registration_timeout` is an error.
///
/// # Errors
/// [`TaskManagerError`]; whatever ran here has been stopped, or is named.
pub async fn run(
    world: World,
    masters: Vec<Address>,
    index: TaskManagerIndex,
    slots: u32,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
) -> Result<(), TaskManagerError> {
    let never = std::future::pending();
    run_until(world, masters, index, slots, graph, settings, never).await
}

/// Same as [`run`], but does not go on looking for a job master once the job is `over`.
pub(crate) async fn run_until(
    world: World,
    masters: Vec<Address>,
    index: TaskManagerIndex,
    slots: u32,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
    over: impl Future<Output = ()> + Send,
) -> Result<(), TaskManagerError> {
    settings.validate()?;
    let folder = CheckpointFolder::open(&world, graph.plan(), &settings);
    let folder = folder.map_err(|cause| TaskManagerError::Store {
        task_manager: index,
        cause,
    })?;
    let bound = Exchange::bind(&world, &settings.exchange, settings.build).await;
    let exchange = bound.map_err(|cause| TaskManagerError::Listen {
        task_manager: index,
        cause,
    })?;
    // At most a start, an end and one unanswered request of each subtask wait here, and what it
    // says of a few checkpoints, so a slot that reports seldom waits for us.
    let (events, slot_events) = mpsc::channel(outgoing_max(&graph));
    let (tell, hosted) = mpsc::channel(outgoing_max(&graph));
    let (link_events, from_master) = mpsc::channel(LINK_EVENTS_MAX);
    let site = Site {
        world: world.clone(),
        index,
        graph: Arc::clone(&graph),
        settings: settings.clone(),
        folder: folder.clone(),
    };
    let manager = TaskManager {
        hosting: Hosting::start(site, slots, &exchange, &events, &tell),
        incarnation: first_incarnation(&world),
        link: Link::Cut,
        link_events,
        world,
        masters,
        index,
        slots,
        data_address: exchange.address().as_str().to_owned(),
        exchange,
        graph,
        settings,
        folder,
    };
    drop((events, tell));
    let inputs = Inputs {
        from_master,
        slot_events,
        hosted,
    };
    manager.serve(inputs, over).await
}

/// The first of a process that began at this instant of the wall clock. A clock that was set back
/// costs a refusal until the older process is lost.
fn first_incarnation(world: &World) -> Incarnation {
    /// Connections of one process that are told apart from those of one that began a millisecond
    /// later.
    const CONNECTIONS_BITS: u32 = 20;
    let millis = world.wall().as_millis().max(0).unsigned_abs();
    Incarnation::new(millis << CONNECTIONS_BITS)
}

/// The most messages of one direction that can be under way.
fn outgoing_max(graph: &JobGraph) -> usize {
    graph.plan().subtasks().count() * 8 + 64
}

/// What the loop of a task manager listens to.
struct Inputs {
    from_master: mpsc::Receiver<FromMaster>,
    slot_events: mpsc::Receiver<SlotEvent>,
    hosted: mpsc::Receiver<Hosted>,
}

/// The way to a job master.
enum Link {
    /// There is none, and none is looked for before the slots are clear.
    Cut,
    /// One is looked for.
    Seeking(Stoppable),
    /// One has taken us.
    Talking(Talk),
}

struct Talk {
    task: Stoppable,
    to_master: mpsc::Sender<TaskManagerMessage>,
    monitor: HeartbeatMonitor,
    beat: u64,
    next_beat: Moment,
}

/// Why the loop goes on or ends.
enum Next {
    On,
    End(Result<(), TaskManagerError>),
}

struct TaskManager {
    world: World,
    masters: Vec<Address>,
    index: TaskManagerIndex,
    slots: u32,
    data_address: String,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
    folder: Option<CheckpointFolder>,
    hosting: Hosting,
    exchange: Exchange,
    incarnation: Incarnation,
    link: Link,
    link_events: mpsc::Sender<FromMaster>,
}

impl TaskManager {
    /// Obeys job masters and forwards the slots' reports until the job is over, then stops the
    /// slots.
    async fn serve(
        mut self,
        mut inputs: Inputs,
        over: impl Future<Output = ()> + Send,
    ) -> Result<(), TaskManagerError> {
        let mut over = pin!(over);
        let served = loop {
            self.on_tick().await;
            self.report().await;
            if let Err(stuck) = self.seek_if_clear() {
                break Err(stuck);
            }
            let tick = self.tick();
            let next = sameriver_runtime::select! {
                Some(incoming) = inputs.from_master.recv() => self.on_master(incoming).await,
                Some(event) = inputs.slot_events.recv() => {
                    self.hosting.on_slot_event(event);
                    Next::On
                }
                Some(hosted) = inputs.hosted.recv() => {
                    self.hosting.on_hosted(hosted).await;
                    Next::On
                }
                () = &mut over, if !matches!(self.link, Link::Talking(_)) => Next::End(Ok(())),
                () = tick => Next::On,
            };
            if let Next::End(ended) = next {
                break ended;
            }
        };
        // Slots and tasks that still report must not wait for us while we wait for them.
        drop(inputs);
        self.end(served).await
    }

    async fn end(self, served: Result<(), TaskManagerError>) -> Result<(), TaskManagerError> {
        let stopped = self.hosting.stop().await;
        let within = self.settings.cancellation_timeout;
        let closed = self.world.timeout(within, self.exchange.close()).await;
        let closed = closed.map_err(|_| TaskManagerError::Unclosed {
            task_manager: self.index,
            within,
        });
        let ended = match self.link {
            Link::Cut => Ok(()),
            Link::Seeking(task) => task.stop().await,
            Link::Talking(talk) => {
                drop(talk.to_master);
                let limit = self.settings.hello_timeout;
                talk.task.end_within(&self.world, limit).await
            }
        };
        let ended = ended.map_err(|cause| TaskManagerError::Panicked {
            task_manager: self.index,
            cause,
        });
        served.and(stopped).and(closed).and(ended)
    }

    fn seek_if_clear(&mut self) -> Result<(), TaskManagerError> {
        if !matches!(self.link, Link::Cut) {
            return Ok(());
        }
        if !self.hosting.is_clear() {
            let stuck = self.hosting.stuck();
            let stuck = stuck.filter(|(_, until)| *until <= self.now());
            return stuck.map_or(Ok(()), |(slot, _)| {
                Err(TaskManagerError::Stuck {
                    task_manager: self.index,
                    slot,
                    within: self.settings.registration_timeout,
                })
            });
        }
        let seeker = Seeker {
            world: self.world.clone(),
            masters: self.masters.clone(),
            index: self.index,
            graph: Arc::clone(&self.graph),
            settings: self.settings.clone(),
            incarnation: self.incarnation,
            folder: self.folder.clone(),
        };
        let outgoing = outgoing_max(&self.graph);
        self.link = Link::Seeking(seeker.start(outgoing, self.link_events.clone()));
        Ok(())
    }

    /// Ends when a heartbeat is due, or somebody should have answered; never, if nobody should.
    fn tick(&mut self) -> impl Future<Output = ()> + use<> {
        let now = self.now();
        let slots = self.hosting.deadline();
        let until = match &mut self.link {
            Link::Talking(talk) => {
                let link = match talk.monitor.judge(now) {
                    Liveness::AliveUntil(until) => until.min(talk.next_beat),
                    Liveness::Lost => now,
                };
                Some(slots.map_or(link, |slots| slots.min(link)))
            }
            Link::Cut => {
                let stuck = self.hosting.stuck().map(|(_, until)| until);
                slots.into_iter().chain(stuck).min()
            }
            Link::Seeking(_) => slots,
        };
        let sleep = until.map(|until| self.world.sleep(until.since(now)));
        async move {
            match sleep {
                Some(sleep) => sleep.await,
                None => std::future::pending().await,
            }
        }
    }

    fn now(&self) -> Moment {
        Moment::from_origin(self.world.now().elapsed())
    }

    /// Gives up who does not answer, and gives a sign of life, if it is time.
    async fn on_tick(&mut self) {
        let now = self.now();
        self.hosting.on_deadline(now);
        let Link::Talking(talk) = &mut self.link else {
            return;
        };
        if talk.monitor.judge(now) == Liveness::Lost {
            let limit = self.settings.heartbeat_timeout;
            self.cut(&format!("nothing was heard of it for {limit:?}"))
                .await;
            return;
        }
        if now >= talk.next_beat {
            let beat = talk.beat;
            talk.beat += 1;
            talk.next_beat = now.saturating_add(self.settings.heartbeat_interval);
            self.send(TaskManagerMessage::Heartbeat { beat }).await;
        }
    }

    async fn on_master(&mut self, incoming: FromMaster) -> Next {
        match incoming {
            FromMaster::Welcomed {
                incarnation,
                to_master,
            } => self.on_welcomed(incarnation, to_master).await,
            FromMaster::Message(MasterMessage::Shutdown) => {
                if matches!(self.link, Link::Talking(_)) {
                    return Next::End(Ok(()));
                }
            }
            FromMaster::Message(message) => {
                let Link::Talking(talk) = &mut self.link else {
                    // It was sent before the connection was cut.
                    return Next::On;
                };
                let now = Moment::from_origin(self.world.now().elapsed());
                talk.monitor.beat(now);
                if let Err(Distrusted(cause)) = self.hosting.obey(message).await {
                    self.cut(&cause).await;
                }
            }
            FromMaster::Closed(cause) => {
                // That of a connection that was cut comes late.
                if matches!(self.link, Link::Talking(_)) {
                    self.cut(&cause).await;
                }
            }
            FromMaster::Over => return Next::End(Ok(())),
            FromMaster::GaveUp(error) => return Next::End(Err(error)),
        }
        Next::On
    }

    async fn on_welcomed(
        &mut self,
        incarnation: Incarnation,
        to_master: mpsc::Sender<TaskManagerMessage>,
    ) {
        let Link::Seeking(task) = std::mem::replace(&mut self.link, Link::Cut) else {
            return;
        };
        self.incarnation = incarnation;
        self.hosting.begin_session();
        let now = self.now();
        let limit = self.settings.heartbeat_timeout;
        self.link = Link::Talking(Talk {
            task,
            to_master,
            monitor: HeartbeatMonitor::new(limit, now),
            beat: 0,
            next_beat: now.saturating_add(self.settings.heartbeat_interval),
        });
        info!(task_manager = %self.index, %incarnation, "registers at a job master");
        self.send(TaskManagerMessage::Register {
            slots: self.slots,
            data_address: self.data_address.clone(),
        })
        .await;
    }

    /// Forwards what the hosting has to say.
    async fn report(&mut self) {
        for report in self.hosting.take_reports() {
            self.send(report).await;
        }
    }

    /// Queues a message; the queue holds all that can be unanswered, so it is full only when the
    /// connection hangs.
    async fn send(&mut self, message: TaskManagerMessage) {
        let Link::Talking(talk) = &self.link else {
            return;
        };
        match talk.to_master.try_send(message) {
            // A connection that has ended says why in its last event, behind what came before it.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.cut("it does not read its messages").await;
            }
        }
    }

    /// Leaves the job master: nothing of its attempt goes on here.
    async fn cut(&mut self, cause: &str) {
        let task = match std::mem::replace(&mut self.link, Link::Cut) {
            Link::Cut => return,
            Link::Seeking(task) => task,
            Link::Talking(talk) => {
                warn!(task_manager = %self.index, cause, "lost the job master");
                talk.task
            }
        };
        if let Err(panicked) = task.stop().await {
            warn!(%panicked, "a control connection panicked");
        }
        self.hosting.lose_master().await;
    }
}
