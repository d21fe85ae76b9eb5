//! One data thread: runs the subtasks that it hosts, one slice at a time.
//!
//! Invariant: control mail is read between any two slices; subtasks that can work take turns; a
//! panic or failure ends the subtask it happened in and no other. With nothing to do the slot
//! sleeps until mail, a wake or a deadline. Knows nothing of jobs: it reports, others decide.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use sameriver_model::probe::{self, Probe};
use sameriver_model::{AttemptNumber, Failure, FailureKind, ProcessingTime, SlotIndex, SubtaskId};
use sameriver_operator::source::Surroundings;
use sameriver_operator::{CommitRule, OpenArgs, Spent};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{
    Charge, Lane, Monotonic, Panicked, TaskGroup, TaskHandle, Wake, World, select,
};
use thiserror::Error;

use crate::exchange::Exchange;
use crate::input::gate::InputGate;
use crate::mail::{Deployment, SlotEvent, SlotMail};
use crate::outputs::OutputBuffers;
use crate::settings::SlotSettings;
use crate::snapshot::Snapshots;
use crate::subtask::{Moment, Subtask, Turn};
use crate::yield_now::YieldNow;

/// The slot has ended and reads no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("slot {slot} has ended: start another one")]
pub struct SlotStopped {
    /// Which slot.
    pub slot: SlotIndex,
}

/// The handle of a running slot. Dropping it ends the slot after its current slice.
pub struct Slot {
    index: SlotIndex,
    mail: mpsc::Sender<SlotMail>,
    task: TaskHandle,
}

impl Slot {
    /// Starts a slot on a data lane of its own. It reports to `events`, and waits when that channel
    /// is full: whoever sends it more than twice `mail_letters` meanwhile waits as well, so let
    /// nobody do both at once. It ends when nobody listens there any more.
    pub fn start(
        world: &World,
        index: SlotIndex,
        settings: SlotSettings,
        exchange: Exchange,
        events: mpsc::Sender<SlotEvent>,
    ) -> Self {
        let (mail, inbox) = mpsc::channel(settings.mail_letters.max(1));
        let name = format!("slot {index}");
        let slot = SlotLoop {
            index,
            settings,
            exchange,
            events,
            inbox,
            kept: VecDeque::new(),
            reports: VecDeque::new(),
            wake: Wake::new(),
            tasks: TaskGroup::new(),
            subtasks: Vec::new(),
            next: 0,
            at: Moment {
                now: world.now(),
                wall: ProcessingTime::from_millis(world.wall().as_millis()),
                wakes: 0,
            },
            worked_since: world.now(),
            spent: Spent::default(),
            world: world.clone(),
        };
        let tasks = slot.tasks.clone();
        let task = world.spawn(Lane::Data, &name, async move {
            // Nobody listens: then nobody wants the slot either.
            let _ = slot.run().await;
            tasks.ended().await;
        });
        Self { index, mail, task }
    }

    /// Which slot this is.
    pub fn index(&self) -> SlotIndex {
        self.index
    }

    /// Sends control mail; waits while the mailbox is full.
    ///
    /// # Errors
    /// [`SlotStopped`] when the slot has ended.
    ///
    /// # Cancel safety
    /// The letter is sent or not, never in part.
    pub async fn send(&self, mail: SlotMail) -> Result<(), SlotStopped> {
        let sent = self.mail.send(mail).await;
        sent.map_err(|_| SlotStopped { slot: self.index })
    }

    /// Ends the slot and waits until everything it hosted is dropped, and the tasks that sources
    /// and sinks had started have ended.
    ///
    /// # Errors
    /// [`Panicked`] when the slot itself did: a bug of the engine.
    pub async fn stop(self) -> Result<(), Panicked> {
        // A slot that has ended already needs no letter.
        let _ = self.mail.send(SlotMail::Stop).await;
        drop(self.mail);
        self.task.join().await
    }
}

/// The slot was told to stop, or nobody is left to hear it.
struct Stopped;

struct Hosted {
    attempt: AttemptNumber,
    subtask: Subtask,
}

/// What a look at all subtasks gave.
enum Round {
    Worked { records: u64 },
    Idle { until: Option<Monotonic> },
}

struct SlotLoop {
    world: World,
    index: SlotIndex,
    settings: SlotSettings,
    exchange: Exchange,
    events: mpsc::Sender<SlotEvent>,
    inbox: mpsc::Receiver<SlotMail>,
    /// Mail that came while a report waited, at most `mail_letters`.
    kept: VecDeque<SlotMail>,
    /// What is to be reported, in order.
    reports: VecDeque<SlotEvent>,
    wake: Wake,
    /// What sources and sinks have started: a file that is given up is still being removed.
    tasks: TaskGroup,
    subtasks: Vec<Hosted>,
    /// Where the next look begins.
    next: usize,
    at: Moment,
    worked_since: Monotonic,
    /// The used records of all subtasks.
    spent: Spent,
}

