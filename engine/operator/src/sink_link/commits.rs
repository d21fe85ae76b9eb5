//! What a sink has staged and nobody has confirmed: held, handed to the committer, held until it
//! is.
//!
//! Reading order: this file → `patience`.
//!
//! Invariant: a committable is committed only after a checkpoint that holds it is complete (or the
//! job takes none), in the order of checkpoints, and is in every snapshot until the committer has
//! confirmed it. At most one task commits for a sink; it begins nothing once the sink is gone. A
//! commit that goes on failing is logged, and ends the attempt at last: the next one commits again.
//! What nobody will commit is swept once, when everything else is confirmed and nothing follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sameriver_model::probe::{Probe, crash_point, observe};
use sameriver_model::{AttemptNumber, CheckpointId, SubtaskId};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Lane, Wake};

use super::patience::{Patience, Verdict};
use crate::consumer::Progress;
use crate::open::OpenArgs;
use crate::sink::{CommitError, Committable, Committer};
use crate::source::Surroundings;

/// Committables by the checkpoint whose barrier staged them.
pub(super) type Staged = BTreeMap<CheckpointId, Vec<Committable>>;

/// What the committing task has to say.
type Report = Result<Confirmed, CommitError>;

/// What is confirmed.
#[derive(Clone, Copy)]
enum Confirmed {
    /// The committables of a checkpoint.
    Checkpoint(CheckpointId),
    /// Nothing is left of earlier attempts.
    Swept,
}

/// What the committer is asked to do.
enum Task {
    Commit(CheckpointId, Vec<Committable>),
    Sweep,
}

/// Whether the sink's leftovers are removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweep {
    NotYet,
    Wanted,
    Begun,
    Done,
}

pub(super) struct Commits {
    committer: Arc<dyn Committer>,
    errand: Errand,
    /// Staged, and not given to the committer yet.
    waiting: Staged,
    /// What the committer has, until it confirms.
    committing: Staged,
    /// The latest checkpoint that is complete.
    complete: Option<CheckpointId>,
    sweep: Sweep,
    reports: Option<mpsc::Receiver<Report>>,
}

/// What the committing task needs beside the committer.
#[derive(Clone)]
struct Errand {
    sink: Arc<str>,
    subtask: SubtaskId,
    attempt: AttemptNumber,
    /// How long a commit that fails is tried again.
    timeout: Duration,
    surroundings: Surroundings,
}

impl Commits {
    pub(super) fn new(sink: &Arc<str>, committer: Box<dyn Committer>, args: &OpenArgs) -> Self {
        Self {
            committer: committer.into(),
            errand: Errand {
                sink: Arc::clone(sink),
                subtask: args.subtask,
                attempt: args.attempt,
                timeout: args.commit_timeout,
                surroundings: args.surroundings.clone(),
            },
            waiting: Staged::new(),
            committing: Staged::new(),
            complete: None,
            sweep: Sweep::NotYet,
            reports: None,
        }
    }

    /// Takes what a barrier has staged.
    pub(super) fn stage(&mut self, checkpoint: CheckpointId, committables: Vec<Committable>) {
        if !committables.is_empty() {
            let staged = self.waiting.entry(checkpoint).or_default();
            staged.extend(committables);
        }
    }

    /// A checkpoint is complete: what was staged up to it may be committed.
    pub(super) fn complete(&mut self, checkpoint: CheckpointId) {
        self.complete = self.complete.max(Some(checkpoint));
        self.begin();
    }

    /// Nothing will be staged any more: once everything up to `last`, which has the rest, is
    /// confirmed, leftovers are swept.
    pub(super) fn end(&mut self, last: CheckpointId) {
        let is_over = self.waiting.is_empty() && self.committing.is_empty();
        if is_over && self.sweep == Sweep::NotYet && self.complete >= Some(last) {
            self.sweep = Sweep::Wanted;
            self.begin();
        }
    }

    /// All that is not confirmed.
    pub(super) fn unconfirmed(&self) -> Staged {
        let mut all = self.committing.clone();
        for (checkpoint, committables) in &self.waiting {
            let staged = all.entry(*checkpoint).or_default();
            staged.extend_from_slice(committables);
        }
        all
    }

