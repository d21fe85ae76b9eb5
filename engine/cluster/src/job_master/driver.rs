//! Carries out what the job machine decides, as long as this job master leads.
//!
//! Invariant: the loop waits for nothing but its inputs. Commands are carried out in their order;
//! the snapshots of the enumerators and the triggers to the sources are one step, so that no split
//! is handed out between them. Everything that writes to the job log goes through the keeper.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sameriver_control::{AbortCause, Command, Fact, JobEnd, JobMachine, JobStatus, Moment};
use sameriver_graph::JobGraph;
use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef};
use sameriver_model::probe::crash_point;
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, JobNonce, ProcessingTime, SubtaskId, TaskManagerIndex,
};
use sameriver_runtime::World;
use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_task::SubtaskMetrics;
use tracing::{debug, info, warn};

use super::door::{Door, Gone};
use super::enumerators::{Assigned, Enumerators};
use super::event::Event;
use super::keeper::{Keeper, Order};
use crate::checkpoints::CheckpointFolder;
use crate::job_control::{CheckpointRequestError, JobReport, JobRequests, Request};
use crate::outcome::{JobCounts, JobOutcome};
use crate::rpc::{InOrder, MasterMessage};
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;

/// Somebody who asked for a checkpoint.
struct Asked {
    /// Only a later checkpoint was triggered afterwards.
    after: Option<CheckpointId>,
    answer: oneshot::Sender<Result<CheckpointId, CheckpointRequestError>>,
}

/// How the time of a driver ends.
pub(super) enum Ended {
    /// The job is over.
    Over(JobOutcome),
    /// Another job master leads.
    Deposed,
}

/// How the machine wants the loop to end.
enum End {
    Over(JobEnd),
    Deposed,
}

/// What a driver has to know of its job master.
pub(super) struct Site {
    pub(super) world: World,
    pub(super) graph: Arc<JobGraph>,
    pub(super) settings: ClusterSettings,
    pub(super) folder: Option<CheckpointFolder>,
    pub(super) events: mpsc::Sender<Event>,
}

