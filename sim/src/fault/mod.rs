//! Faults: what goes wrong in a world, written out before it happens.
//!
//! Reading order: `family` (what) → `episode` (when, to whom) → `script` (all of a run) →
//! `targets` and `draw` (scripts from seeds) → `board` (what is wrong now) → `nemesis`
//! (applies a script) → `effects` (what came of it).
//!
//! Invariant: faults are data: nothing is drawn while a script is applied that is not drawn from
//! the script itself.

mod board;
mod draw;
mod effects;
mod episode;
mod family;
mod nemesis;
mod script;
mod targets;

pub(crate) use board::{
    Board, DiskFailure, DiskVerdict, DiskWish, StoreFailure, StoreWish, added_delay,
};

pub use effects::Effects;
pub use episode::{Episode, EpisodeError, Parameters, Target, Trigger};
pub use family::{FaultFamily, TargetKind, UnknownFamily};
pub use nemesis::Nemesis;
pub use script::{FaultScript, ScriptError};
pub use targets::{Class, Targets, Window};
