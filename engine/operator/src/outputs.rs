//! What the tail of a chain sees of the task: numbered channels that take erased batches.

use sameriver_model::{AnyBatch, Barrier, Watermark};

/// The channels of one edge from one subtask, in the order of [`output_channels`].
///
/// Sending never waits: the slot loop starts a slice only when every channel has a free buffer, and
/// what one slice sends beyond that is overdraft.
///
/// [`output_channels`]: sameriver_model::JobPlan::output_channels
pub trait Outputs: Send {
    /// How many channels there are, at least 1.
    fn channels(&self) -> usize;

    /// Sends a batch (not empty) on one channel.
    fn send(&mut self, channel: usize, batch: Box<dyn AnyBatch>);

    /// An empty batch of this edge that the receiver is done with, to be filled again.
    fn reuse(&mut self, channel: usize) -> Option<Box<dyn AnyBatch>> {
        let _ = channel;
        None
    }

    /// Sends a watermark on every channel, behind all batches sent before.
    fn watermark(&mut self, watermark: Watermark);

    /// Marks every channel idle or active.
    fn idle(&mut self, idle: bool);

    /// Sends a barrier on every channel, behind all batches sent before.
    fn barrier(&mut self, barrier: Barrier);

    /// Ends every channel; only barriers may follow.
    fn end(&mut self);
}