/// How long a slot sleeps before it drops the used records: long against the gaps of a busy slot.
const REST: Duration = Duration::from_millis(5);

impl SlotLoop {
    async fn run(mut self) -> Result<(), Stopped> {
        loop {
            self.read_mail().await?;
            let round = self.round();
            let has_reported = self.report_all().await?;
            match round {
                Round::Worked { records } => self.pay(records).await,
                Round::Idle { .. } if has_reported || !self.kept.is_empty() => {}
                Round::Idle { until } => self.sleep(until).await?,
            }
        }
    }

    /// Lets the first subtask that can work take its turn.
    fn round(&mut self) -> Round {
        let mut earliest: Option<Monotonic> = None;
        if self.subtasks.len() > 1 {
            self.next = self.world.turn(self.next, self.subtasks.len());
        }
        for _ in 0..self.subtasks.len() {
            let position = self.next;
            self.next = if position + 1 < self.subtasks.len() {
                position + 1
            } else {
                0
            };
            match self.turn(position) {
                Ok(Turn::Worked { records }) => return Round::Worked { records },
                Ok(Turn::Blocked { until }) => {
                    let both = earliest.zip(until).map(|(one, other)| one.min(other));
                    earliest = both.or(earliest).or(until);
                }
                Ok(Turn::NeedSplit { records }) => {
                    let (subtask, attempt) = self.ids(position);
                    let event = SlotEvent::SplitRequest { subtask, attempt };
                    self.reports.push_back(event);
                    return Round::Worked { records };
                }
                Ok(Turn::Finished) => {
                    self.finished(position);
                    return Round::Worked { records: 0 };
                }
                Err(failure) => {
                    self.failed(position, failure);
                    return Round::Worked { records: 0 };
                }
            }
        }
        Round::Idle { until: earliest }
    }

    fn turn(&mut self, position: usize) -> Result<Turn, Failure> {
        let (subtask, at) = (&mut self.subtasks[position].subtask, &self.at);
        let spent = &mut self.spent;
        // A subtask that panicked is dropped and never entered again.
        let turn = match catch_unwind(AssertUnwindSafe(|| subtask.turn(at, spent))) {
            Ok(turn) => turn,
            Err(payload) => Err(subtask.panicked(&*payload)),
        };
        if !matches!(turn, Ok(Turn::Blocked { .. })) {
            subtask.note_stop(self.world.now().since(self.at.now));
        }
        self.reports.extend(std::iter::from_fn(|| subtask.report()));
        turn
    }

    /// Pays for a slice, and lets the executor look at other things from time to time.
    async fn pay(&mut self, records: u64) {
        // Work without records (a watermark, a flush) costs as much as one.
        match self.world.charge(records.max(1)) {
            Charge::Ready => {}
            Charge::Sleep(sleep) => sleep.await,
        }
        self.at.now = self.world.now();
        if self.at.now.since(self.worked_since) >= self.settings.yield_after {
            YieldNow::default().await;
            select! {
                () = self.wake.wait() => self.at.wakes += 1,
                () = std::future::ready(()) => {}
            }
            self.look_at_clocks();
        }
    }

    /// Waits for mail, a wake, or `until`.
    async fn sleep(&mut self, until: Option<Monotonic>) -> Result<(), Stopped> {
        // A slot that sleeps for a moment at a time needs what it holds to keep its pace.
        let rested = self.at.now.saturating_add(REST);
        let is_nap = !self.spent.is_empty() && until.is_none_or(|until| rested < until);
        let until = if is_nap { Some(rested) } else { until };
        let deadline = async {
            match until {
                Some(until) => self.world.sleep(until.since(self.at.now)).await,
                None => std::future::pending().await,
            }
        };
        let mail = select! {
            mail = self.inbox.recv() => Some(mail),
            () = self.wake.wait() => {
                self.at.wakes += 1;
                None
            }
            () = deadline => {
                if is_nap {
                    self.drop_spent();
                }
                None
            }
        };
        self.look_at_clocks();
        match mail {
            Some(Some(mail)) => self.obey(mail).await,
            Some(None) => Err(Stopped),
            None => Ok(()),
        }
    }

    fn look_at_clocks(&mut self) {
        self.at.now = self.world.now();
        self.at.wall = ProcessingTime::from_millis(self.world.wall().as_millis());
        self.worked_since = self.at.now;
    }

