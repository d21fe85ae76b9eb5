//! Decides when checkpoints are taken, when one is complete, and which are kept.
//!
//! Invariants: ids only rise, over attempts and leaders; a checkpoint is published only with the
//! acknowledgement of every subtask for this attempt and this id; publishes are asked for one at a
//! time, by rising id; a checkpoint counts as completed when the log names it, and only then are
//! subtasks notified, older ones aborted, and those beyond the retained set discarded. What was
//! stored for one that will never be is discarded too. Knows no storage, no connection and no
//! clock.

use std::collections::BTreeMap;

use sameriver_model::checkpoint::CheckpointRef;
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, FailureKind, MaxParallelism, ProcessingTime, SubtaskId,
    SubtaskState, TaskManagerIndex, VertexId,
};

use crate::command::{AbortCause, Command};
use crate::moment::Moment;
use crate::settings::CheckpointSettings;
use crate::trigger::{Due, SinceTrigger};

mod ending;
mod pending;
mod reading;
mod retained;

use ending::discard;
use pending::PendingCheckpoint;
use reading::{Counted, Told};
use retained::RetainedCheckpoints;

/// Who takes part in the checkpoints of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPlan {
    /// The attempt.
    pub attempt: AttemptNumber,
    /// Every subtask: each acknowledges.
    pub subtasks: Vec<SubtaskId>,
    /// Every subtask of a source with its host: each is triggered.
    pub sources: Vec<(TaskManagerIndex, SubtaskId)>,
    /// Every host: each is told how a checkpoint ended.
    pub task_managers: Vec<TaskManagerIndex>,
}

/// What became of a subtask's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckOutcome {
    /// It counts.
    Recorded,
    /// The subtask has answered before; the first answer counts.
    Duplicate,
    /// No such checkpoint was triggered in this attempt, or the subtask takes no part.
    Unknown,
    /// The checkpoint is over, or complete.
    Late,
}

/// Whether checkpoints are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Some subtask does not run yet.
    Opening,
    /// All subtasks run; some may have ended.
    Running,
    /// The input of all subtasks has ended: one last checkpoint is due.
    Ended,
    /// The last checkpoint is published.
    Done,
}

/// The publish that was asked for and not answered.
#[derive(Clone, Copy, Debug)]
struct Publishing {
    id: CheckpointId,
    attempt: AttemptNumber,
    is_final: bool,
    since: Counted,
    /// When it counts as one more failure that nobody has answered.
    until: Moment,
}

/// The checkpoints of one job under one leader.
///
/// After each fact [`advance`](Self::advance) says what is to be done.
///
/// ```
/// use sameriver_control::{CheckpointCoordinator, CheckpointSettings, Moment};
/// use sameriver_model::MaxParallelism;
/// let settings = CheckpointSettings::every(std::time::Duration::from_secs(10));
/// let mut coordinator = CheckpointCoordinator::new(settings, 0xf1, MaxParallelism::default());
/// let mut commands = Vec::new();
/// assert!(coordinator.advance(Moment::default(), &mut commands).is_none());
/// assert!(commands.is_empty(), "no subtask runs yet");
/// ```
#[derive(Clone, Debug)]
pub struct CheckpointCoordinator {
    settings: CheckpointSettings,
    fingerprint: u64,
    max_parallelism: MaxParallelism,
    retained: RetainedCheckpoints,
    next: CheckpointId,
    plan: Option<CheckpointPlan>,
    stage: Stage,
    pending: BTreeMap<CheckpointId, PendingCheckpoint>,
    publishing: Option<Publishing>,
    /// What will never be published, and may have left snapshots in the store.
    abandoned: Vec<(AttemptNumber, CheckpointId)>,
    /// Whose publish has failed. A store that fails may have taken the record all the same, so
    /// their files stay until a later record of ours stands above it.
    refused: Vec<(AttemptNumber, CheckpointId)>,
    since: Counted,
    told: BTreeMap<SubtaskId, Told>,
    failures: u32,
    /// The end of the last checkpoint, whatever it was.
    last_end: Option<Moment>,
    /// The wait after a failure.
    retry_at: Moment,
    /// More failures in a row than are tolerated; taken by the next [`Self::advance`].
    exceeded: Option<Failure>,
    /// When [`Self::advance`] was called last.
    now: Moment,
}

impl CheckpointCoordinator {
    /// No checkpoint was ever taken, and no attempt runs.
    pub fn new(
        settings: CheckpointSettings,
        fingerprint: u64,
        max_parallelism: MaxParallelism,
    ) -> Self {
        Self {
            retained: RetainedCheckpoints::new(settings.retained),
            settings,
            fingerprint,
            max_parallelism,
            next: CheckpointId::new(1),
            plan: None,
            stage: Stage::Opening,
            pending: BTreeMap::new(),
            publishing: None,
            abandoned: Vec::new(),
            refused: Vec::new(),
            since: Counted::default(),
            told: BTreeMap::new(),
            failures: 0,
            last_end: None,
            retry_at: Moment::default(),
            exceeded: None,
            now: Moment::default(),
        }
    }

