//! The data plane: slot loop, input gates and exchange.
//!
//! Reading order: [`placement`] → [`mail`] → [`slot`] → `subtask` → `input` → `snapshot` →
//! `outputs` → [`exchange`], then [`settings`] and [`metrics`].
//!
//! Invariant: the order of elements inside a channel is kept, and every queue is bounded. This room
//! moves batches whose record type it never learns, and knows nothing of the job around its
//! subtasks: who deploys them and what becomes of a failure is the cluster's business.
#![forbid(unsafe_code)]

pub mod exchange;
mod input;
pub mod mail;
pub mod metrics;
mod outputs;
pub mod placement;
pub mod settings;
pub mod slot;
mod snapshot;
mod subtask;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod yield_now;

pub use exchange::Exchange;
pub use mail::{Deployment, SlotEvent, SlotMail, SubtaskCheckpoints, UploadRetry};
pub use metrics::{SnapshotMeasures, SubtaskMetrics};
pub use placement::Placement;
pub use settings::{ExchangeSettings, SlotSettings};
pub use slot::{Slot, SlotStopped};
