//! The connections of a job master: who has come in, who is registered, who was heard of when.
//!
//! Invariant: a task manager index has at most one registered connection, the one that registered
//! last; whatever another one says is not heard. Queues are bounded: a peer that does not read is
//! reported, never waited for.

use std::collections::BTreeMap;

use sameriver_control::{HeartbeatMonitor, Incarnation, Liveness, Moment};
use sameriver_graph::JobGraph;
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, ByteStream, Listener, World};
use tracing::warn;

use super::connection::Serving;
use super::event::{ConnectionId, Event};
use crate::rpc::{Identity, MasterMessage};
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;

/// Connections beyond one a task manager: strangers that have not said their hello yet.
const STRANGERS_MAX: usize = 64;

/// How long the acceptor rests after an error, so that it does not turn in circles.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// How many events may wait for the loop.
pub(super) fn events_max(settings: &ClusterSettings) -> usize {
    STRANGERS_MAX + settings.task_managers as usize
}

/// A connection, from its first byte on.
struct Connection {
    task: Stoppable,
    /// `None` once we have said all we had to say.
    outgoing: Option<mpsc::Sender<MasterMessage>>,
    /// Whether its hello was answered with a welcome.
    is_admitted: bool,
    registered: Option<(TaskManagerIndex, Incarnation)>,
    monitor: HeartbeatMonitor,
    /// The number of the next heartbeat.
    beat: u64,
}

/// A task manager whose connection has ended, or should.
pub(super) struct Gone {
    pub(super) task_manager: TaskManagerIndex,
    pub(super) incarnation: Incarnation,
    pub(super) cause: String,
}

pub(super) struct Door {
    world: World,
    address: Address,
    settings: ClusterSettings,
    identity: Identity,
    outgoing_max: usize,
    events: mpsc::Sender<Event>,
    acceptor: Stoppable,
    connections: BTreeMap<ConnectionId, Connection>,
    registered: BTreeMap<TaskManagerIndex, ConnectionId>,
    accepted: u64,
    /// Connections that are to be closed.
    retired: Vec<Stoppable>,
}

