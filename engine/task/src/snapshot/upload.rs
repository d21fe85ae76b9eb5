//! Brings the bytes of one snapshot into the store, while they are still being written.
//!
//! Invariant: only so many bytes wait between slot and store; a file is named once, also when an
//! upload is tried again; the outcome is told once. A handle that is dropped ends its upload. An
//! upload is tried again only from its first byte, so it keeps what it was handed, up to a limit.

use std::mem;

use bytes::Bytes;
use sameriver_model::probe::{self, Probe};
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, FailureKind, FileHandle, Section, SectionWriter,
    SubtaskId,
};
use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{BlobError, Lane, RandomStream, Wake, World, select};
use sameriver_storage::{SnapshotFileWriter, WriteError, layout};

use crate::mail::SubtaskCheckpoints;

/// How many pieces wait for the store before the walk does.
const PIECES: usize = 4;

/// Which snapshot goes where.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) checkpoints: SubtaskCheckpoints,
    pub(super) subtask: SubtaskId,
    pub(super) attempt: AttemptNumber,
    pub(super) checkpoint: CheckpointId,
}

/// A part of a snapshot, in order.
enum Piece {
    Bytes(Bytes),
    /// The last bytes, and the index of all.
    Last(Bytes, Vec<Section>),
}

/// What became of bytes for the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// It has them.
    Taken,
    /// It has enough for now and wakes the slot when it can take more, or has ended.
    Full,
}

/// The slot's end of an upload.
pub(super) struct Upload {
    pieces: mpsc::Sender<Piece>,
    outcome: oneshot::Receiver<Result<FileHandle, Failure>>,
    stop: Wake,
}

impl Upload {
    /// Begins the upload; `seed` makes the nonces of its names.
    pub(super) fn start(world: &World, wake: &Wake, destination: Destination, seed: u64) -> Self {
        let (pieces, incoming) = mpsc::channel(PIECES);
        let (tell, outcome) = oneshot::channel();
        let stop = Wake::new();
        let name = format!(
            "upload of {} {}",
            destination.subtask, destination.checkpoint
        );
        let carrier = Carrier {
            world: world.clone(),
            wake: wake.clone(),
            destination,
            nonces: RandomStream::named(seed, "names"),
            incoming,
            kept: Vec::new(),
            kept_bytes: 0,
            is_kept: true,
            sections: None,
        };
        let stopped = stop.clone();
        let task = world.spawn(Lane::Control, &name, async move {
            let wake = carrier.wake.clone();
            let carried = select! {
                () = stopped.wait() => None,
                carried = carrier.run() => carried,
            };
            if let Some(result) = carried {
                // Nobody listens: then nobody wants the file either.
                let _ = tell.send(result);
                wake.wake();
            }
        });
        // It ends when this handle is dropped; the slot's `TaskGroup` waits for it.
        task.detach();
        Self {
            pieces,
            outcome,
            stop,
        }
    }

    /// Hands over all bytes that wait in `sections`; with `is_written`, nothing comes after them.
    pub(super) fn hand(&self, sections: &mut SectionWriter, is_written: bool) -> Handed {
        let Ok(permit) = self.pieces.try_reserve() else {
            return Handed::Full;
        };
        let bytes = Bytes::from(sections.take());
        permit.send(if is_written {
            Piece::Last(bytes, sections.sections().to_vec())
        } else {
            Piece::Bytes(bytes)
        });
        Handed::Taken
    }

    /// What became of the file, once that is known.
    pub(super) fn outcome(&mut self) -> Option<Result<FileHandle, Failure>> {
        match self.outcome.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => {
                let message = "the task of a snapshot's upload ended without an answer";
                Some(Err(Failure::new(FailureKind::Internal, message)))
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.stop.wake();
    }
}

/// The task behind an upload.
struct Carrier {
    world: World,
    wake: Wake,
    destination: Destination,
    nonces: RandomStream,
    incoming: mpsc::Receiver<Piece>,
    /// What was handed over so far, while it is kept.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    is_kept: bool,
    /// The index, once everything was handed over.
    sections: Option<Vec<Section>>,
}

/// Why a try ended without a file.
enum Broken {
    Store(WriteError),
    /// The slot wants no file any more.
    Unwanted,
}

impl From<WriteError> for Broken {
    fn from(error: WriteError) -> Self {
        Self::Store(error)
    }
}

impl Carrier {
    /// The file, or why there is none; `None` when nobody wants it any more.
    async fn run(mut self) -> Option<Result<FileHandle, Failure>> {
        let retry = self.destination.checkpoints.upload_retry;
        let mut failures = 0;
        loop {
            let error = match self.carry().await {
                Ok(file) => return Some(Ok(file)),
                Err(Broken::Unwanted) => return None,
                Err(Broken::Store(error)) => error,
            };
            let again = failures + 1 < retry.attempts_max && self.is_kept && may_help(&error);
            if !again {
                return Some(Err(self.failure(&error)));
            }
            tracing::warn!(node = self.world.node(), subtask = %self.destination.subtask,
                checkpoint = %self.destination.checkpoint, "snapshot is uploaded again: {error}");
            self.world.sleep(retry.pause(failures)).await;
            failures += 1;
        }
    }

    /// Tries once, from the first byte, under a new name.
    async fn carry(&mut self) -> Result<FileHandle, Broken> {
        let Destination {
            checkpoints,
            subtask,
            attempt,
            checkpoint,
        } = self.destination.clone();
        let path = layout::snapshot(attempt, checkpoint, subtask, self.nonces.next_u64());
        let (store, folder) = (&*checkpoints.store, checkpoints.folder.as_str());
        let mut file = SnapshotFileWriter::begin(store, folder, &path).await?;
        for bytes in &self.kept {
            file.write(bytes.clone()).await?;
        }
        while self.sections.is_none() {
            let piece = self.incoming.recv().await.ok_or(Broken::Unwanted)?;
            self.wake.wake();
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Last(bytes, sections) => {
                    self.sections = Some(sections);
                    bytes
                }
            };
            self.keep(&bytes);
            file.write(bytes).await?;
        }
        probe::observe(&Probe::Step {
            subtask,
            attempt,
            checkpoint,
            step: "upload",
        });
        probe::crash_point("snapshot.upload");
        let sections = self.sections.clone().unwrap_or_default();
        Ok(file.finish(sections).await?)
    }

    fn keep(&mut self, bytes: &Bytes) {
        self.kept_bytes += bytes.len();
        let limit = self.destination.checkpoints.upload_retry.kept_bytes_max;
        if self.kept_bytes > limit {
            self.is_kept = false;
            drop(mem::take(&mut self.kept));
        }
        if self.is_kept {
            self.kept.push(bytes.clone());
        }
    }

    fn failure(&self, error: &WriteError) -> Failure {
        let checkpoint = self.destination.checkpoint;
        let remedy = if self.is_kept {
            "check the checkpoint store"
        } else {
            "check the checkpoint store, or raise the bytes that uploads keep to try again"
        };
        let message = format!("snapshot for {checkpoint} cannot be uploaded: {error}: {remedy}");
        Failure::new(FailureKind::OutputUnwritable, message)
    }
}

/// Whether another try, under another name, may go well.
fn may_help(error: &WriteError) -> bool {
    match error {
        WriteError::Store(BlobError::Unavailable { .. }) | WriteError::Taken { .. } => true,
        WriteError::Store(BlobError::NotFound { .. } | BlobError::Refused { .. }) => false,
    }
}
