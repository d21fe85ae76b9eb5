//! The contract of sinks: a writer per subtask that takes batches and never blocks.
//!
//! Invariant: `finish` answers `Done` only when everything that was written is outside.

use std::io;

use sameriver_model::{
    AttemptNumber, Batch, CheckpointId, Element, JobNonce, Parallelism, SubtaskId,
};
use sameriver_runtime::BoxFuture;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::consumer::Progress;
use crate::open::CommitRule;
use crate::source::Surroundings;

/// Why a sink cannot be written. The kinds decide the exit code of the command line.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The output cannot be created or written.
    #[error("cannot write {output}: {cause}: {remedy}")]
    Unwritable {
        /// The output as the user named it.
        output: String,
        /// What the operating system said.
        cause: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The output has what another job, or another run of this one, wrote: no restart mends that.
    #[error("cannot write {output}: {found}: {remedy}")]
    Taken {
        /// The output as the user named it.
        output: String,
        /// What is there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Anything else.
    #[error("{output}: {cause}")]
    Other {
        /// The output as the user named it.
        output: String,
        /// What is wrong, with a remedy.
        cause: String,
    },
}

/// What a writer is told.
#[derive(Clone, Debug)]
pub struct WriterArgs {
    /// The world and the slot's wake.
    pub surroundings: Surroundings,
    /// Which job it is; no two jobs have the same number, nor two runs of one job function.
    pub job: JobNonce,
    /// Which subtask this is.
    pub subtask: SubtaskId,
    /// Its attempt; no two attempts of a job have the same number, so names made of both are new.
    pub attempt: AttemptNumber,
    /// Whether the attempt goes on from a checkpoint; if not, the job has no output yet that a
    /// checkpoint let go.
    pub is_restored: bool,
    /// How many writers there are.
    pub parallelism: Parallelism,
    /// When what is staged is committed.
    pub commits: CommitRule,
}

/// A connector's output: describes itself, and makes a writer for each subtask.
///
/// A writer that has to wait for the outside hands its records to a task of the
/// [`world`](WriterArgs::surroundings), says in [`has_room`](SinkWriter::has_room) when enough of
/// them wait, and is woken by that task. One that never waits is short:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use sameriver_model::Batch;
/// use sameriver_operator::Progress;
/// use sameriver_operator::sink::{Sink, SinkError, SinkWriter, WriterArgs};
///
/// /// Adds numbers up in a gauge of this process.
/// struct Gauge(Arc<AtomicU64>);
///
/// impl Sink<u64> for Gauge {
///     fn describe(&self) -> String {
///         "gauge".to_owned()
///     }
///
///     fn writer(&self, _: WriterArgs) -> Result<Box<dyn SinkWriter<u64>>, SinkError> {
///         Ok(Box::new(GaugeWriter(Arc::clone(&self.0))))
///     }
/// }
///
/// struct GaugeWriter(Arc<AtomicU64>);
///
/// impl SinkWriter<u64> for GaugeWriter {
///     fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
///         self.0.fetch_add(batch.records().iter().sum(), Ordering::Relaxed);
///         batch.clear();
///         Ok(())
///     }
///
///     fn has_room(&self) -> bool {
///         true
///     }
///
///     fn flush(&mut self) -> Result<(), SinkError> {
///         Ok(())
///     }
///
///     fn finish(&mut self) -> Result<Progress, SinkError> {
///         Ok(Progress::Done)
///     }
/// }
/// ```
pub trait Sink<T: Element>: Send + Sync + 'static {
    /// What the graph shows: `file totals/`.
    fn describe(&self) -> String;

    /// Makes the writer of one subtask.
    ///
    /// # Errors
    /// [`SinkError`] when the writer cannot even start.
    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError>;

    /// What no other sink of a job may write too, in a form that is equal for equal outputs; `None`
    /// if others may. The front door refuses a job in which two sinks name the same.
    fn exclusive_output(&self) -> Option<String> {
        None
    }

    /// Whether what is written stays invisible until it is committed; then there is a
    /// [`committer`](Self::committer), and the sink delivers each record exactly once.
    fn commits(&self) -> bool {
        false
    }

    /// Makes the committer of one subtask; `None` if the sink has none.
    ///
    /// # Errors
    /// [`SinkError`] when the committer cannot even start.
    fn committer(&self, args: WriterArgs) -> Result<Option<Box<dyn Committer>>, SinkError> {
        let _ = args;
        Ok(None)
    }
}