    async fn read_mail(&mut self) -> Result<(), Stopped> {
        while let Some(mail) = self.kept.pop_front() {
            self.obey(mail).await?;
        }
        match self.inbox.try_recv() {
            Ok(mail) => self.obey(mail).await?,
            Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
            Err(mpsc::error::TryRecvError::Disconnected) => return Err(Stopped),
        }
        // What the mail cost is nobody's slice.
        self.at.now = self.world.now();
        Ok(())
    }

    async fn obey(&mut self, mail: SlotMail) -> Result<(), Stopped> {
        match mail {
            SlotMail::Deploy(deployment) => self.deploy(&deployment),
            SlotMail::Assign {
                subtask,
                attempt,
                splits,
                no_more,
            } => {
                let only = Some(subtask);
                self.tell(attempt, only, |to| to.assign(splits.clone(), no_more));
            }
            SlotMail::Trigger {
                subtask,
                attempt,
                barrier,
            } => self.tell(attempt, Some(subtask), |to| to.trigger(barrier)),
            SlotMail::Abort {
                attempt,
                checkpoint,
            } => self.tell(attempt, None, |to| {
                to.abort(checkpoint);
                Ok(())
            }),
            SlotMail::Complete {
                attempt,
                checkpoint,
            } => self.tell(attempt, None, |to| to.complete(checkpoint)),
            SlotMail::Release { attempt } => self.tell(attempt, None, |to| {
                to.release();
                Ok(())
            }),
            SlotMail::Cancel { attempt } => {
                self.cancel(attempt);
                // The next attempt may write to the same places.
                self.tasks.ended().await;
                let slot = self.index;
                self.reports
                    .push_back(SlotEvent::Cancelled { slot, attempt });
            }
            SlotMail::Stop => return Err(Stopped),
        }
        self.report_all().await.map(|_| ())
    }

    /// Reports everything; answers whether there was anything.
    async fn report_all(&mut self) -> Result<bool, Stopped> {
        let mut has_reported = false;
        while let Some(event) = self.reports.pop_front() {
            self.report(event).await?;
            has_reported = true;
        }
        Ok(has_reported)
    }

    /// Reports an event. Mail that comes meanwhile is kept for later, up to a limit, so that a task
    /// manager that waits for room in the mailbox before it listens is not waited for in turn.
    async fn report(&mut self, event: SlotEvent) -> Result<(), Stopped> {
        loop {
            let may_keep = self.kept.len() < self.settings.mail_letters.max(1);
            let mail = select! {
                permit = self.events.reserve() => {
                    permit.map_err(|_| Stopped)?.send(event);
                    return Ok(());
                }
                mail = self.inbox.recv(), if may_keep => mail,
            };
            self.kept.push_back(mail.ok_or(Stopped)?);
        }
    }

    fn deploy(&mut self, deployment: &Deployment) {
        let (subtask, attempt) = (deployment.subtask, deployment.attempt);
        let opened = catch_unwind(AssertUnwindSafe(|| self.open(deployment)));
        let opened = opened.unwrap_or_else(|payload| {
            let name = &deployment.graph.plan().vertex(subtask.vertex).name;
            let panicked = Panicked::new(name, &*payload);
            let message = format!("operator {name} panicked at start: {}", panicked.message);
            Err(Failure::new(FailureKind::User, message))
        });
        let event = match opened {
            Ok(opened) => {
                tracing::info!(%subtask, %attempt, slot = %self.index, "subtask runs");
                self.subtasks.push(Hosted {
                    attempt,
                    subtask: opened,
                });
                SlotEvent::Running { subtask, attempt }
            }
            Err(failure) => SlotEvent::Failed {
                subtask,
                attempt,
                failure: failure.in_subtask(subtask),
            },
        };
        self.reports.push_back(event);
    }

