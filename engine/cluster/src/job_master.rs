//! The loop that owns one job: it feeds facts to the job machine and carries out its commands.
//!
//! Invariant: the loop waits for nothing but its inputs. A task manager that does not read fills
//! its own bounded queue and is then lost; it never stops the loop. Knows no record type.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use sameriver_control::{
    Command, Fact, Incarnation, JobEnd, JobMachine, JobSettings, JobStatus, Moment, PlacedSubtask,
    RestartStrategy,
};
use sameriver_graph::JobGraph;
use sameriver_model::{AttemptNumber, Failure, FailureKind, SubtaskId, TaskManagerIndex};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, ByteStream, Listener, World};
use sameriver_task::SubtaskMetrics;
use tracing::{debug, info, warn};

use crate::job_control::{JobRequests, Request};
use crate::outcome::JobOutcome;
use crate::rpc::{Deploy, Identity, MasterMessage, Refusal, TaskManagerMessage};
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;

mod connection;
mod enumerators;

use connection::{ConnectionId, Event};
use enumerators::{Assigned, Enumerators};

/// Connections beyond one a task manager: strangers that have not said their hello yet.
const STRANGERS_MAX: usize = 64;

/// A task manager that was lost does not come back.
const FIRST_LIFE: Incarnation = Incarnation::new(1);

/// Runs one job to its end; the listening address is given.
///
/// Same as [`JobMaster::bind`] and [`JobMaster::run`]; an address that cannot be listened on is a
/// failed job.
pub async fn run(
    world: World,
    address: Address,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
    requests: JobRequests,
) -> JobOutcome {
    match JobMaster::bind(&world, &address).await {
        Ok(master) => master.run(graph, settings, requests).await,
        Err(error) => {
            requests.end(JobStatus::Failed);
            let message = format!("the job master cannot listen on {address}: {error}");
            JobOutcome::failed(FailureKind::Cluster, message)
        }
    }
}

/// A job master that listens and has not begun.
pub struct JobMaster {
    world: World,
    listener: Box<dyn Listener>,
}

impl JobMaster {
    /// Listens for task managers.
    ///
    /// # Errors
    /// Those of the operating system: address in use, not ours.
    pub async fn bind(world: &World, address: &Address) -> io::Result<Self> {
        let listener = world.listen(address).await?;
        let world = world.clone();
        Ok(Self { world, listener })
    }

    /// Where task managers reach it.
    pub fn address(&self) -> Address {
        self.listener.address()
    }

    /// Runs one job to its end and releases everything.
    pub async fn run(
        self,
        graph: Arc<JobGraph>,
        settings: ClusterSettings,
        mut requests: JobRequests,
    ) -> JobOutcome {
        if let Err(error) = settings.validate() {
            requests.end(JobStatus::Failed);
            return JobOutcome::failed(FailureKind::Limit, error.to_string());
        }
        let connections_max = STRANGERS_MAX + settings.task_managers as usize;
        let (events, mut inbox) = mpsc::channel(connections_max);
        let acceptor = accept(&self.world, self.listener, events.clone());
        let mut driver = Driver::new(self.world, graph, settings, events);
        driver.decide(Fact::Started);
        while driver.end.is_none() {
            let deadline = driver.deadline();
            sameriver_runtime::select! {
                request = requests.next() => driver.on_request(request),
                Some(event) = inbox.recv() => driver.on_event(event).await,
                () = deadline => driver.decide(Fact::DeadlinePassed),
            }
        }
        report_panic(acceptor.stop().await);
        let outcome = driver.shut_down(inbox).await;
        requests.end(outcome.status.status());
        outcome
    }
}