impl Door {
    pub(super) fn open(
        world: &World,
        listener: Box<dyn Listener>,
        graph: &JobGraph,
        settings: &ClusterSettings,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            world: world.clone(),
            address: listener.address(),
            settings: settings.clone(),
            identity: Identity {
                build: settings.build,
                fingerprint: graph.fingerprint(),
            },
            // A deployment, what belongs to a few checkpoints, and assignments of each subtask.
            outgoing_max: graph.plan().subtasks().count() * 4 + 64,
            acceptor: accept(world, listener, events.clone()),
            events,
            connections: BTreeMap::new(),
            registered: BTreeMap::new(),
            accepted: 0,
            retired: Vec::new(),
        }
    }

    /// Where task managers reach it.
    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// Lets somebody in to say hello.
    pub(super) fn let_in(&mut self, stream: Box<dyn ByteStream>) {
        if self.connections.len() >= events_max(&self.settings) {
            warn!("a control connection was dropped: too many are open");
            return;
        }
        let id = ConnectionId(self.accepted);
        self.accepted += 1;
        let (tx, outgoing) = mpsc::channel(self.outgoing_max);
        let serving = Serving {
            world: self.world.clone(),
            id,
            identity: self.identity,
            hello_timeout: self.settings.hello_timeout,
            frame_bytes: self.settings.control_frame_bytes,
            events: self.events.clone(),
        };
        let name = format!("control connection {}", id.0);
        let task = Stoppable::start(&self.world, &name, serving.serve(stream, outgoing));
        // One that has not registered has its hello to say first.
        let settings = &self.settings;
        let patience = settings
            .heartbeat_timeout
            .saturating_add(settings.hello_timeout);
        let connection = Connection {
            task,
            outgoing: Some(tx),
            is_admitted: false,
            registered: None,
            monitor: HeartbeatMonitor::new(patience, super::moment(&self.world)),
            beat: 0,
        };
        self.connections.insert(id, connection);
    }

    /// Whether the connection is open; notes that something came on it.
    pub(super) fn hear(&mut self, id: ConnectionId) -> bool {
        match self.connections.get_mut(&id) {
            Some(connection) => {
                connection.monitor.beat(super::moment(&self.world));
                true
            }
            None => false,
        }
    }

    /// Notes that whoever is on this connection is welcome, and will register.
    pub(super) fn admit(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.is_admitted = true;
        }
    }

    /// From now on this connection is the one of the task manager.
    pub(super) fn register(
        &mut self,
        id: ConnectionId,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
    ) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.registered = Some((task_manager, incarnation));
            let limit = self.settings.heartbeat_timeout;
            connection.monitor = HeartbeatMonitor::new(limit, super::moment(&self.world));
            self.registered.insert(task_manager, id);
        }
    }

    /// Whether this is the connection of a task manager that is registered.
    pub(super) fn speaks_for(&self, id: ConnectionId, task_manager: TaskManagerIndex) -> bool {
        self.registered.get(&task_manager) == Some(&id)
    }

    /// Queues a message for a registered task manager; `Err` if it does not read what it is sent.
    pub(super) fn send(
        &mut self,
        task_manager: TaskManagerIndex,
        message: MasterMessage,
    ) -> Result<(), Gone> {
        let id = self.registered.get(&task_manager);
        let Some(connection) = id.and_then(|id| self.connections.get(id)) else {
            return Ok(());
        };
        let Some(queue) = &connection.outgoing else {
            return Ok(());
        };
        match queue.try_send(message) {
            // A connection that has ended says why in its last event.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                let gone = connection.gone("it does not read its messages".to_owned());
                gone.map_or(Ok(()), Err)
            }
        }
    }

    /// Says a last word to everybody who was admitted, and ends our direction of these connections
    /// once it and everything before it is out.
    pub(super) fn say_last(&mut self, message: &MasterMessage) {
        let all = self.connections.values_mut();
        for connection in all.filter(|connection| connection.is_admitted) {
            if let Some(queue) = connection.outgoing.take() {
                // A full queue ends with the connection; the task manager sees that as well.
                let _ = queue.try_send(message.clone());
            }
        }
    }

    /// Whether somebody who was admitted is still there.
    pub(super) fn has_guests(&self) -> bool {
        let mut all = self.connections.values();
        all.any(|connection| connection.is_admitted)
    }

    /// Sends every registered task manager a heartbeat; answers those that do not read.
    pub(super) fn beat(&mut self, heartbeat: impl Fn(u64) -> MasterMessage) -> Vec<Gone> {
        let mut gone = Vec::new();
        for task_manager in self.registered.keys().copied().collect::<Vec<_>>() {
            let id = self.registered.get(&task_manager);
            let Some(connection) = id.and_then(|id| self.connections.get_mut(id)) else {
                continue;
            };
            let beat = connection.beat;
            connection.beat += 1;
            gone.extend(self.send(task_manager, heartbeat(beat)).err());
        }
        gone
    }

    /// When the first connection is silent for too long.
    pub(super) fn deadline(&mut self, now: Moment) -> Option<Moment> {
        let all = self.connections.values_mut();
        all.map(|connection| match connection.monitor.judge(now) {
            Liveness::AliveUntil(until) => until,
            Liveness::Lost => now,
        })
        .min()
    }

    /// Closes connections on which nothing came for too long; answers the registered ones.
    pub(super) fn close_silent(&mut self, now: Moment) -> Vec<Gone> {
        let all = self.connections.iter_mut();
        let late = all.filter_map(|(id, connection)| {
            (connection.monitor.judge(now) == Liveness::Lost).then_some(*id)
        });
        let limit = self.settings.heartbeat_timeout;
        let mut gone = Vec::new();
        for id in late.collect::<Vec<_>>() {
            gone.extend(self.close(id, format!("nothing was heard of it for {limit:?}")));
        }
        gone
    }

    /// Closes the connection of one life of a task manager.
    pub(super) fn disconnect(&mut self, task_manager: TaskManagerIndex, incarnation: Incarnation) {
        let mut all = self.connections.iter();
        let wanted = Some((task_manager, incarnation));
        if let Some((id, _)) = all.find(|(_, connection)| connection.registered == wanted) {
            self.close(*id, "it was disconnected".to_owned());
        }
    }

    /// Takes a connection out; answers who is gone with it.
    pub(super) fn close(&mut self, id: ConnectionId, cause: String) -> Option<Gone> {
        let connection = self.connections.remove(&id)?;
        let gone = connection.gone(cause);
        if let Some(gone) = &gone
            && self.registered.get(&gone.task_manager) == Some(&id)
        {
            self.registered.remove(&gone.task_manager);
        }
        self.retired.push(connection.task);
        gone
    }

    /// Closes every connection.
    pub(super) fn close_all(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.close(id, "the job master closes".to_owned());
        }
    }

    /// Waits for the connections that were closed.
    pub(super) async fn join_retired(&mut self) {
        for task in std::mem::take(&mut self.retired) {
            super::report_panic(task.stop().await);
        }
    }

    /// The task managers that are registered.
    pub(super) fn registered(&self) -> impl Iterator<Item = TaskManagerIndex> {
        self.registered.keys().copied()
    }

    /// Closes the port and every connection.
    pub(super) async fn shut(mut self) {
        self.close_all();
        self.join_retired().await;
        super::report_panic(self.acceptor.stop().await);
    }
}

impl Connection {
    fn gone(&self, cause: String) -> Option<Gone> {
        let (task_manager, incarnation) = self.registered?;
        Some(Gone {
            task_manager,
            incarnation,
            cause,
        })
    }
}

fn accept(
    world: &World,
    mut listener: Box<dyn Listener>,
    events: mpsc::Sender<Event>,
) -> Stoppable {
    let waiting = world.clone();
    Stoppable::start(world, "control accept", async move {
        loop {
            match listener.accept().await {
                Ok(stream) => {
                    if events.send(Event::Accepted(stream)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    warn!(%error, "a control connection was not accepted");
                    waiting.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}