    fn open(&self, deployment: &Deployment) -> Result<Subtask, Failure> {
        let (graph, id) = (&deployment.graph, deployment.subtask);
        let (plan, settings) = (graph.plan(), self.settings);
        let buffers = settings.buffers_per_channel;
        let ends = self.exchange.open(deployment, &self.wake, buffers)?;
        let (attempt, overdraft) = (deployment.attempt, settings.overdraft_batches);
        let (outputs, tails) = OutputBuffers::new(attempt, ends.outputs, overdraft);
        let vertex = plan.vertex(id.vertex);
        let world = self.tasks.of(&self.world);
        let commits = match &deployment.checkpoints {
            Some(_) => CommitRule::OnCheckpoint,
            None => CommitRule::AtEnd,
        };
        let args = OpenArgs {
            job: deployment.job,
            subtask: id,
            parallelism: vertex.parallelism,
            max_parallelism: plan.max_parallelism,
            attempt,
            restored: deployment.restored.clone(),
            commits,
            commit_timeout: settings.commit_timeout,
            batch_records_max: settings.batch_records.max(1),
            surroundings: Surroundings {
                world: world.clone(),
                wake: self.wake.clone(),
            },
        };
        observe_restore(deployment);
        let body = graph.vertex(id.vertex).open(&args, tails);
        let body = body.map_err(|error| Failure::new(error.kind(), error.to_string()))?;
        let (checkpoints, wake) = (deployment.checkpoints.clone(), self.wake.clone());
        let snapshots = Snapshots::new(id, attempt, checkpoints, world, wake);
        let channels = (InputGate::new(ends.inputs), outputs);
        let (id, name) = ((id, attempt), vertex.name.clone());
        let subtask = Subtask::new(id, name, body, channels, snapshots, settings);
        Ok(match &deployment.restored {
            Some(_) => subtask.restored(),
            None => subtask,
        })
    }

    /// Tells all subtasks of an attempt, or `only` one. A subtask that is gone meanwhile needs no
    /// mail; one that cannot bear it fails.
    fn tell(
        &mut self,
        attempt: AttemptNumber,
        only: Option<SubtaskId>,
        news: impl Fn(&mut Subtask) -> Result<(), Failure>,
    ) {
        let mut position = 0;
        while let Some(hosted) = self.subtasks.get_mut(position) {
            let subtask = &mut hosted.subtask;
            let is_meant = only.is_none_or(|only| only == subtask.id());
            if hosted.attempt != attempt || !is_meant {
                position += 1;
                continue;
            }
            let told = catch_unwind(AssertUnwindSafe(|| news(subtask)));
            let told = told.unwrap_or_else(|payload| Err(subtask.panicked(&*payload)));
            self.reports.extend(std::iter::from_fn(|| subtask.report()));
            match told {
                Ok(()) => position += 1,
                Err(failure) => self.failed(position, failure),
            }
        }
    }

    fn cancel(&mut self, attempt: AttemptNumber) {
        while let Some(position) = self.subtasks.iter().position(|h| h.attempt == attempt) {
            let subtask = self.subtasks[position].subtask.id();
            tracing::info!(%subtask, %attempt, "subtask cancelled");
            self.remove(position);
        }
        self.exchange.release(attempt);
    }

    fn finished(&mut self, position: usize) {
        let (subtask, attempt) = self.ids(position);
        let metrics = self.subtasks[position].subtask.metrics();
        tracing::info!(%subtask, %attempt, "subtask finished");
        self.remove(position);
        self.reports.push_back(SlotEvent::Finished {
            subtask,
            attempt,
            metrics,
        });
    }

    fn failed(&mut self, position: usize, failure: Failure) {
        let (subtask, attempt) = self.ids(position);
        self.remove(position);
        self.reports.push_back(SlotEvent::Failed {
            subtask,
            attempt,
            failure,
        });
    }

    fn remove(&mut self, position: usize) {
        let hosted = self.subtasks.remove(position);
        self.next = 0;
        self.drop_spent();
        self.guarded(move || drop(hosted));
    }

    /// Drops the used records, so that a slot that rests holds none.
    fn drop_spent(&mut self) {
        if !self.spent.is_empty() {
            let mut spent = std::mem::take(&mut self.spent);
            self.guarded(|| spent.drop_all());
            self.spent = spent;
        }
    }

    /// Drops user values, which may panic; what they belonged to is reported anyway.
    fn guarded(&self, drops: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(drops)).is_err() {
            tracing::warn!(slot = %self.index, "a value panicked while it was dropped");
        }
    }

    fn ids(&self, position: usize) -> (SubtaskId, AttemptNumber) {
        let hosted = &self.subtasks[position];
        (hosted.subtask.id(), hosted.attempt)
    }
}

/// Tells what a subtask is about to start from.
fn observe_restore(deployment: &Deployment) {
    let (Some(restored), Some(checkpoint)) = (&deployment.restored, deployment.restored_from)
    else {
        return;
    };
    let (subtask, attempt) = (deployment.subtask, deployment.attempt);
    probe::observe(&Probe::Step {
        subtask,
        attempt,
        checkpoint,
        step: "open",
    });
    probe::crash_point("restore.open");
    probe::observe(&Probe::Restored {
        subtask,
        attempt,
        checkpoint,
        bytes: restored.bytes(),
    });
}
