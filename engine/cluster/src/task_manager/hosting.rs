//! The slots of a task manager and the subtasks that it hosts for the current attempt.
//!
//! Invariant: only the highest attempt that was ever deployed here is obeyed; every subtask that
//! was deployed is reported exactly once as finished, failed or cancelled. What a reader must see
//! once and in order is checked for gaps. Decides nothing about the job: it reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sameriver_control::Moment;
use sameriver_graph::JobGraph;
use sameriver_model::{
    AttemptNumber, Barrier, CheckpointId, Failure, FailureKind, RestoredState, SlotIndex,
    SubtaskId, SubtaskState, TaskManagerIndex,
};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, Panicked, World};
use sameriver_task::{
    Deployment, Exchange, Placement, Slot, SlotEvent, SlotMail, SubtaskCheckpoints,
};
use tracing::{info, warn};

use super::carrier::Carrier;
use super::error::TaskManagerError;
use super::restoring;
use super::slot_report::SlotReport;
use super::stopping::StoppingSlots;
use crate::checkpoints::CheckpointFolder;
use crate::rpc::{Deploy, InOrder, MasterMessage, TakesCheckpoints, TaskManagerMessage};
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;

/// What the tasks of the hosting report.
pub(super) enum Hosted {
    /// A slot has ended although nobody told it to.
    SlotGone(SlotIndex),
    /// What a subtask starts from is here, or not.
    Fetched {
        deployment: Box<Deployment>,
        slot: SlotIndex,
        fetched: Result<RestoredState, Failure>,
    },
}

/// What a task manager has to know of itself to host.
pub(super) struct Site {
    pub(super) world: World,
    pub(super) index: TaskManagerIndex,
    pub(super) graph: Arc<JobGraph>,
    pub(super) settings: ClusterSettings,
    pub(super) folder: Option<CheckpointFolder>,
}

pub(super) struct Hosting {
    site: Site,
    slots: Vec<Carrier>,
    tell: mpsc::Sender<Hosted>,
    /// The subtasks that were deployed here and have not ended.
    live: BTreeMap<SubtaskId, (SlotIndex, AttemptNumber)>,
    restoring: BTreeMap<SubtaskId, (AttemptNumber, Stoppable)>,
    /// The highest attempt that was deployed here.
    attempt: Option<AttemptNumber>,
    /// The place of the next message of the attempt that has one.
    order: u64,
    /// The latest completed checkpoint of the attempt that the slots were told of.
    completed: Option<CheckpointId>,
    stopping: StoppingSlots,
    /// What the job master is to be told.
    reports: Vec<TaskManagerMessage>,
}

/// A job master that cannot be believed: it is left.
pub(super) struct Distrusted(pub(super) String);

impl Hosting {
    /// Starts so many slots; they report to `events`, and the hosting's own tasks to `tell`.
    pub(super) fn start(
        site: Site,
        slots: u32,
        exchange: &Exchange,
        events: &mpsc::Sender<SlotEvent>,
        tell: &mpsc::Sender<Hosted>,
    ) -> Self {
        let letters = letters_max(&site.graph);
        let slots = (0..slots).map(SlotIndex::new).map(|index| {
            let (world, settings) = (&site.world, site.settings.slot);
            let slot = Slot::start(world, index, settings, exchange.clone(), events.clone());
            Carrier::start(world, slot, letters, tell.clone())
        });
        Self {
            slots: slots.collect(),
            site,
            tell: tell.clone(),
            live: BTreeMap::new(),
            restoring: BTreeMap::new(),
            attempt: None,
            order: 0,
            completed: None,
            stopping: StoppingSlots::default(),
            reports: Vec::new(),
        }
    }

    /// What is to be told to the job master since the last call, in order.
    pub(super) fn take_reports(&mut self) -> Vec<TaskManagerMessage> {
        std::mem::take(&mut self.reports)
    }

    /// A job master took us. Without a job log it counts its attempts from the beginning, and
    /// nothing of an earlier one is left here: none is looked for before that.
    pub(super) fn begin_session(&mut self) {
        self.reports.clear();
        if self.attempt.is_some_and(|attempt| attempt.epoch() == 0) {
            self.attempt = None;
        }
    }

    /// The job master is lost: nothing of its attempt goes on.
    pub(super) async fn lose_master(&mut self) {
        if let Some(attempt) = self.attempt {
            self.cancel(attempt).await;
        }
        self.reports.clear();
    }

    /// Whether no slot has to stop anything any more.
    pub(super) fn is_clear(&self) -> bool {
        self.stopping.is_clear()
    }