/// What a writer has staged: all that its committer needs to make it visible, on any node.
///
/// The bytes outlive this program: begin them with a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Committable(pub Vec<u8>);

/// Why something could not be committed. The variants say what to do.
#[derive(Debug, Error)]
pub enum CommitError {
    /// Trying again may help; the commit may or may not have been carried out.
    #[error("{output}: {cause}")]
    Retry {
        /// The output as the user named it.
        output: String,
        /// What was seen.
        cause: String,
    },
    /// Trying again does not help: something else is there, or it is gone.
    #[error("cannot commit {what} to {output}: {cause}")]
    Refused {
        /// The output as the user named it.
        output: String,
        /// What was to be committed.
        what: String,
        /// What is wrong, with a remedy.
        cause: String,
    },
}

/// Makes visible what writers have staged.
pub trait Committer: Send + Sync {
    /// Commits what one checkpoint let go, in its order. Recovery repeats it, so what is committed
    /// already is a success.
    ///
    /// # Errors
    /// [`CommitError`]: `Retry` is tried again with the same committables, for as long as
    /// `commit_timeout` says; then it fails the job as `Refused` does at once.
    fn commit(&self, committables: Vec<Committable>) -> BoxFuture<Result<(), CommitError>>;

    /// What a committable is called in messages: a path, a transaction.
    fn name(&self, committable: &Committable) -> String;

    /// Removes what earlier attempts of this subtask have staged or begun and nobody will commit.
    ///
    /// Called once, at the end of the job: nothing follows, and all that this subtask had to
    /// commit, restored committables included, is committed. Not called after a failure. It may
    /// touch only what belongs to attempts below its own.
    ///
    /// # Errors
    /// [`CommitError`], as for a commit.
    fn sweep(&self) -> BoxFuture<Result<(), CommitError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Takes the records of one subtask.
pub trait SinkWriter<T>: Send {
    /// Takes all records; what is left in `batch` counts as taken, and the caller keeps the
    /// allocation.
    ///
    /// # Errors
    /// [`SinkError`], also of earlier writes that failed meanwhile.
    fn write(&mut self, batch: &mut Batch<T>) -> Result<(), SinkError>;

    /// Whether the writer can take another slice; if not, it wakes the slot when it can.
    fn has_room(&self) -> bool;

    /// Starts to hand on what is buffered.
    ///
    /// # Errors
    /// [`SinkError`], also of earlier writes that failed meanwhile.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// Nothing follows: hands on everything. `Waiting` asks to be called again after a wake.
    ///
    /// # Errors
    /// [`SinkError`], also of earlier writes that failed meanwhile.
    fn finish(&mut self) -> Result<Progress, SinkError>;

    /// A barrier: what was written so far belongs to `checkpoint`, what comes later does not.
    /// Starts to hand on what is buffered.
    ///
    /// # Errors
    /// [`SinkError`], also of earlier writes that failed meanwhile.
    fn stage(&mut self, checkpoint: CheckpointId) -> Result<(), SinkError> {
        let _ = checkpoint;
        self.flush()
    }

    /// What the last [`stage`](Self::stage) came to, once everything before it is outside and
    /// durable: the committables of a sink that commits, nothing for others. `None` asks to be
    /// called again after a wake. Each committable is answered once.
    ///
    /// After [`finish`](Self::finish) it is asked once more, without a stage.
    ///
    /// # Errors
    /// [`SinkError`], also of earlier writes that failed meanwhile; the default says that the sink
    /// has no checkpoints.
    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        Err(SinkError::Other {
            output: "the sink".to_owned(),
            cause: "it cannot take part in a checkpoint: implement SinkWriter::staged".to_owned(),
        })
    }
}
