//! Takes the snapshots of one subtask: cuts the stream, walks the state, hands the bytes on.
//!
//! Reading order: this file → `upload`.
//!
//! Invariant: a snapshot holds the state at its barrier, however long the walk takes; at most one
//! walk is under way, between slices and a step at a time; a walk whose upload has no room waits,
//! and records go on. Each snapshot is acknowledged or declined once, unless it is given up. Knows
//! nothing of channels, or of the checkpoint's other subtasks.

mod upload;

use std::collections::VecDeque;
use std::time::Duration;

use sameriver_model::probe::{self, Probe};
use sameriver_model::{
    AttemptNumber, Barrier, CheckpointId, Failure, FailureKind, FileHandle, ReadReports,
    SectionWriter, SubtaskId, SubtaskState,
};
use sameriver_operator::{Chain, Context, OperatorError, Walk};
use sameriver_runtime::{Monotonic, RandomStream, Wake, World};

use self::upload::{Destination, Handed, Upload};
use crate::mail::{SlotEvent, SubtaskCheckpoints};
use crate::metrics::SnapshotMeasures;

/// How many bytes a step of the walk writes, about; what is handed on at once.
pub(crate) const STEP_BYTES: usize = 64 << 10;
/// How many bytes are asked for in one call, so that the clock is looked at in between.
const CALL_BYTES: usize = 8 << 10;
/// How many calls a step makes, whatever they write.
const STEP_CALLS: usize = 64;
/// How long a step goes on, by the clock.
const STEP_TIME: Duration = Duration::from_millis(1);
/// Records get so many times the time of a step before the next one, while there are any.
const REST: u32 = 2;

/// Where a snapshot cuts the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// The barrier.
    pub(crate) barrier: Barrier,
    /// How long channels waited behind it.
    pub(crate) waited: Duration,
    /// Whether the input had ended.
    pub(crate) is_ended: bool,
}

/// A snapshot whose bytes are not all written yet.
struct Walking {
    checkpoint: CheckpointId,
    is_ended: bool,
    sections: SectionWriter,
    measured: SnapshotMeasures,
    /// None before there is something to upload.
    upload: Option<Upload>,
    /// Every section is written; its bytes may wait for the upload to have room.
    is_written: bool,
    /// Something outside is not ready; the slot was woken this often.
    waits: Option<u64>,
    /// Records go on until then.
    rests: Monotonic,
    /// The step was the last that this subtask did.
    was_last: bool,
}

/// A snapshot whose bytes are on their way.
struct Uploading {
    checkpoint: CheckpointId,
    is_ended: bool,
    measured: SnapshotMeasures,
    upload: Upload,
}

/// The snapshots of one subtask.
pub(crate) struct Snapshots {
    subtask: SubtaskId,
    attempt: AttemptNumber,
    checkpoints: Option<SubtaskCheckpoints>,
    world: World,
    wake: Wake,
    nonces: RandomStream,
    walking: Option<Walking>,
    uploads: Vec<Uploading>,
    reports: VecDeque<SlotEvent>,
}

impl Snapshots {
    /// No snapshot yet. Uploads run in `world` and wake the slot by `wake`.
    pub(crate) fn new(
        subtask: SubtaskId,
        attempt: AttemptNumber,
        checkpoints: Option<SubtaskCheckpoints>,
        world: World,
        wake: Wake,
    ) -> Self {
        let nonces = world.random(&format!("snapshots of {subtask} in {attempt}"));
        Self {
            subtask,
            attempt,
            checkpoints,
            world,
            wake,
            nonces,
            walking: None,
            uploads: Vec::new(),
            reports: VecDeque::new(),
        }
    }

    /// Whether channels wait behind their barriers.
    pub(crate) fn are_aligned(&self) -> bool {
        self.checkpoints.as_ref().is_none_or(|own| own.aligned)
    }

    /// What a source tells of what it reads.
    pub(crate) fn reports(&self) -> Option<ReadReports> {
        self.checkpoints.as_ref()?.reports
    }

    /// Whether a walk is under way: then no other may begin.
    pub(crate) fn is_walking(&self) -> bool {
        self.walking.is_some()
    }

    /// Whether the walk should go on before records do.
    pub(crate) fn is_due(&self, now: Monotonic) -> bool {
        let walking = self.walking.as_ref();
        walking.is_some_and(|walking| !walking.was_last && walking.rests <= now)
    }

    /// Records had their turn.
    pub(crate) fn give_way(&mut self) {
        if let Some(walking) = &mut self.walking {
            walking.was_last = false;
        }
    }

    /// The next thing to be reported.
    pub(crate) fn report(&mut self) -> Option<SlotEvent> {
        self.reports.pop_front()
    }

