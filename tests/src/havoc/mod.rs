//! Real processes on loopback that are killed, stopped and continued while a job runs.
//!
//! Reading order: [`plan`] → `seen` → `guard` → `process` → `fleet` → `act` → `verdict` → [`run`].
//!
//! Invariant: only the `sameriver` binary is started, and only what was started here is ended, also
//! when this program is interrupted or killed itself. What the processes have come to is read from
//! their own lines; no result is waited for by sleeping. Knows nothing of the engine's inside.

mod act;
mod fleet;
mod guard;
pub mod plan;
mod process;
pub mod run;
mod seen;
mod verdict;

/// What a step gives, or a sentence that says what went wrong.
type Outcome<T> = Result<T, String>;