    /// When a slot must have answered.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.stopping.deadline()
    }

    /// Gives up slots that have not answered in time.
    pub(super) fn on_deadline(&mut self, now: Moment) {
        let within = self.site.settings.cancellation_timeout;
        for (attempt, slot) in self.stopping.give_up(now) {
            let message = format!(
                "slot {slot} of task manager {} has not stopped attempt {attempt} within \
                 {within:?}: look for a function that blocks",
                self.site.index
            );
            warn!(task_manager = %self.site.index, message);
            let failure = Failure::new(FailureKind::Cluster, message);
            self.fail_all(&failure, |at, of| at == slot && of == attempt);
        }
    }

    /// A slot that keeps us from every job master, and when it has done so for too long.
    pub(super) fn stuck(&self) -> Option<(SlotIndex, Moment)> {
        let limit = self.site.settings.registration_timeout;
        let (slot, since) = self.stopping.stuck()?;
        Some((slot, since.saturating_add(limit)))
    }

    /// Does what the job master says.
    ///
    /// # Errors
    /// [`Distrusted`] when that cannot be what the job's leader says.
    pub(super) async fn obey(&mut self, message: MasterMessage) -> Result<(), Distrusted> {
        match message {
            MasterMessage::Deploy(deploy) => return self.deploy(deploy).await,
            MasterMessage::Assign {
                order,
                subtask,
                attempt,
                splits,
                no_more,
            } => {
                if self.is_in_turn(attempt, order)? {
                    let assign = SlotMail::Assign {
                        subtask,
                        attempt,
                        splits,
                        no_more,
                    };
                    self.post_to_subtask(subtask, assign);
                }
            }
            MasterMessage::Trigger {
                order,
                attempt,
                checkpoint,
                sources,
            } => {
                if self.is_in_turn(attempt, order)? {
                    for subtask in sources {
                        let barrier = Barrier { checkpoint };
                        let trigger = SlotMail::Trigger {
                            subtask,
                            attempt,
                            barrier,
                        };
                        self.post_to_subtask(subtask, trigger);
                    }
                }
            }
            MasterMessage::Cancel { attempt } => self.cancel(attempt).await,
            MasterMessage::Abort {
                attempt,
                checkpoint,
            } => self.post_to_attempt(
                attempt,
                &SlotMail::Abort {
                    attempt,
                    checkpoint,
                },
            ),
            MasterMessage::Complete {
                attempt,
                checkpoint,
            } => self.complete(attempt, checkpoint),
            MasterMessage::Release { attempt } => {
                self.post_to_attempt(attempt, &SlotMail::Release { attempt });
            }
            MasterMessage::Heartbeat {
                beat: _,
                attempt,
                completed,
            } => {
                if let Some(checkpoint) = completed {
                    self.complete(attempt, checkpoint);
                }
            }
            MasterMessage::Shutdown => {}
        }
        Ok(())
    }

    /// Whether a message is the next of the current attempt; a repeated or stale one is not.
    fn is_in_turn(&mut self, attempt: AttemptNumber, order: InOrder) -> Result<bool, Distrusted> {
        if self.attempt != Some(attempt) || order.0 < self.order {
            return Ok(false);
        }
        if order.0 > self.order {
            return Err(Distrusted(format!(
                "message {} of attempt {attempt} came where {} was expected",
                order.0, self.order
            )));
        }
        self.order += 1;
        Ok(true)
    }

    /// Tells the slots once of each checkpoint that is complete.
    fn complete(&mut self, attempt: AttemptNumber, checkpoint: CheckpointId) {
        let is_news = self
            .completed
            .is_none_or(|completed| completed < checkpoint);
        if self.attempt == Some(attempt) && is_news {
            self.completed = Some(checkpoint);
            let complete = SlotMail::Complete {
                attempt,
                checkpoint,
            };
            self.post_to_attempt(attempt, &complete);
        }
    }

    async fn deploy(&mut self, deploy: Deploy) -> Result<(), Distrusted> {
        let (job, attempt) = (deploy.job, deploy.attempt);
        match self.attempt {
            Some(current) if attempt < current => {
                return Err(Distrusted(format!(
                    "it deploys attempt {attempt} after {current}: it does not lead any more"
                )));
            }
            Some(current) if attempt == current => return Ok(()),
            Some(older) => self.cancel(older).await,
            None => {}
        }
        self.attempt = Some(attempt);
        self.order = 0;
        self.completed = None;
        let count = deploy.subtasks.len();
        info!(task_manager = %self.site.index, %attempt, subtasks = count, "deploy");
        let placement = Arc::new(Placement {
            here: self.site.index,
            hosts: {
                let hosts = deploy.hosts.into_iter();
                hosts.map(|(id, host, slot)| (id, (host, slot))).collect()
            },
            addresses: {
                let addresses = deploy.addresses.into_iter();
                addresses
                    .map(|(index, at)| (index, Address::new(at)))
                    .collect()
            },
        });
        let checkpoints = deploy.checkpoints;
        let (restored_from, mut states) = match deploy.restore {
            Some(restore) => {
                let states = restore.states.into_iter();
                let states = states.map(|state| (state.subtask, state)).collect();
                (Some(restore.checkpoint), states)
            }
            None => (None, BTreeMap::new()),
        };
        for (subtask, slot) in deploy.subtasks {
            self.live.insert(subtask, (slot, attempt));
            let deployment = Deployment {
                job,
                attempt,
                subtask,
                graph: Arc::clone(&self.site.graph),
                placement: Arc::clone(&placement),
                restored: None,
                restored_from,
                checkpoints: checkpoints.and_then(|taken| self.takes_checkpoints(taken)),
            };
            self.host(
                slot,
                deployment,
                checkpoints.is_some(),
                states.remove(&subtask),
            );
        }
        Ok(())
    }

    fn takes_checkpoints(&self, taken: TakesCheckpoints) -> Option<SubtaskCheckpoints> {
        let folder = self.site.folder.as_ref()?;
        Some(folder.of_subtasks(taken))
    }

    /// Hands a subtask to its slot, after its state was fetched if it starts from one.
    fn host(
        &mut self,
        slot: SlotIndex,
        mut deployment: Deployment,
        has_checkpoints: bool,
        state: Option<SubtaskState>,
    ) {
        let (subtask, attempt) = (deployment.subtask, deployment.attempt);
        let (folder, from) = (self.site.folder.clone(), deployment.restored_from);
        let (folder, state) = match (folder, from, state) {
            (None, _, _) if has_checkpoints => {
                let message = "the job takes checkpoints, but this task manager has no store: \
                               give all nodes the same settings";
                return self.fail(
                    subtask,
                    attempt,
                    Failure::new(FailureKind::Cluster, message),
                );
            }
            (_, None, _) | (None, Some(_), _) => {
                return self.post(slot, SlotMail::Deploy(deployment));
            }
            (Some(_), Some(checkpoint), None) => {
                let message = format!("checkpoint {checkpoint} has no snapshot of the subtask");
                return self.fail(
                    subtask,
                    attempt,
                    Failure::new(FailureKind::Internal, message),
                );
            }
            (Some(_), Some(_), Some(state)) if state.files.is_empty() => {
                deployment.restored = Some(Arc::default());
                return self.post(slot, SlotMail::Deploy(deployment));
            }
            (Some(folder), Some(checkpoint), Some(state)) => (folder, (checkpoint, state)),
        };
        let (world, tell) = (self.site.world.clone(), self.tell.clone());
        let name = format!("restore {subtask} {attempt}");
        let task = Stoppable::start(&self.site.world, &name, async move {
            let (checkpoint, state) = state;
            let fetched = restoring::fetch(world, folder, attempt, checkpoint, state).await;
            let fetched = Hosted::Fetched {
                deployment: Box::new(deployment),
                slot,
                fetched,
            };
            // A task manager that is shutting down does not listen any more.
            let _ = tell.send(fetched).await;
        });
        self.restoring.insert(subtask, (attempt, task));
    }

    /// Goes on with what a task of ours reports.
    pub(super) async fn on_hosted(&mut self, hosted: Hosted) {
        match hosted {
            Hosted::SlotGone(slot) => {
                self.lose_slot(slot);
                self.stopping.ended(slot);
            }
            Hosted::Fetched {
                mut deployment,
                slot,
                fetched,
            } => {
                let (subtask, attempt) = (deployment.subtask, deployment.attempt);
                match self.restoring.get(&subtask) {
                    Some((current, _)) if *current == attempt => {}
                    // It was cancelled meanwhile.
                    Some(_) | None => return,
                }
                if let Some((_, task)) = self.restoring.remove(&subtask) {
                    report_panic(task.join().await);
                }
                match fetched {
                    Ok(restored) => {
                        deployment.restored = Some(Arc::new(restored));
                        self.post(slot, SlotMail::Deploy(*deployment));
                    }
                    Err(failure) => self.fail(subtask, attempt, failure),
                }
            }
        }
    }

    /// Stops an attempt: each of its subtasks is reported when its slot has answered.
    async fn cancel(&mut self, attempt: AttemptNumber) {
        let all = self.restoring.iter().filter(|(_, (of, _))| *of == attempt);
        let all: Vec<_> = all.map(|(subtask, _)| *subtask).collect();
        for subtask in all {
            if let Some((_, task)) = self.restoring.remove(&subtask) {
                report_panic(task.stop().await);
            }
        }
        let limit = self.site.settings.cancellation_timeout;
        let now = Moment::from_origin(self.site.world.now().elapsed());
        let until = now.saturating_add(limit);
        let slots = (0..self.slots.len() as u32).map(SlotIndex::new);
        let slots: BTreeSet<_> = slots.collect();
        if self.stopping.tell(attempt, slots.clone(), until) {
            for slot in slots {
                self.post(slot, SlotMail::Cancel { attempt });
            }
        }
    }

    fn post_to_subtask(&mut self, subtask: SubtaskId, letter: SlotMail) {
        if let Some((slot, attempt)) = self.live.get(&subtask)
            && Some(*attempt) == self.attempt
        {
            self.post(*slot, letter);
        }
    }

    /// Posts to every slot, if this is the current attempt.
    fn post_to_attempt(&mut self, attempt: AttemptNumber, letter: &SlotMail) {
        if self.attempt == Some(attempt) {
            for slot in 0..self.slots.len() as u32 {
                self.post(SlotIndex::new(slot), letter.clone());
            }
        }
    }

    /// Posts a letter; a slot that does not take it is lost with all its subtasks.
    fn post(&mut self, slot: SlotIndex, letter: SlotMail) {
        let carrier = self.slots.get(slot.position());
        if !carrier.is_some_and(|carrier| carrier.post(letter)) {
            self.lose_slot(slot);
        }
    }

    fn lose_slot(&mut self, slot: SlotIndex) {
        let message = format!(
            "slot {slot} of task manager {} takes no mail: it has ended, or a function blocks it",
            self.site.index
        );
        let failure = Failure::new(FailureKind::Cluster, message);
        self.fail_all(&failure, |at, _| at == slot);
    }

    fn fail_all(&mut self, failure: &Failure, matches: impl Fn(SlotIndex, AttemptNumber) -> bool) {
        for (subtask, attempt) in self.take_live(matches) {
            self.reports.push(TaskManagerMessage::Failed {
                subtask,
                attempt,
                failure: failure.clone().in_subtask(subtask),
            });
        }
    }

    fn fail(&mut self, subtask: SubtaskId, attempt: AttemptNumber, failure: Failure) {
        if self.is_live(subtask, attempt) {
            self.live.remove(&subtask);
            let failure = failure.in_subtask(subtask);
            self.reports.push(TaskManagerMessage::Failed {
                subtask,
                attempt,
                failure,
            });
        }
    }

    fn is_live(&self, subtask: SubtaskId, attempt: AttemptNumber) -> bool {
        let live = self.live.get(&subtask);
        live.is_some_and(|(_, current)| *current == attempt)
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

    /// Turns what a slot says into a report, if it is about a subtask that is still ours.
    pub(super) fn on_slot_event(&mut self, event: SlotEvent) {
        match SlotReport::of(event) {
            SlotReport::Stopped { slot, attempt } => self.on_stopped(slot, attempt),
            SlotReport::Of {
                subtask,
                attempt,
                report,
                is_last,
            } => {
                if self.is_live(subtask, attempt) {
                    if is_last {
                        self.live.remove(&subtask);
                    }
                    self.reports.push(report);
                }
            }
        }
    }

    /// The slot answers once for all that it hosted; the job counts subtasks.
    fn on_stopped(&mut self, slot: SlotIndex, attempt: AttemptNumber) {
        self.stopping.answered(slot, attempt);
        for (subtask, attempt) in self.take_live(|at, of| at == slot && of == attempt) {
            let cancelled = TaskManagerMessage::Cancelled { subtask, attempt };
            self.reports.push(cancelled);
        }
    }

    /// Ends all slots and waits until everything that they hosted is gone, but not for ever.
    pub(super) async fn stop(self) -> Result<(), TaskManagerError> {
        let Site {
            world,
            index,
            settings,
            ..
        } = self.site;
        for (_, task) in self.restoring.into_values() {
            report_panic(task.stop().await);
        }
        let within = settings.cancellation_timeout;
        let until = world.now().saturating_add(within);
        let ending = self.slots.into_iter().map(Carrier::end);
        let ending: Vec<_> = ending.collect();
        let mut stopped = Ok(());
        for (slot, ending) in (0..).map(SlotIndex::new).zip(ending) {
            let left = until.since(world.now());
            let ended = match world.timeout(left, ending).await {
                Ok(Ok(Err(cause))) => Err(TaskManagerError::Panicked {
                    task_manager: index,
                    cause,
                }),
                Ok(Ok(Ok(())) | Err(_)) => Ok(()),
                Err(_) => Err(TaskManagerError::Stuck {
                    task_manager: index,
                    slot,
                    within,
                }),
            };
            stopped = stopped.and(ended);
        }
        stopped
    }
}

/// How many letters can be under way to one slot: a deployment, assignments and the letters of some
/// checkpoints for each subtask.
fn letters_max(graph: &JobGraph) -> usize {
    graph.plan().subtasks().count() * 4 + 64
}

fn report_panic(ended: Result<(), Panicked>) {
    if let Err(panicked) = ended {
        warn!(%panicked, "a task of a task manager panicked");
    }
}