    /// Goes on from what the job log says.
    pub fn lead(
        &mut self,
        latest: Option<CheckpointRef>,
        retained: Vec<CheckpointRef>,
        next: CheckpointId,
    ) {
        self.retained.take_over(latest, retained);
        let behind_latest = self.latest().map_or(next, |latest| following(latest.id));
        self.next = self.next.max(next).max(behind_latest);
    }

    /// The checkpoint that an attempt starts from: the latest that is published.
    pub fn latest(&self) -> Option<&CheckpointRef> {
        self.retained.latest()
    }

    /// Whether a publish was asked for and not answered: until then nobody knows which checkpoint
    /// is the latest.
    pub const fn is_publishing(&self) -> bool {
        self.publishing.is_some()
    }

    /// Whether the checkpoint after which nothing is left to do is published.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// An attempt is deployed; it takes no checkpoint before all subtasks run. Nothing of the one
    /// before runs any more.
    pub fn begin(&mut self, plan: CheckpointPlan, out: &mut Vec<Command>) {
        self.discard_abandoned(out);
        self.plan = Some(plan);
        self.stage = Stage::Opening;
        self.since.seen = SinceTrigger::default();
        self.told.clear();
        self.failures = 0;
        self.retry_at = Moment::default();
        self.exceeded = None;
    }

    /// The attempt is being stopped: what is pending will not be. What is being published may be.
    pub fn end_attempt(&mut self) {
        self.stage = Stage::Opening;
        let pending = std::mem::take(&mut self.pending);
        if let Some(plan) = self.plan.take() {
            let ids = pending.keys().map(|id| (plan.attempt, *id));
            self.abandoned.extend(ids);
        }
        let requests = pending.values().map(|pending| pending.since.requests);
        self.since.requests = requests.fold(self.since.requests, u32::saturating_add);
        self.exceeded = None;
    }

    /// All subtasks of the attempt run: the first interval begins.
    pub fn on_running(&mut self, now: Moment) {
        if self.stage == Stage::Opening && self.plan.is_some() {
            self.stage = Stage::Running;
            // What sources have read before the last subtask ran counts.
            self.since.seen.at = now;
        }
    }

    /// The input of all subtasks has ended.
    pub fn on_ended(&mut self) {
        if self.stage == Stage::Running {
            self.stage = Stage::Ended;
        }
    }

    /// The user asked for a checkpoint.
    pub fn request(&mut self) {
        self.since.requests = self.since.requests.saturating_add(1);
    }

