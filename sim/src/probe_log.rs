//! What the engine said of itself: who, in which life, when.
//!
//! Invariant: the log belongs to the supervisor: entries are owned, in the order in which they were
//! heard, in the trace, and no crash takes one out.

use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex};

use sameriver_model::probe::{Probe, TimerDeed};
use sameriver_model::{
    AttemptNumber, ChannelId, CheckpointId, EventTime, KeyHash, SubtaskId, Watermark,
};
use sameriver_runtime::Monotonic;
use xxhash_rust::xxh3::Xxh3Default;

use crate::counters::lock;
use crate::life::{Generation, Life};
use crate::sim_world::SimWorld;
use crate::trace::Event;

macro_rules! seen {
    ($($(#[$doc:meta])* $name:ident {
        $(own { $($owned:ident),* $(,)? })?
        $(copy { $($copied:ident: $type:ty),* $(,)? })?
    })*) => {
        /// An owned [`Probe`]; its variants and fields are those of the engine's.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the fields are documented where the engine has them")]
        pub enum Seen {
            $($(#[$doc])* $name { $($($owned: Arc<str>,)*)? $($($copied: $type,)*)? },)*
        }

        impl From<&Probe<'_>> for Seen {
            fn from(probe: &Probe<'_>) -> Self {
                match probe {
                    $(Probe::$name { $($($owned,)*)? $($($copied,)*)? } => Self::$name {
                        $($($owned: Arc::from(*$owned),)*)?
                        $($($copied: *$copied,)*)?
                    },)*
                }
            }
        }
    };
}

seen! {
    /// A barrier went into a channel behind so many records.
    BarrierSent {
        copy { channel: ChannelId, attempt: AttemptNumber, checkpoint: CheckpointId, records: u64 }
    }
    /// A snapshot of the receiver holds the effect of so many records of a channel.
    Reflected {
        copy { channel: ChannelId, attempt: AttemptNumber, checkpoint: CheckpointId, records: u64 }
    }
    /// A subtask came to a step of a checkpoint or of a restore.
    Step {
        copy {
            subtask: SubtaskId, attempt: AttemptNumber, checkpoint: CheckpointId,
            step: &'static str,
        }
    }
    /// A job master granted an attempt.
    AttemptStarted {
        copy { attempt: AttemptNumber, from: Option<CheckpointId> }
    }
    /// A record of the job log exists.
    LogAppended {
        copy { sequence: u64, epoch: u32, latest: Option<CheckpointId> }
    }
    /// A subtask started from state of so many bytes.
    Restored {
        copy { subtask: SubtaskId, attempt: AttemptNumber, checkpoint: CheckpointId, bytes: u64 }
    }
    /// An operator's event-time clock moved.
    Watermark {
        own { operator }
        copy { subtask: SubtaskId, attempt: AttemptNumber, watermark: Watermark }
    }
    /// A record was judged late.
    Late {
        own { operator }
        copy {
            subtask: SubtaskId, attempt: AttemptNumber, time: EventTime, watermark: Watermark,
        }
    }
    /// A timer was set, has fired or was taken back.
    Timer {
        own { operator }
        copy {
            subtask: SubtaskId, attempt: AttemptNumber, key: KeyHash, time: EventTime,
            what: TimerDeed,
        }
    }
    /// A sink committed, or found committed.
    Committed {
        own { operator, what }
        copy { attempt: AttemptNumber, checkpoint: CheckpointId }
    }
    /// A file of the checkpoint store was removed.
    Removed {
        own { path }
    }
    /// A rare path was taken.
    Reached {
        copy { place: &'static str }
    }
}

impl Seen {
    fn digest(&self) -> u64 {
        let mut hasher = Xxh3Default::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// Something that the engine said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeEntry {
    /// When, in the world's own time.
    pub at: Monotonic,
    /// The node.
    pub node: Arc<str>,
    /// The life of that node.
    pub generation: Generation,
    /// What it said.
    pub seen: Seen,
}

/// All that the engine said, in order.
///
/// ```
/// # use sameriver_sim::{Limits, run_seed};
/// # let outcome = run_seed(7, &Limits::default(), |sim| async move {
/// assert!(sim.ledger().probes().since(0).is_empty());
/// # Ok(()) });
/// # assert_eq!(outcome.verdict, Ok(()));
/// ```
#[derive(Debug, Default)]
pub struct ProbeLog(Mutex<Vec<ProbeEntry>>);

impl ProbeLog {
    /// How many entries there are.
    pub fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// A copy of the entries from this one on; the first is 0.
    pub fn since(&self, first: usize) -> Vec<ProbeEntry> {
        let entries = lock(&self.0);
        entries.get(first..).unwrap_or_default().to_vec()
    }

    /// A copy of all entries.
    pub fn all(&self) -> Vec<ProbeEntry> {
        self.since(0)
    }

    pub(crate) fn record(&self, world: &SimWorld, life: &Life, probe: &Probe<'_>) {
        let seen = Seen::from(probe);
        world.trace(life.node(), Event::Probe, seen.digest(), || {
            format!("{seen:?}")
        });
        lock(&self.0).push(ProbeEntry {
            at: world.now(),
            node: life.site().shared_name(),
            generation: life.generation(),
            seen,
        });
    }
}