    /// Looks what was confirmed; `Done` when nothing that may be committed is unconfirmed.
    pub(super) fn settle(&mut self) -> Result<Progress, CommitError> {
        while let Some(reports) = &mut self.reports {
            match reports.try_recv() {
                Ok(Ok(Confirmed::Checkpoint(checkpoint))) => {
                    self.committing.remove(&checkpoint);
                }
                Ok(Ok(Confirmed::Swept)) => self.sweep = Sweep::Done,
                Ok(Err(cause)) => return Err(cause),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(Progress::Waiting),
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.reports = None;
                    if self.sweep == Sweep::Begun || !self.committing.is_empty() {
                        return Err(self.panicked());
                    }
                    self.begin();
                }
            }
        }
        self.begin();
        Ok(match self.reports {
            Some(_) => Progress::Waiting,
            None => Progress::Done,
        })
    }

    fn panicked(&self) -> CommitError {
        let lost = self.committing.values().flatten().next();
        let lost = lost.map(|lost| self.committer.name(lost));
        CommitError::Refused {
            output: self.errand.sink.to_string(),
            what: lost.unwrap_or_else(|| "what is left over".to_owned()),
            cause: "the committer panicked: mend it".to_owned(),
        }
    }

    /// Gives the committer what may be committed, unless it has something already.
    fn begin(&mut self) {
        if self.reports.is_some() {
            return;
        }
        let tasks = self.next_tasks();
        if tasks.is_empty() {
            return;
        }
        let (reports, inbox) = mpsc::channel(1);
        self.reports = Some(inbox);
        let (committer, errand) = (Arc::clone(&self.committer), self.errand.clone());
        let world = &self.errand.surroundings.world;
        let task = async move {
            // Dropped last, also when the committer panics: the sink has to see that it is over.
            let _over = WakeOnDrop(errand.surroundings.wake.clone());
            let reports = reports;
            errand.run(&*committer, tasks, &reports).await;
        };
        let name = format!("commit of {}", self.errand.sink);
        // It ends with the sink, and the slot waits for it: its `TaskGroup` started this task.
        world.spawn(Lane::Control, &name, task).detach();
    }

    fn next_tasks(&mut self) -> Vec<Task> {
        if self.sweep == Sweep::Wanted {
            self.sweep = Sweep::Begun;
            return vec![Task::Sweep];
        }
        let complete = self.complete;
        self.waiting.retain(|checkpoint, committables| {
            let may_commit = Some(*checkpoint) <= complete;
            if may_commit {
                let committables = std::mem::take(committables);
                self.committing.insert(*checkpoint, committables);
            }
            !may_commit
        });
        let staged = self.committing.iter();
        staged
            .map(|(checkpoint, committables)| Task::Commit(*checkpoint, committables.clone()))
            .collect()
    }
}

/// Wakes the sink when its task is over.
struct WakeOnDrop(Wake);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Errand {
    /// Does one thing after the other; ends when one is refused, or the sink is gone.
    async fn run(
        &self,
        committer: &dyn Committer,
        tasks: Vec<Task>,
        reports: &mpsc::Sender<Report>,
    ) {
        for task in tasks {
            let Some(report) = self.insist(committer, &task, reports).await else {
                return;
            };
            let is_refused = report.is_err();
            if reports.send(report).await.is_err() || is_refused {
                return;
            }
            self.surroundings.wake.wake();
        }
    }

    /// Does one thing, however often it takes; `None` when the sink is gone.
    async fn insist(
        &self,
        committer: &dyn Committer,
        task: &Task,
        reports: &mpsc::Sender<Report>,
    ) -> Option<Report> {
        let world = &self.surroundings.world;
        let mut patience = Patience::begin(self.timeout, world.now());
        loop {
            if reports.is_closed() {
                return None;
            }
            let (output, cause) = match self.once(committer, task).await {
                Ok(confirmed) => {
                    self.tell_success(&patience);
                    return Some(Ok(confirmed));
                }
                Err(refused @ CommitError::Refused { .. }) => return Some(Err(refused)),
                Err(CommitError::Retry { output, cause }) => (output, cause),
            };
            let pause = match patience.on_failure(world.now()) {
                Verdict::Again { pause, is_told } => {
                    if is_told {
                        self.tell_failure(&patience, &output, &cause);
                    }
                    pause
                }
                Verdict::GiveUp => return Some(Err(self.gave_up(&patience, output, &cause))),
            };
            sameriver_runtime::select! {
                () = reports.closed() => return None,
                () = world.sleep(pause) => {}
            }
        }
    }

    fn tell_failure(&self, patience: &Patience, output: &str, cause: &str) {
        let (subtask, attempt, sink) = (self.subtask, self.attempt, &*self.sink);
        let failures = patience.failures();
        tracing::warn!(
            %subtask, %attempt, sink, failures,
            "a commit failed and is tried again: {output}: {cause}"
        );
    }

    fn tell_success(&self, patience: &Patience) {
        let (subtask, attempt, sink) = (self.subtask, self.attempt, &*self.sink);
        let failures = patience.failures();
        if failures > 0 {
            tracing::info!(%subtask, %attempt, sink, failures, "a commit succeeded at last");
        }
    }

    /// The error of a commit that failed for too long. Another attempt may try it again.
    fn gave_up(&self, patience: &Patience, output: String, cause: &str) -> CommitError {
        let (failures, within) = (patience.failures(), self.timeout);
        let cause = format!(
            "{cause}: given up after {failures} tries within {within:?}: mend that (a job that \
             restarts commits again), or raise commit_timeout for longer outages"
        );
        CommitError::Retry { output, cause }
    }

    async fn once(&self, committer: &dyn Committer, task: &Task) -> Report {
        match task {
            Task::Commit(checkpoint, committables) => {
                self.step(*checkpoint);
                crash_point("commit.begin");
                committer.commit(committables.clone()).await?;
                self.confirmed(committer, *checkpoint, committables);
                crash_point("commit.done");
                Ok(Confirmed::Checkpoint(*checkpoint))
            }
            Task::Sweep => {
                committer.sweep().await?;
                Ok(Confirmed::Swept)
            }
        }
    }

    fn step(&self, checkpoint: CheckpointId) {
        observe(&Probe::Step {
            subtask: self.subtask,
            attempt: self.attempt,
            checkpoint,
            step: "commit",
        });
    }

    fn confirmed(
        &self,
        committer: &dyn Committer,
        checkpoint: CheckpointId,
        committables: &[Committable],
    ) {
        for committable in committables {
            observe(&Probe::Committed {
                operator: &self.sink,
                attempt: self.attempt,
                checkpoint,
                what: &committer.name(committable),
            });
        }
    }
}
