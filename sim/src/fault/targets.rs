//! What may be hurt in a world, and how much of it.
//!
//! Invariant: what is not named here is not hurt by a script that is drawn.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much of the menu a seed gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// No fault at all: guards the oracles against false alarms.
    Calm,
    /// Exactly one family, often.
    Solo,
    /// Some of the families.
    Swarm,
    /// All families.
    Storm,
}

/// The span of virtual time in which episodes begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// Its first instant, in nanoseconds since the start of the run.
    pub start_nanos: u64,
    /// The first instant behind it.
    pub end_nanos: u64,
}

impl Window {
    /// How long it is.
    pub const fn nanos(self) -> u64 {
        self.end_nanos.saturating_sub(self.start_nanos)
    }
}

/// What a drawn script may hurt.
///
/// ```
/// use sameriver_sim::{Class, FaultScript, Targets, Window};
/// let targets = Targets { nodes: vec!["a".into(), "b".into()], ..Targets::default() };
/// let window = Window { start_nanos: 0, end_nanos: 60_000_000_000 };
/// let draw = |seed| FaultScript::draw(seed, Class::Storm, &targets, window);
/// assert_eq!(draw(7), draw(7));
/// assert_ne!(draw(7), draw(8));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Nodes that may crash, pause, lose their links and misread their clocks.
    pub nodes: Vec<String>,
    /// Those among them whose own disk may be lost: it holds no sole copy of anything.
    pub wipeable: Vec<String>,
    /// Nodes whose disks may fail and be slow, but are only read.
    pub read_disks: Vec<String>,
    /// Nodes whose disks may fail in every way; [`VOLUME`](crate::VOLUME) is the shared one.
    pub disks: Vec<String>,
    /// Whether the blob store may fail.
    pub store: bool,
    /// Crash points that are worth a crash; one that is named twice is drawn twice as often.
    pub crash_points: Vec<String>,
    /// Time-outs of the engine: a fifth of the durations lies around one of them.
    pub timeouts: Vec<Duration>,
}
