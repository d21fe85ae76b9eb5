//! One link of a chain: takes slices of records and watermarks, and hands on what comes of them.
//!
//! Invariant: the order of records and watermarks is kept; after `watermark` or `finish` answered
//! anything but [`Progress::Done`], the chain gets no further input until `resume` answers `Done`.

use std::any::Any;

use sameriver_model::{Barrier, Batch, CheckpointId, Element, SectionWriter, Watermark};

use crate::context::Context;
use crate::error::OperatorError;

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "anything but `Done` asks for `resume`"]
pub enum Progress {
    /// All is done.
    Done,
    /// Call `resume` again as soon as the outputs have room (more timers are due).
    More,
    /// Call `resume` again after a wake (something outside is not finished).
    Waiting,
}

/// How far a snapshot came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "anything but `Done` asks for another `walk`"]
pub enum Walk {
    /// Every section is written.
    Done,
    /// There is more to write.
    More,
    /// Something outside (a file that is synced) is not ready: walk again after a wake.
    Waiting,
}

/// A link of a chain that takes records of type `T`. The links below it are its own.
///
/// # Errors
/// Every method's [`OperatorError`] is that of this link or of one below, whose operator it names.
/// No method is called afterwards: the attempt ends.
#[expect(
    clippy::missing_errors_doc,
    reason = "the trait says it for all of its methods"
)]
pub trait Consumer<T>: Send {
    /// Takes all records out of `batch`; the caller keeps the allocation.
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError>;

    /// No later record is at or before `watermark`: fire what is due, then pass it on.
    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError>;

    /// Goes on with what the last `watermark` or `finish` left.
    ///
    /// A chain that starts from a snapshot is resumed before anything else: what a watermark had
    /// left there is done, and watermarks that the channels below have forgotten are sent again.
    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;

    /// The input is idle (or active again): it is excused from the watermark.
    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError>;

    /// Hands on what is held back only to make batches larger.
    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError>;

    /// Nothing follows; comes after the last watermark ([`Watermark::MAX`]). `Done` means that
    /// everything is outside.
    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;

    /// Cuts the stream: hands on what is held back, lets sinks stage what they hold, and passes the
    /// barrier down to every output. Comes between slices, also between two timers of a watermark.
    fn barrier(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError>;

    /// Begins the snapshot of the last barrier, as the state is now: what is small is written at
    /// once, tables remember what to write later.
    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError>;

    /// Goes on with the snapshot between slices, for about `bytes_max` bytes; whole sections only.
    /// After `Done` it answers `Done` again and writes nothing.
    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError>;

    /// Nobody wants the snapshot any more; what sinks staged for it waits for the next one.
    fn drop_snapshot(&mut self);

    /// A checkpoint is published: two-phase sinks begin to commit what they staged up to it.
    /// Repeated and skipped numbers are harmless.
    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError>;

    /// Looks after what goes on outside, after a wake: `Done` when nothing that may be committed
    /// is unconfirmed, `Waiting` when something is.
    fn settle(&mut self) -> Result<Progress, OperatorError>;

    /// Whether the links below can take a slice now. Channels are asked by the task itself; this
    /// is for sinks.
    fn has_room(&self) -> bool;
}

/// A `Box<dyn Consumer<T>>` whose `T` is known to the two neighbours only.
pub struct AnyConsumer(Box<dyn Any + Send>);

impl AnyConsumer {
    /// Forgets the record type.
    pub fn of<T: Element>(consumer: Box<dyn Consumer<T>>) -> Self {
        Self(Box::new(consumer))
    }

    /// Remembers the record type.
    ///
    /// # Panics
    /// If the neighbours disagree about it: a bug of the graph.
    pub fn typed<T: Element>(self) -> Box<dyn Consumer<T>> {
        *self
            .0
            .downcast()
            .expect("the ends of a chain link have one record type")
    }
}
