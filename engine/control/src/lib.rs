//! The control plane: pure decisions about one job.
//!
//! Reading order: [`moment`] → [`status`] → [`fact`] and [`command`] → [`settings`] →
//! [`assignment`] → [`trigger`] → [`restart`] → [`machine`].
//!
//! Invariant: facts and `now` come in, commands go out. Nothing here awaits, stores, sends or reads
//! a clock; no async crate is in the transitive closure.
#![forbid(unsafe_code)]

pub mod assignment;
pub mod backoff;
pub mod command;
pub mod fact;
pub mod incarnation;
pub mod machine;
pub mod moment;
pub mod restart;
pub mod settings;
pub mod status;
pub mod trigger;

pub use assignment::{AssignmentError, SlotAssignment, SlotOffer};
pub use backoff::Backoff;
pub use command::{Command, PlacedSubtask};
pub use fact::Fact;
pub use incarnation::Incarnation;
pub use machine::{AdmissionError, JobMachine};
pub use moment::Moment;
pub use restart::{RestartDecision, RestartStrategy, Restarts};
pub use settings::{CheckpointSettings, Deadlines, FailurePolicy, JobSettings, JobSettingsError};
pub use status::{JobEnd, JobStatus};
pub use trigger::TriggerPolicy;
