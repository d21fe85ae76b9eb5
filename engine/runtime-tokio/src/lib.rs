//! The real world: clocks, tasks, sockets and disks on tokio.
//!
//! Reading order: [`world`] (what users hold) → `node` (the seam, method by method) → `control`
//! (the threads of the control lane) → `data_lane` (a thread per slot) → `stream` → `disk`.
//!
//! Invariant: a future of this world may be made and polled on any thread, inside any tokio runtime
//! or none. The control lane has threads of its own, so a user's runtime cannot starve it, and the
//! world may be dropped inside async code. Knows nothing of the domain.
#![forbid(unsafe_code)]

mod control;
mod data_lane;
mod disk;
mod node;
mod stream;
pub mod world;

pub use world::{TokioWorld, TokioWorldBuilder};
