//! One link of a chain: takes slices of records and watermarks, and hands on what comes of them.
//!
//! Invariant: the order of records and watermarks is kept; after `watermark` or `finish` answered
//! anything but [`Progress::Done`], the chain gets no further input until `resume` answers `Done`.

use std::any::Any;

use sameriver_model::{Batch, Element, Watermark};

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

/// A link of a chain that takes records of type `T`. The links below it are its own.
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
    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;

    /// The input is idle (or active again): it is excused from the watermark.
    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError>;

    /// Hands on what is held back only to make batches larger.
    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError>;

    /// Nothing follows; comes after the last watermark ([`Watermark::MAX`]). `Done` means that
    /// everything is outside.
    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError>;

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
