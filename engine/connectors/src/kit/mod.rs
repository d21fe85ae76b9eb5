//! The conformance kit: drives a connector as the engine does, and crashes it at every step.
//!
//! [`SinkKit`] is for sinks that commit, [`SourceKit`] for sources that can be read again. Both are
//! futures of any world: a test waits for them on tokio, or inside a simulation.
//!
//! Invariant: the kit uses the public contracts only and shares no code with the engine, so a
//! connector that passes keeps what the engine relies on. The first broken rule ends it, with the
//! case, the step and what was seen. Does not know how a connector reaches outside: its test says
//! how to read what is visible there.

mod failure;
mod sink_case;
mod sink_drive;
mod sink_kit;
mod source_drive;
mod source_kit;

pub use failure::{KitFailure, Rule};
pub use sink_kit::{SinkKit, SinkTrial};
pub use source_kit::SourceKit;

#[cfg(test)]
mod tests;
