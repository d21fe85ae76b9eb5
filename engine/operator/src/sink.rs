//! The contract of sinks: a writer per subtask that takes batches and never blocks.
//!
//! Invariant: `finish` answers `Done` only when everything that was written is outside.

use std::io;

use sameriver_model::{Batch, Element, Parallelism, SubtaskId};
use thiserror::Error;

use crate::consumer::Progress;
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
    /// Which subtask this is.
    pub subtask: SubtaskId,
    /// How many writers there are.
    pub parallelism: Parallelism,
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
}