    /// The subtask has something to say, behind what was said before.
    pub(crate) fn announce(&mut self, event: SlotEvent) {
        self.reports.push_back(event);
    }

    /// Passes the barrier on and begins its snapshot; no walk may be under way.
    pub(crate) fn begin(
        &mut self,
        cut: Cut,
        chain: &mut dyn Chain,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        assert!(self.walking.is_none(), "one walk at a time");
        let checkpoint = cut.barrier.checkpoint;
        self.step_of(checkpoint, "align", "snapshot.align");
        let started = self.world.now();
        // The barrier leaves before the snapshot starts: downstream must not wait for our disk.
        chain.barrier(cut.barrier, cx)?;
        if self.checkpoints.is_none() {
            let message = "a barrier came into a job that takes no checkpoints";
            self.decline(checkpoint, Failure::new(FailureKind::Internal, message));
            return Ok(());
        }
        let mut sections = SectionWriter::default();
        if let Err(error) = chain.snapshot(&mut sections) {
            return self.refuse(checkpoint, chain, error);
        }
        let now = self.world.now();
        self.step_of(checkpoint, "synchronous", "snapshot.synchronous");
        self.walking = Some(Walking {
            checkpoint,
            is_ended: cut.is_ended,
            sections,
            measured: SnapshotMeasures {
                alignment: cut.waited,
                synchronous: now.since(started),
                ..SnapshotMeasures::default()
            },
            upload: None,
            is_written: false,
            waits: None,
            rests: now,
            was_last: true,
        });
        Ok(())
    }

    /// Walks on, for about a millisecond; answers whether anything was done. `wakes` is how often
    /// the slot was woken.
    pub(crate) fn walk(
        &mut self,
        wakes: u64,
        chain: &mut dyn Chain,
    ) -> Result<bool, OperatorError> {
        if !self.hand_on() {
            return Ok(false);
        }
        let Some(walking) = &mut self.walking else {
            return Ok(false);
        };
        if walking.is_written {
            self.walked();
            return Ok(true);
        }
        if walking.waits == Some(wakes) {
            return Ok(false);
        }
        let started = self.world.now();
        let stepped = walking.step(wakes, &self.world, started, chain);
        let (checkpoint, now) = (walking.checkpoint, self.world.now());
        let took = now.since(started);
        walking.measured.longest_step = walking.measured.longest_step.max(took);
        walking.rests = now.saturating_add(took.saturating_mul(REST));
        walking.was_last = true;
        if let Err(error) = stepped {
            self.walking = None;
            return self.refuse(checkpoint, chain, error).map(|()| true);
        }
        if self.hand_on() && self.walking.as_ref().is_some_and(|w| w.is_written) {
            self.walked();
        }
        Ok(true)
    }

    /// Looks what became of uploads.
    pub(crate) fn look(&mut self, chain: &mut dyn Chain) {
        let walking = self.walking.as_mut();
        let upload =
            walking.and_then(|walking| Some((walking.checkpoint, walking.upload.as_mut()?)));
        // An upload that has not got everything cannot have gone well.
        if let Some((checkpoint, Some(Err(failure)))) = upload.map(|(c, u)| (c, u.outcome())) {
            self.walking = None;
            chain.drop_snapshot();
            self.decline(checkpoint, failure);
        }
        let mut position = 0;
        while let Some(uploading) = self.uploads.get_mut(position) {
            let Some(outcome) = uploading.upload.outcome() else {
                position += 1;
                continue;
            };
            let uploading = self.uploads.remove(position);
            match outcome {
                Ok(file) => self.acknowledge(
                    uploading.checkpoint,
                    uploading.is_ended,
                    vec![file],
                    uploading.measured,
                ),
                Err(failure) => self.decline(uploading.checkpoint, failure),
            }
        }
    }

    /// Nobody wants this snapshot any more.
    pub(crate) fn abort(&mut self, checkpoint: CheckpointId, chain: &mut dyn Chain) {
        if self
            .walking
            .take_if(|walking| walking.checkpoint == checkpoint)
            .is_some()
        {
            chain.drop_snapshot();
        }
        self.uploads
            .retain(|uploading| uploading.checkpoint != checkpoint);
    }

    /// A checkpoint is published: nobody wants the snapshots of earlier ones.
    pub(crate) fn complete(&mut self, checkpoint: CheckpointId) {
        self.step_of(checkpoint, "notify", "snapshot.complete");
        self.uploads
            .retain(|uploading| uploading.checkpoint > checkpoint);
    }

