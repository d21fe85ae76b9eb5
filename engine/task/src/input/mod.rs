//! The input side of a subtask: all its channels, seen as one.
//!
//! Reading order: [`watermark_valve`] → [`aligner`] → [`gate`].
//!
//! Invariant: the order of elements inside a channel is kept; nothing is promised between channels.

pub(crate) mod aligner;
pub(crate) mod gate;
pub(crate) mod watermark_valve;
