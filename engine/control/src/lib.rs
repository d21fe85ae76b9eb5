//! The control plane: pure decisions about one job.
//!
//! Reading order: [`moment`] → [`status`] → [`fact`] and [`command`] → [`assignment`] →
//! [`machine`].
//!
//! Invariant: facts and `now` come in, commands go out. Nothing here awaits, stores, sends or reads
//! a clock; no async crate is in the transitive closure.
#![forbid(unsafe_code)]

pub mod assignment;
pub mod command;
pub mod fact;
pub mod machine;
pub mod moment;
pub mod status;

pub use assignment::{AssignmentError, SlotAssignment, SlotOffer};
pub use command::{Command, PlacedSubtask};
pub use fact::Fact;
pub use machine::{AdmissionError, Deadlines, JobMachine};
pub use moment::Moment;
pub use status::{JobEnd, JobStatus};