/// A panic of one of our tasks is a bug of the engine; what it stood for is reported elsewhere.
fn report_panic(ended: Result<(), sameriver_runtime::Panicked>) {
    if let Err(panicked) = ended {
        warn!(%panicked, "a task of the job master panicked");
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

/// How long the acceptor rests after an error, so that it does not turn in circles.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// A connection, from its first byte on.
struct Connection {
    task: Stoppable,
    /// `None` once we have said all we had to say.
    outgoing: Option<mpsc::Sender<MasterMessage>>,
    task_manager: Option<TaskManagerIndex>,
}

struct Driver {
    world: World,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
    machine: JobMachine,
    facts: VecDeque<Fact>,
    events: mpsc::Sender<Event>,
    connections: BTreeMap<ConnectionId, Connection>,
    accepted: u64,
    enumerators: Enumerators,
    metrics: BTreeMap<SubtaskId, SubtaskMetrics>,
    end: Option<JobEnd>,
}

impl Driver {
    fn new(
        world: World,
        graph: Arc<JobGraph>,
        settings: ClusterSettings,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let plan = graph.plan().clone();
        let job = JobSettings {
            task_managers: settings.task_managers,
            fingerprint: graph.fingerprint(),
            deadlines: settings.deadlines(),
            restart: RestartStrategy::None,
            seed: 0,
            checkpoints: None,
        };
        Self {
            machine: JobMachine::new(plan, job),
            world,
            graph,
            settings,
            facts: VecDeque::new(),
            events,
            connections: BTreeMap::new(),
            accepted: 0,
            enumerators: Enumerators::default(),
            metrics: BTreeMap::new(),
            end: None,
        }
    }

    fn now(&self) -> Moment {
        Moment::from_origin(self.world.now().elapsed())
    }

    /// Ends when the machine's deadline has passed; never, if it has none.
    fn deadline(&self) -> impl Future<Output = ()> + use<> {
        let wait = self.machine.deadline().map(|until| until.since(self.now()));
        let sleep = wait.map(|wait| self.world.sleep(wait));
        async move {
            match sleep {
                Some(sleep) => sleep.await,
                None => std::future::pending().await,
            }
        }
    }

    /// Feeds a fact, and what comes of carrying out its commands, to the machine.
    fn decide(&mut self, fact: Fact) {
        self.facts.push_back(fact);
        while let Some(fact) = self.facts.pop_front() {
            debug!(?fact, "fact");
            let before = self.machine.status();
            let mut commands = Vec::new();
            let now = self.now();
            self.machine.on(fact, now, &mut commands);
            let after = self.machine.status();
            if before != after {
                info!(job = self.graph.plan().name, from = %before, to = %after, "job");
            }
            for command in commands {
                self.carry_out(command);
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::OpenEnumerators { attempt, .. } => {
                let events = self.events.clone();
                self.enumerators.open(&self.world, &self.graph, &events);
                // Readers that ask before their enumerator is ready wait for it.
                self.facts.push_back(Fact::EnumeratorsRead { attempt });
            }
            Command::Deploy {
                task_manager,
                attempt,
                subtasks,
                ..
            } => {
                let deploy = self.deploy(attempt, &subtasks);
                self.send(task_manager, MasterMessage::Deploy(deploy));
            }
            Command::Cancel {
                task_manager,
                attempt,
            } => self.send(task_manager, MasterMessage::Cancel { attempt }),
            Command::JobEnded(end) => self.end = Some(end),
            other @ (Command::Disconnect { .. }
            | Command::TriggerCheckpoint { .. }
            | Command::AbortCheckpoint { .. }
            | Command::PublishCheckpoint { .. }
            | Command::NotifyComplete { .. }
            | Command::Discard { .. }
            | Command::Release { .. }
            | Command::PublishEnd(_)
            | Command::StandDown { .. }) => warn!(?other, "a command is not carried out"),
        }
    }

    fn deploy(&self, attempt: AttemptNumber, subtasks: &[PlacedSubtask]) -> Deploy {
        let hosts = self.machine.assignment().hosts().iter();
        let addresses = self.machine.data_addresses();
        let placed = subtasks.iter();
        Deploy {
            attempt,
            hosts: hosts.map(|(id, host)| (*id, host.0, host.1)).collect(),
            addresses: addresses
                .map(|(index, at)| (index, at.to_owned()))
                .collect(),
            subtasks: placed.map(|placed| (placed.subtask, placed.slot)).collect(),
        }
    }

    /// Queues a message; a task manager that does not read what it was sent is lost.
    fn send(&mut self, task_manager: TaskManagerIndex, message: MasterMessage) {
        let mut all = self.connections.values();
        let connection = all.find(|connection| connection.task_manager == Some(task_manager));
        let queue = connection.and_then(|connection| connection.outgoing.as_ref());
        match queue.map(|queue| queue.try_send(message)) {
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                self.facts.push_back(Fact::TaskManagerLost {
                    task_manager,
                    incarnation: FIRST_LIFE,
                    cause: "it does not read its messages".to_owned(),
                });
            }
            // A connection that has ended says why in its last event.
            Some(Ok(()) | Err(mpsc::error::TrySendError::Closed(_))) | None => {}
        }
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Cancel => self.decide(Fact::CancelRequested),
            Request::Fail(failure) => self.decide(Fact::Failed { failure }),
            // Who asked may have gone away.
            Request::Status(answer) => drop(answer.send(self.machine.status())),
        }
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Accepted(stream) => self.on_accepted(stream),
            Event::Knocked {
                task_manager,
                answer,
            } => {
                let admitted = self.machine.admits(task_manager, FIRST_LIFE);
                if let Err(error) = &admitted {
                    warn!(%error, "a task manager was refused");
                }
                // A connection that has ended meanwhile needs no answer.
                let _ = answer.send(admitted.map_err(Refusal::from));
            }
            Event::Refused {
                task_manager,
                reason,
            } => {
                warn!(reason, "a control connection was refused");
                let expected = self.settings.task_managers;
                if task_manager.is_some_and(|index| index.get() < expected) {
                    self.decide(Fact::TaskManagerRefused { reason });
                }
            }
            Event::Message {
                connection,
                task_manager,
                message,
            } => self.on_message(connection, task_manager, message),
            Event::Closed { connection, cause } => self.on_closed(connection, cause).await,
            Event::Enumerated { vertex, result } => match self.enumerators.ready(vertex, result) {
                Ok(assigned) => self.assign(assigned),
                Err(failure) => self.decide(Fact::Failed { failure }),
            },
        }
    }

    fn on_accepted(&mut self, stream: Box<dyn ByteStream>) {
        if self.connections.len() >= STRANGERS_MAX + self.settings.task_managers as usize {
            warn!("a control connection was dropped: too many are open");
            return;
        }
        let id = ConnectionId(self.accepted);
        self.accepted += 1;
        // One deployment, one cancel, one shutdown and one assignment a source subtask.
        let (tx, outgoing) = mpsc::channel(self.graph.plan().subtasks().count() + 16);
        let serving = connection::Serving {
            world: self.world.clone(),
            id,
            identity: Identity {
                build: self.settings.build,
                fingerprint: self.graph.fingerprint(),
            },
            hello_timeout: self.settings.hello_timeout,
            frame_bytes: self.settings.control_frame_bytes,
            events: self.events.clone(),
        };
        let name = format!("control connection {}", id.0);
        let task = Stoppable::start(&self.world, &name, serving.serve(stream, outgoing));
        let connection = Connection {
            task,
            outgoing: Some(tx),
            task_manager: None,
        };
        self.connections.insert(id, connection);
    }

    fn on_message(
        &mut self,
        id: ConnectionId,
        task_manager: TaskManagerIndex,
        message: TaskManagerMessage,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let TaskManagerMessage::Register {
            slots,
            data_address,
        } = message
        {
            if let Err(error) = self.machine.admits(task_manager, FIRST_LIFE) {
                warn!(%error, "a registration was refused");
                connection.outgoing = None;
                return;
            }
            connection.task_manager = Some(task_manager);
            info!(%task_manager, slots, data_address, "task manager registered");
            return self.decide(Fact::TaskManagerRegistered {
                task_manager,
                incarnation: FIRST_LIFE,
                slots,
                data_address,
            });
        }
        if connection.task_manager == Some(task_manager) {
            self.on_report(task_manager, message);
        }
    }

    /// A registered task manager reports on a subtask that it hosts.
    fn on_report(&mut self, task_manager: TaskManagerIndex, message: TaskManagerMessage) {
        let (subtask, fact) = match message {
            TaskManagerMessage::Register { .. } => return,
            TaskManagerMessage::Running { subtask, attempt } => {
                (subtask, Fact::SubtaskRunning { subtask, attempt })
            }
            TaskManagerMessage::SplitRequest { subtask, attempt } => {
                if self.is_current(task_manager, subtask, attempt) {
                    match self.enumerators.request(subtask, attempt) {
                        Ok(assigned) => self.assign(assigned),
                        Err(failure) => self.decide(Fact::Failed { failure }),
                    }
                }
                return;
            }
            TaskManagerMessage::Finished {
                subtask,
                attempt,
                metrics,
            } => {
                if self.is_current(task_manager, subtask, attempt) {
                    self.metrics.insert(subtask, metrics);
                }
                (subtask, Fact::SubtaskFinished { subtask, attempt })
            }
            TaskManagerMessage::Failed {
                subtask,
                attempt,
                failure,
            } => {
                let fact = Fact::SubtaskFailed {
                    subtask,
                    attempt,
                    failure,
                };
                (subtask, fact)
            }
            TaskManagerMessage::Cancelled { subtask, attempt } => {
                (subtask, Fact::SubtaskCancelled { subtask, attempt })
            }
        };
        if self.machine.assignment().task_manager(subtask) == Some(task_manager) {
            self.decide(fact);
        } else {
            warn!(%task_manager, %subtask, "a report on a subtask of another task manager");
        }
    }

    fn is_current(
        &self,
        task_manager: TaskManagerIndex,
        subtask: SubtaskId,
        attempt: AttemptNumber,
    ) -> bool {
        attempt == self.machine.attempt()
            && self.machine.assignment().task_manager(subtask) == Some(task_manager)
    }

    fn assign(&mut self, assigned: Vec<Assigned>) {
        for Assigned {
            subtask,
            attempt,
            assignment,
        } in assigned
        {
            let Some(host) = self.machine.assignment().task_manager(subtask) else {
                continue;
            };
            let message = MasterMessage::Assign {
                subtask,
                attempt,
                splits: assignment.splits,
                no_more: assignment.no_more,
            };
            self.send(host, message);
        }
        if let Some(fact) = self.facts.pop_front() {
            self.decide(fact);
        }
    }

    async fn on_closed(&mut self, id: ConnectionId, cause: String) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        report_panic(connection.task.join().await);
        if let Some(task_manager) = connection.task_manager {
            self.decide(Fact::TaskManagerLost {
                task_manager,
                incarnation: FIRST_LIFE,
                cause,
            });
        }
    }

    /// Tells every task manager that the job is over, waits until they have released everything,
    /// and stops what does not answer.
    async fn shut_down(mut self, mut inbox: mpsc::Receiver<Event>) -> JobOutcome {
        self.enumerators.stop().await;
        let all = std::mem::take(&mut self.connections);
        for (id, mut connection) in all {
            let outgoing = connection.outgoing.take();
            if connection.task_manager.is_none() {
                report_panic(connection.task.stop().await);
                continue;
            }
            if let Some(outgoing) = outgoing {
                // A full queue ends with the connection; the task manager sees that as well.
                let _ = outgoing.try_send(MasterMessage::Shutdown);
            }
            self.connections.insert(id, connection);
        }
        let mut limit = self.world.sleep(self.settings.cancellation_timeout);
        while !self.connections.is_empty() {
            sameriver_runtime::select! {
                Some(event) = inbox.recv() => if let Event::Closed { connection, .. } = event
                    && let Some(connection) = self.connections.remove(&connection)
                {
                    report_panic(connection.task.join().await);
                },
                () = &mut limit => break,
            }
        }
        for connection in std::mem::take(&mut self.connections).into_values() {
            let task_manager = connection.task_manager.map(|index| index.to_string());
            warn!(
                task_manager,
                "a task manager does not shut down: its connection is closed"
            );
            report_panic(connection.task.stop().await);
        }
        let failure = Failure::new(FailureKind::Internal, "the job master stopped half-way");
        let end = self.end.unwrap_or(JobEnd::Failed(failure));
        JobOutcome::new(end, self.graph.plan(), &self.metrics)
    }
}
