//! What came out of the world, in the order in which it happened.
//!
//! Invariant: the ledger belongs to the supervisor: no crash takes anything out of it, and every
//! entry is in the trace.

use std::sync::Mutex;

use bytes::Bytes;
use sameriver_connectors::CollectedResults;
use sameriver_model::SubtaskIndex;
use sameriver_runtime::Monotonic;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::counters::lock;
use crate::life::{Generation, Life};
use crate::probe_log::ProbeLog;
use crate::sim_world::SimWorld;
use crate::trace::Event;

/// What left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Text for a terminal.
    Text(Bytes),
    /// Collected records of one subtask, each in `wire` encoding.
    Records {
        /// The subtask.
        subtask: SubtaskIndex,
        /// Its records, in order.
        records: Vec<Vec<u8>>,
    },
}

impl Payload {
    fn digest(&self) -> u64 {
        match self {
            Self::Text(text) => xxh3_64(text),
            Self::Records { subtask, records } => {
                let subtask = xxh3_64(subtask.to_string().as_bytes());
                records.iter().fold(subtask, |hash, record| {
                    xxh3_64_with_seed(record, hash.wrapping_add(record.len() as u64))
                })
            }
        }
    }
}

/// One effect on the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// When it happened, in the world's own time.
    pub at: Monotonic,
    /// The node that caused it.
    pub node: String,
    /// The life of that node.
    pub generation: Generation,
    /// The outside system.
    pub url: String,
    /// What left.
    pub payload: Payload,
}

/// All effects of a run.
///
/// ```
/// # use sameriver_sim::{Limits, run_seed};
/// # let outcome = run_seed(7, &Limits::default(), |sim| async move {
/// assert!(sim.ledger().effects().is_empty());
/// # Ok(()) });
/// # assert_eq!(outcome.verdict, Ok(()));
/// ```
#[derive(Debug, Default)]
pub struct Ledger {
    effects: Mutex<Vec<Effect>>,
    collected: CollectedResults,
    probes: ProbeLog,
}

impl Ledger {
    /// A copy of all effects so far, in order.
    pub fn effects(&self) -> Vec<Effect> {
        lock(&self.effects).clone()
    }

    /// All text that was written to `url`, in order.
    pub fn text(&self, url: &str) -> Vec<u8> {
        let effects = lock(&self.effects);
        let texts = effects.iter().filter(|effect| effect.url == url);
        let texts = texts.filter_map(|effect| match &effect.payload {
            Payload::Text(text) => Some(&text[..]),
            Payload::Records { .. } => None,
        });
        texts.collect::<Vec<_>>().concat()
    }

    /// The collected records, as a user of the front door takes them.
    pub fn collected(&self) -> &CollectedResults {
        &self.collected
    }

    /// What the engine said of itself, in order.
    pub fn probes(&self) -> &ProbeLog {
        &self.probes
    }

    pub(crate) fn record(&self, world: &SimWorld, life: &Life, url: &str, payload: Payload) {
        let digest = xxh3_64_with_seed(url.as_bytes(), payload.digest());
        world.trace(life.node(), Event::Outside, digest, || {
            format!("{url} {payload:?}")
        });
        lock(&self.effects).push(Effect {
            at: world.now(),
            node: life.site().name().to_owned(),
            generation: life.generation(),
            url: url.to_owned(),
            payload,
        });
    }
}