pub(super) struct Driver<'a> {
    pub(super) site: &'a Site,
    /// Which job we lead.
    pub(super) job: JobNonce,
    pub(super) door: &'a mut Door,
    pub(super) keeper: Option<Keeper>,
    pub(super) machine: JobMachine,
    pub(super) facts: VecDeque<Fact>,
    pub(super) enumerators: Enumerators,
    pub(super) metrics: BTreeMap<SubtaskId, SubtaskMetrics>,
    /// What the current attempt starts from.
    pub(super) restored: Option<(CheckpointRef, CheckpointMetadata)>,
    /// Reads the metadata of a checkpoint, for the attempt.
    pub(super) reading: Option<Stoppable>,
    /// Those that read for an earlier attempt; they are to be joined.
    pub(super) retired: Vec<Stoppable>,
    /// The place of the next message of the attempt that has one, for each task manager.
    orders: BTreeMap<TaskManagerIndex, u64>,
    /// The attempt that was deployed last.
    pub(super) deployed: Option<AttemptNumber>,
    /// The latest checkpoint that was triggered.
    triggered: Option<CheckpointId>,
    /// The latest checkpoint that was published, and by which attempt.
    latest: Option<CheckpointRef>,
    asked: Vec<Asked>,
    pub(super) counts: JobCounts,
    next_beat: Moment,
    end: Option<End>,
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        site: &'a Site,
        job: JobNonce,
        door: &'a mut Door,
        keeper: Option<Keeper>,
    ) -> Self {
        let plan = site.graph.plan().clone();
        let seed = site.world.random("restarts").next_u64();
        let settings = site.settings.job(site.graph.fingerprint(), seed);
        Self {
            machine: JobMachine::new(plan, settings),
            site,
            job,
            door,
            keeper,
            facts: VecDeque::new(),
            enumerators: Enumerators::default(),
            metrics: BTreeMap::new(),
            restored: None,
            reading: None,
            retired: Vec::new(),
            orders: BTreeMap::new(),
            deployed: None,
            triggered: None,
            latest: None,
            asked: Vec::new(),
            counts: JobCounts::default(),
            next_beat: super::moment(&site.world),
            end: None,
        }
    }

    /// Leads the job until it is over, or somebody else does.
    pub(super) async fn run(
        mut self,
        leadership: Option<Fact>,
        is_cancelled: bool,
        inbox: &mut mpsc::Receiver<Event>,
        requests: &mut JobRequests,
    ) -> Ended {
        self.decide(Fact::Started);
        if let Some(taken) = leadership {
            self.decide(taken);
        }
        if is_cancelled {
            self.decide(Fact::CancelRequested);
        }
        let end = loop {
            self.on_tick();
            self.clear_away().await;
            if let Some(end) = self.end.take() {
                break end;
            }
            let tick = self.tick();
            sameriver_runtime::select! {
                request = requests.next() => self.on_request(request),
                Some(event) = inbox.recv() => self.on_event(event),
                () = tick => {}
            }
        };
        self.asked.clear();
        self.enumerators.stop().await;
        if let Some(reading) = self.reading.take() {
            super::report_panic(reading.stop().await);
        }
        let keeper = self.keeper.take();
        match end {
            End::Over(end) => {
                if let Some(keeper) = keeper {
                    keeper
                        .finish(&self.site.world, self.site.settings.conclusion_timeout)
                        .await;
                }
                let plan = self.site.graph.plan();
                Ended::Over(JobOutcome::new(end, plan, &self.metrics, self.counts))
            }
            End::Deposed => {
                if let Some(keeper) = keeper {
                    keeper.stop().await;
                }
                Ended::Deposed
            }
        }
    }

    /// Joins what was told to end.
    async fn clear_away(&mut self) {
        self.door.join_retired().await;
        self.enumerators.join_retired().await;
        for reading in std::mem::take(&mut self.retired) {
            super::report_panic(reading.stop().await);
        }
    }

    fn now(&self) -> Moment {
        super::moment(&self.site.world)
    }

    /// Ends when the machine's deadline has passed, a heartbeat is due or was due.
    fn tick(&mut self) -> impl Future<Output = ()> + use<> {
        let now = self.now();
        let until = self.machine.deadline().into_iter();
        let until = until.chain(self.door.deadline(now));
        let until = until.fold(self.next_beat, Moment::min);
        self.site.world.sleep(until.since(now))
    }

    fn on_tick(&mut self) {
        let now = self.now();
        if self.machine.deadline().is_some_and(|until| until <= now) {
            self.decide(Fact::DeadlinePassed);
        }
        for gone in self.door.close_silent(now) {
            self.lose(gone);
        }
        if self.next_beat > now {
            return;
        }
        self.next_beat = now.saturating_add(self.site.settings.heartbeat_interval);
        let attempt = self.machine.attempt();
        let latest = self
            .latest
            .as_ref()
            .filter(|latest| latest.attempt == attempt);
        let completed = latest.map(|latest| latest.id);
        let gone = self.door.beat(|beat| MasterMessage::Heartbeat {
            beat,
            attempt,
            completed,
        });
        for gone in gone {
            self.lose(gone);
        }
    }

    pub(super) fn lose(&mut self, gone: Gone) {
        self.decide(Fact::TaskManagerLost {
            task_manager: gone.task_manager,
            incarnation: gone.incarnation,
            cause: gone.cause,
        });
    }

    /// Feeds a fact, and what comes of carrying out its commands, to the machine.
    pub(super) fn decide(&mut self, fact: Fact) {
        self.facts.push_back(fact);
        self.settle();
    }

    /// Decides about what carrying out commands came to, until nothing is left.
    pub(super) fn settle(&mut self) {
        while let Some(fact) = self.facts.pop_front() {
            debug!(?fact, "fact");
            self.note(&fact);
            let before = (self.machine.status(), self.machine.cause().cloned());
            let mut commands = Vec::new();
            let now = self.now();
            self.machine.on(fact, now, &mut commands);
            self.tell_status(&before);
            for command in commands {
                self.carry_out(command);
            }
        }
    }

    /// Logs how the job has moved on since `before`, and what it is stopped for.
    fn tell_status(&self, before: &(JobStatus, Option<Failure>)) {
        let (from, to) = (before.0, self.machine.status());
        let (job, attempt) = (&self.site.graph.plan().name, self.machine.attempt());
        match self.machine.cause() {
            Some(cause) if from == to && before.1.as_ref() == Some(cause) => {}
            Some(cause) if to == JobStatus::Restarting => {
                warn!(job, %from, %to, %attempt, %cause, "job");
            }
            // What ends the job is its outcome too: whoever runs the job tells it.
            Some(cause) => info!(job, %from, %to, %attempt, %cause, "job"),
            None if from != to => info!(job, %from, %to, %attempt, "job"),
            None => {}
        }
    }

    /// Keeps what is reported of checkpoints.
    fn note(&mut self, fact: &Fact) {
        if let Fact::LeadershipTaken { latest, .. } = fact {
            self.latest.clone_from(latest);
        } else if let Fact::CheckpointPublished { checkpoint } = fact {
            info!(%checkpoint, "checkpoint published");
            self.latest = Some(checkpoint.clone());
            self.counts.checkpoints_completed += 1;
            self.answer(checkpoint.id, || Ok(checkpoint.id));
        }
    }

    /// A checkpoint will not be; whoever asked for one that was overtaken goes on waiting for the
    /// one that stands in for it.
    fn on_aborted(&mut self, checkpoint: CheckpointId, cause: &AbortCause) {
        match cause {
            AbortCause::Failed(failure) => {
                warn!(%checkpoint, %failure, "checkpoint failed");
                self.counts.checkpoints_failed += 1;
                self.answer(checkpoint, || {
                    Err(CheckpointRequestError::Failed(failure.clone()))
                });
            }
            AbortCause::Overtaken => info!(%checkpoint, "checkpoint overtaken by a later one"),
        }
    }

    /// Answers those who wait for a checkpoint triggered after they asked.
    fn answer(
        &mut self,
        checkpoint: CheckpointId,
        result: impl Fn() -> Result<CheckpointId, CheckpointRequestError>,
    ) {
        for asked in std::mem::take(&mut self.asked) {
            if asked.after.is_none_or(|after| after < checkpoint) {
                // Who asked may have gone away.
                let _ = asked.answer.send(result());
            } else {
                self.asked.push(asked);
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::OpenEnumerators { attempt, restore } => self.plan(attempt, restore),
            Command::Deploy {
                task_manager,
                attempt,
                subtasks,
                reports,
                restore,
            } => {
                let deploy = self.deploy(attempt, &subtasks, reports, restore.as_ref());
                self.orders.insert(task_manager, 0);
                self.send(task_manager, MasterMessage::Deploy(deploy));
            }
            Command::Cancel {
                task_manager,
                attempt,
            } => self.send(task_manager, MasterMessage::Cancel { attempt }),
            Command::Disconnect {
                task_manager,
                incarnation,
            } => self.door.disconnect(task_manager, incarnation),
            Command::TriggerCheckpoint {
                checkpoint,
                attempt,
                sources,
            } => self.trigger(checkpoint, attempt, &sources),
            Command::AbortCheckpoint {
                checkpoint,
                attempt,
                task_managers,
                cause,
            } => {
                self.on_aborted(checkpoint, &cause);
                let abort = MasterMessage::Abort {
                    attempt,
                    checkpoint,
                };
                self.send_all(&task_managers, &abort);
            }
            Command::PublishCheckpoint { metadata, retained } => {
                self.order(Order::Publish { metadata, retained });
            }
            Command::NotifyComplete {
                checkpoint,
                attempt,
                task_managers,
            } => {
                crash_point("checkpoint.notify");
                let complete = MasterMessage::Complete {
                    attempt,
                    checkpoint,
                };
                self.send_all(&task_managers, &complete);
            }
            Command::Discard { checkpoints } => self.order(Order::Discard(checkpoints)),
            Command::Release {
                attempt,
                task_managers,
            } => self.send_all(&task_managers, &MasterMessage::Release { attempt }),
            Command::PublishEnd(end) => self.order(Order::End(end)),
            Command::JobEnded(end) => self.end = Some(End::Over(end)),
            Command::StandDown { by_epoch } => self.stand_down(by_epoch),
        }
    }

    fn stand_down(&mut self, by_epoch: Option<u32>) {
        if let Some(by_epoch) = by_epoch {
            warn!(by_epoch, "deposed: another job master leads");
        } else {
            let store = self.site.folder.as_ref();
            let store = store.map(|folder| folder.store().describe());
            warn!(
                store,
                "leads no more: the checkpoint store does not say whether the last checkpoint is \
                 published; look whether it answers: the job goes on from what its log says"
            );
        }
        self.end = Some(End::Deposed);
    }

    fn order(&mut self, order: Order) {
        let undone = match &self.keeper {
            Some(keeper) => keeper.order(order),
            None => order.undone("the job keeps no log"),
        };
        self.facts.extend(undone);
    }

    /// Snapshots the enumerators and sends the triggers: nothing comes between.
    fn trigger(
        &mut self,
        checkpoint: CheckpointId,
        attempt: AttemptNumber,
        sources: &[(TaskManagerIndex, SubtaskId)],
    ) {
        crash_point("checkpoint.trigger");
        self.triggered = Some(checkpoint);
        let enumerators = match self.enumerators.snapshot() {
            Ok(enumerators) => enumerators,
            Err(failure) => {
                let failed = Fact::CheckpointTriggerFailed {
                    checkpoint,
                    failure,
                };
                return self.facts.push_back(failed);
            }
        };
        let mut by_host: BTreeMap<TaskManagerIndex, Vec<SubtaskId>> = BTreeMap::new();
        for (host, subtask) in sources {
            by_host.entry(*host).or_default().push(*subtask);
        }
        for (host, sources) in by_host {
            let trigger = MasterMessage::Trigger {
                order: self.in_order(host),
                attempt,
                checkpoint,
                sources,
            };
            self.send(host, trigger);
        }
        let created = ProcessingTime::from_millis(self.site.world.wall().as_millis());
        self.facts.push_back(Fact::CheckpointTriggered {
            checkpoint,
            enumerators,
            created,
        });
    }

    /// The place of the next message that this task manager must see once and in order.
    fn in_order(&mut self, task_manager: TaskManagerIndex) -> InOrder {
        let next = self.orders.entry(task_manager).or_default();
        let order = InOrder(*next);
        *next += 1;
        order
    }

    pub(super) fn assign(&mut self, assigned: Vec<Assigned>) {
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
                order: self.in_order(host),
                subtask,
                attempt,
                splits: assignment.splits,
                no_more: assignment.no_more,
            };
            self.send(host, message);
        }
        self.settle();
    }

    fn send_all(&mut self, task_managers: &[TaskManagerIndex], message: &MasterMessage) {
        for task_manager in task_managers {
            self.send(*task_manager, message.clone());
        }
    }

    /// Queues a message; a task manager that does not read what it was sent is lost.
    fn send(&mut self, task_manager: TaskManagerIndex, message: MasterMessage) {
        if let Err(gone) = self.door.send(task_manager, message) {
            self.facts.push_back(Fact::TaskManagerLost {
                task_manager: gone.task_manager,
                incarnation: gone.incarnation,
                cause: gone.cause,
            });
        }
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Cancel => self.decide(Fact::CancelRequested),
            Request::Fail(failure) => self.decide(Fact::FailedForGood { failure }),
            // Who asked may have gone away.
            Request::Report(answer) => drop(answer.send(self.report())),
            Request::Checkpoint(answer) if self.keeper.is_none() => {
                // Who asked may have gone away.
                let _ = answer.send(Err(CheckpointRequestError::NoStore));
            }
            Request::Checkpoint(answer) => {
                let after = self.triggered;
                self.asked.push(Asked { after, answer });
                self.decide(Fact::CheckpointRequested);
            }
        }
    }

    fn report(&self) -> JobReport {
        JobReport {
            status: self.machine.status(),
            leads: true,
            attempt: self.machine.attempt(),
            latest: self.latest.as_ref().map(|latest| latest.id),
            counts: self.counts,
        }
    }
}