    /// The triggers of a checkpoint are on their way.
    pub fn triggered(
        &mut self,
        id: CheckpointId,
        enumerators: Vec<(VertexId, Vec<u8>)>,
        created: ProcessingTime,
    ) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.triggered(enumerators, created);
        }
    }

    /// A checkpoint could not be triggered; no subtask has heard of it.
    pub fn trigger_failed(
        &mut self,
        id: CheckpointId,
        failure: Failure,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        let attempt = self.plan.as_ref().map(|plan| plan.attempt);
        let (Some(pending), Some(attempt)) = (self.pending.remove(&id), attempt) else {
            return;
        };
        self.fail(id, pending.since, &failure, now);
        out.push(Command::AbortCheckpoint {
            checkpoint: id,
            attempt,
            task_managers: Vec::new(),
            cause: AbortCause::Failed(failure),
        });
    }

    /// A subtask has stored its snapshot.
    pub fn acknowledge(
        &mut self,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        id: CheckpointId,
        state: SubtaskState,
    ) -> AckOutcome {
        match self.judge(subtask, attempt, id) {
            AckOutcome::Recorded if state.subtask == subtask => {}
            AckOutcome::Recorded => return AckOutcome::Unknown,
            refused @ (AckOutcome::Duplicate | AckOutcome::Unknown | AckOutcome::Late) => {
                return refused;
            }
        }
        let pending = self.pending.get_mut(&id);
        let pending = pending.expect("an answer is recorded for pending checkpoints only");
        pending.acknowledge(state);
        AckOutcome::Recorded
    }

    /// A subtask cannot take part in a checkpoint, which therefore fails; one that a later
    /// checkpoint has overtaken there only ends.
    pub fn decline(
        &mut self,
        answer: (SubtaskId, AttemptNumber, CheckpointId),
        failure: Failure,
        now: Moment,
        out: &mut Vec<Command>,
    ) -> AckOutcome {
        let (subtask, attempt, id) = answer;
        let outcome = self.judge(subtask, attempt, id);
        if outcome == AckOutcome::Recorded && failure.kind == FailureKind::Superseded {
            self.lay_aside(id, out);
        } else if outcome == AckOutcome::Recorded {
            let failure = Failure {
                subtask: failure.subtask.or(Some(subtask)),
                ..failure
            };
            self.give_up(id, failure, now, out);
        }
        outcome
    }

    /// What an answer of a subtask is worth.
    fn judge(&self, subtask: SubtaskId, attempt: AttemptNumber, id: CheckpointId) -> AckOutcome {
        let Some(plan) = &self.plan else {
            return AckOutcome::Unknown;
        };
        if attempt != plan.attempt || id >= self.next || !plan.subtasks.contains(&subtask) {
            return AckOutcome::Unknown;
        }
        match self.pending.get(&id) {
            None => AckOutcome::Late,
            Some(pending) if pending.awaits(subtask) => AckOutcome::Recorded,
            Some(_) => AckOutcome::Duplicate,
        }
    }

    /// The log names a checkpoint: it exists.
    pub fn published(&mut self, checkpoint: CheckpointRef, now: Moment, out: &mut Vec<Command>) {
        let asked = (checkpoint.id, checkpoint.attempt);
        let Some(publishing) = self
            .publishing
            .take_if(|asking| (asking.id, asking.attempt) == asked)
        else {
            return;
        };
        self.failures = 0;
        self.retry_at = Moment::default();
        self.last_end = Some(now);
        let id = checkpoint.id;
        let subsumed = self.retained.add(checkpoint);
        let mut gone = self.abandoned_before(id);
        gone.append(&mut self.refused);
        if let Some(plan) = self
            .plan
            .as_ref()
            .filter(|plan| plan.attempt == publishing.attempt)
        {
            out.push(Command::NotifyComplete {
                checkpoint: id,
                attempt: plan.attempt,
                task_managers: plan.task_managers.clone(),
            });
            if publishing.is_final {
                self.stage = Stage::Done;
            }
            // Who asked for an older one is served by this one.
            let _ = self.abort_before(id, out);
        }
        let subsumed = subsumed.iter().map(|gone| (gone.attempt, gone.id));
        gone.extend(subsumed);
        discard(gone, out);
    }

    /// A checkpoint does not count as published and never will.
    pub fn publish_failed(
        &mut self,
        id: CheckpointId,
        failure: Failure,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        let Some(publishing) = self.publishing.take_if(|asking| asking.id == id) else {
            return;
        };
        let attempt = publishing.attempt;
        let older = self.abandoned_before(id);
        let running = self.plan.as_ref();
        let running = running.filter(|plan| plan.attempt == attempt);
        let task_managers = running.map_or(Vec::new(), |plan| plan.task_managers.clone());
        if running.is_some() {
            // Older ones must not be published behind it: ids would fall.
            let due = self.abort_before(id, out);
            self.since.add(due);
            self.fail(id, publishing.since, &failure, now);
        }
        out.push(Command::AbortCheckpoint {
            checkpoint: id,
            attempt,
            task_managers,
            cause: AbortCause::Failed(failure),
        });
        self.refused.push((attempt, id));
        discard(older, out);
    }

    /// Does what is due: publishes, gives up, triggers. Returns the failure of a job whose
    /// checkpoints have failed more often in a row than is tolerated.
    pub fn advance(&mut self, now: Moment, out: &mut Vec<Command>) -> Option<Failure> {
        self.now = self.now.max(now);
        self.publish(now, out);
        self.expire(now, out);
        self.expire_publish(now);
        if self.exceeded.is_none() && self.due(now) == Due::Now {
            self.trigger(now, out);
        }
        self.exceeded.take()
    }

    /// When [`Self::advance`], called just before, has something to do again if no fact comes
    /// first.
    pub fn deadline(&self) -> Option<Moment> {
        let open = self
            .pending
            .values()
            .filter(|pending| !pending.is_complete());
        let expiry = open.map(|pending| pending.until).min();
        let trigger = match self.due(self.now) {
            Due::Now => Some(self.now),
            Due::At(at) => Some(at),
            Due::Later => None,
        };
        let answer = self.publish_of_attempt().map(|asked| asked.until);
        expiry.into_iter().chain(trigger).chain(answer).min()
    }

    /// When the next trigger is due, by the policy and by everything that holds it back.
    fn due(&self, now: Moment) -> Due {
        let free = |taken: usize| taken < self.settings.max_concurrent as usize;
        let publishing = usize::from(self.publishing.is_some());
        let wanted = match self.stage {
            Stage::Opening | Stage::Done => Due::Later,
            Stage::Ended if !free(publishing) || self.has_final() => Due::Later,
            Stage::Running if !free(publishing + self.pending.len()) => Due::Later,
            Stage::Running if self.since.requests == 0 => {
                let pause = |end: Moment| end.saturating_add(self.settings.min_pause);
                let pause = self.last_end.map_or(Moment::default(), pause);
                not_before(self.settings.policy.due(&self.since.seen, now), pause)
            }
            Stage::Ended | Stage::Running => Due::Now,
        };
        match not_before(wanted, self.retry_at) {
            Due::At(at) if at <= now => Due::Now,
            due @ (Due::Now | Due::At(_) | Due::Later) => due,
        }
    }

    /// Whether a checkpoint is under way that was triggered after all subtasks had ended.
    fn has_final(&self) -> bool {
        self.pending.values().any(|pending| pending.is_final)
            || self
                .publishing
                .is_some_and(|publishing| publishing.is_final)
    }

    fn trigger(&mut self, now: Moment, out: &mut Vec<Command>) {
        let id = self.next;
        self.next = following(id);
        let is_final = self.stage == Stage::Ended;
        if is_final {
            // They would be subsumed; those that wait for nothing must not hold up the last one.
            let _ = self.abort_before(id, out);
        }
        let Some(plan) = &self.plan else {
            return;
        };
        let since = std::mem::take(&mut self.since);
        self.since.seen.at = now;
        let until = now.saturating_add(self.settings.timeout);
        let pending = PendingCheckpoint::new(&plan.subtasks, until, since, is_final);
        self.pending.insert(id, pending);
        out.push(Command::TriggerCheckpoint {
            checkpoint: id,
            attempt: plan.attempt,
            sources: plan.sources.clone(),
        });
    }

    /// Asks for the publish of the newest complete checkpoint, if none is asked for.
    fn publish(&mut self, now: Moment, out: &mut Vec<Command>) {
        let Some(plan) = self.plan.as_ref().filter(|_| self.publishing.is_none()) else {
            return;
        };
        let mut complete = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.is_complete());
        let Some((&id, _)) = complete.next_back() else {
            return;
        };
        let attempt = plan.attempt;
        let pending = self.pending.remove(&id).expect("it was just found");
        let since = pending.since;
        let metadata = pending.into_metadata(id, attempt, self.fingerprint, self.max_parallelism);
        self.publishing = Some(Publishing {
            id,
            attempt,
            is_final: metadata.ended,
            since,
            until: now.saturating_add(self.settings.timeout),
        });
        out.push(Command::PublishCheckpoint {
            metadata,
            retained: self.retained.beside_a_new_one().to_vec(),
        });
    }

    fn expire(&mut self, now: Moment, out: &mut Vec<Command>) {
        let late = |pending: &PendingCheckpoint| !pending.is_complete() && now >= pending.until;
        let expired = self.pending.iter().filter(|(_, pending)| late(pending));
        let expired: Vec<_> = expired
            .map(|(id, pending)| (*id, pending.missing()))
            .collect();
        for (id, missing) in expired {
            let message = format!(
                "{missing} within {:?}: look for back-pressure or a slow store, or raise \
                 checkpoint_timeout",
                self.settings.timeout
            );
            self.give_up(id, Failure::new(FailureKind::Cluster, message), now, out);
        }
    }

    /// Counts a publish that nobody answers as a failure, again and again: whether it is there is
    /// not known, so it is not given up.
    fn expire_publish(&mut self, now: Moment) {
        let Some(asked) = self.publish_of_attempt().filter(|asked| now >= asked.until) else {
            return;
        };
        let (id, timeout) = (asked.id, self.settings.timeout);
        if let Some(publishing) = &mut self.publishing {
            publishing.until = now.saturating_add(timeout);
        }
        let message = format!(
            "the store has not said within {timeout:?} whether it is published: look whether the \
             checkpoint store answers"
        );
        let failure = Failure::new(FailureKind::Cluster, message);
        self.fail(id, Counted::default(), &failure, now);
    }

    /// The publish that the attempt waits for.
    fn publish_of_attempt(&self) -> Option<Publishing> {
        let plan = self.plan.as_ref()?;
        self.publishing
            .filter(|asked| asked.attempt == plan.attempt)
    }
}

/// The id after this one.
const fn following(id: CheckpointId) -> CheckpointId {
    CheckpointId::new(id.get().saturating_add(1))
}

/// The same answer, held back until an instant.
fn not_before(due: Due, earliest: Moment) -> Due {
    match due {
        Due::Now => Due::At(earliest),
        Due::At(at) => Due::At(at.max(earliest)),
        Due::Later => Due::Later,
    }
}

#[cfg(test)]
mod tests;