    /// There will be no snapshot for a checkpoint.
    pub(crate) fn decline(&mut self, checkpoint: CheckpointId, failure: Failure) {
        let failure = failure.in_subtask(self.subtask);
        tracing::warn!(subtask = %self.subtask, attempt = %self.attempt, %checkpoint,
            "snapshot declined: {failure}");
        self.reports.push_back(SlotEvent::Declined {
            subtask: self.subtask,
            attempt: self.attempt,
            checkpoint,
            failure,
        });
    }

    /// Hands bytes to the upload, if there are enough of them; answers whether the walk may go on.
    fn hand_on(&mut self) -> bool {
        let Some(walking) = &mut self.walking else {
            return false;
        };
        let is_written = walking.is_written;
        if walking.sections.sections().is_empty() && is_written {
            return true;
        }
        if walking.sections.pending() < STEP_BYTES && !is_written {
            return true;
        }
        let Some(own) = &self.checkpoints else {
            return true;
        };
        let checkpoint = walking.checkpoint;
        let upload = walking.upload.get_or_insert_with(|| {
            let destination = Destination {
                checkpoints: own.clone(),
                subtask: self.subtask,
                attempt: self.attempt,
                checkpoint,
            };
            Upload::start(&self.world, &self.wake, destination, self.nonces.next_u64())
        });
        match upload.hand(&mut walking.sections, is_written) {
            Handed::Taken => true,
            Handed::Full => false,
        }
    }

    /// The walk is over: the upload goes on by itself, if there is one.
    fn walked(&mut self) {
        let Some(mut walking) = self.walking.take() else {
            return;
        };
        walking.measured.bytes = walking.sections.written();
        let (checkpoint, is_ended, measured) =
            (walking.checkpoint, walking.is_ended, walking.measured);
        match walking.upload {
            Some(upload) => self.uploads.push(Uploading {
                checkpoint,
                is_ended,
                measured,
                upload,
            }),
            None => self.acknowledge(checkpoint, is_ended, Vec::new(), measured),
        }
    }

    fn acknowledge(
        &mut self,
        checkpoint: CheckpointId,
        is_ended: bool,
        files: Vec<FileHandle>,
        measured: SnapshotMeasures,
    ) {
        self.step_of(checkpoint, "acknowledge", "snapshot.acknowledge");
        let subtask = self.subtask;
        tracing::debug!(%subtask, attempt = %self.attempt, %checkpoint, bytes = measured.bytes,
            "snapshot acknowledged");
        self.reports.push_back(SlotEvent::Acknowledged {
            subtask,
            attempt: self.attempt,
            checkpoint,
            state: SubtaskState {
                subtask,
                files,
                is_ended,
            },
            measured,
        });
    }

    /// What cannot be written costs the checkpoint; what a sink lost costs the subtask.
    fn refuse(
        &mut self,
        checkpoint: CheckpointId,
        chain: &mut dyn Chain,
        error: OperatorError,
    ) -> Result<(), OperatorError> {
        match &error {
            OperatorError::Sink { .. } | OperatorError::Commit { .. } => Err(error),
            OperatorError::User { .. }
            | OperatorError::Source { .. }
            | OperatorError::Codec { .. }
            | OperatorError::State { .. }
            | OperatorError::Snapshot { .. }
            | OperatorError::Restore { .. }
            | OperatorError::Limit { .. } => {
                chain.drop_snapshot();
                self.decline(checkpoint, Failure::new(error.kind(), error.to_string()));
                Ok(())
            }
        }
    }

    fn step_of(&self, checkpoint: CheckpointId, step: &'static str, place: &'static str) {
        probe::observe(&Probe::Step {
            subtask: self.subtask,
            attempt: self.attempt,
            checkpoint,
            step,
        });
        probe::crash_point(place);
    }
}

impl Walking {
    /// Asks the chain for more until the step is long enough.
    fn step(
        &mut self,
        wakes: u64,
        world: &World,
        started: Monotonic,
        chain: &mut dyn Chain,
    ) -> Result<(), OperatorError> {
        let enough = self.sections.written() + STEP_BYTES as u64;
        self.waits = None;
        for _ in 0..STEP_CALLS {
            match chain.walk(CALL_BYTES, &mut self.sections)? {
                Walk::Done => {
                    self.is_written = true;
                    return Ok(());
                }
                Walk::Waiting => {
                    self.waits = Some(wakes);
                    return Ok(());
                }
                Walk::More => {}
            }
            if self.sections.written() >= enough || world.now().since(started) >= STEP_TIME {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The failure of a snapshot that a later one made needless.
pub(crate) fn superseded(old: CheckpointId, by: CheckpointId) -> Failure {
    let message = format!("snapshot for {old} was given up: the barrier of {by} came first");
    Failure::new(FailureKind::Superseded, message)
}
