//! Plans: a run written out, so that it can be read, edited, kept and repeated.
//!
//! Reading order: [`Plan`] (the file) → [`Expectation`] (what came of it) → [`PlanFolder`] (where
//! plans of failing seeds go) → [`Replay`] (k of n schedules).
//!
//! Invariant: what is in a plan is all that a run needs beside the code: settings, workload and
//! faults are written out, not drawn again; an unknown key is an error.

mod error;
mod expectation;
mod folder;
mod replay;
mod run_plan;
mod settings_table;

pub use error::PlanError;
pub use expectation::Expectation;
pub use folder::PlanFolder;
pub use replay::Replay;
pub use run_plan::{Plan, SCHEMA};
