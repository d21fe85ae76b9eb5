//! What was seen of a run, in the order in which it happened: facts of the engine, and what became
//! of the checkpoint store.
//!
//! Invariant: a history is a list of plain values: an oracle can be tried on one that was written
//! by hand. It belongs to the supervisor, so no crash takes anything out of it.

use std::collections::BTreeMap;

use sameriver_model::checkpoint::JobRecord;
use sameriver_model::probe::Probe;
use sameriver_model::{
    AttemptNumber, ChannelId, CheckpointId, EventTime, KeyHash, SubtaskId, Watermark,
};
use sameriver_runtime::Monotonic;

use crate::life::Generation;

/// What happened to a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerEvent {
    /// It was set, or set again.
    Set,
    /// It has fired.
    Fired,
    /// It was taken back.
    Deleted,
}

/// A fact of the engine; the owned form of [`Probe`], and a record of the job log as the store has
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of the probe of the same name"
)]
pub enum Fact {
    /// See [`Probe::BarrierSent`].
    BarrierSent {
        channel: ChannelId,
        attempt: AttemptNumber,
        checkpoint: CheckpointId,
        records: u64,
    },
    /// See [`Probe::Reflected`].
    Reflected {
        channel: ChannelId,
        attempt: AttemptNumber,
        checkpoint: CheckpointId,
        records: u64,
    },
    /// See [`Probe::Step`].
    Step {
        subtask: SubtaskId,
        attempt: AttemptNumber,
        checkpoint: CheckpointId,
        step: &'static str,
    },
    /// See [`Probe::AttemptStarted`].
    AttemptStarted {
        attempt: AttemptNumber,
        from: Option<CheckpointId>,
    },
    /// See [`Probe::LogAppended`].
    LogAppended {
        sequence: u64,
        epoch: u32,
        latest: Option<CheckpointId>,
    },
    /// See [`Probe::Restored`].
    Restored {
        subtask: SubtaskId,
        attempt: AttemptNumber,
        checkpoint: CheckpointId,
        bytes: u64,
    },
    /// See [`Probe::Watermark`].
    Watermark {
        operator: String,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        watermark: Watermark,
    },
    /// See [`Probe::Late`].
    Late {
        operator: String,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        time: EventTime,
        watermark: Watermark,
    },
    /// See [`Probe::Timer`].
    Timer {
        operator: String,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        key: KeyHash,
        time: EventTime,
        what: TimerEvent,
    },
    /// See [`Probe::Committed`].
    Committed {
        operator: String,
        attempt: AttemptNumber,
        checkpoint: CheckpointId,
        what: String,
    },
    /// The store has a new highest record of the job log: what it names is published.
    Published(JobRecord),
}

impl Fact {
    /// The fact of a probe; `None` for probes that no oracle of facts looks at.
    pub fn of(probe: &Probe<'_>) -> Option<Self> {
        Some(match *probe {
            Probe::BarrierSent {
                channel,
                attempt,
                checkpoint,
                records,
            } => Self::BarrierSent {
                channel,
                attempt,
                checkpoint,
                records,
            },
            Probe::Reflected {
                channel,
                attempt,
                checkpoint,
                records,
            } => Self::Reflected {
                channel,
                attempt,
                checkpoint,
                records,
            },
            Probe::Step {
                subtask,
                attempt,
                checkpoint,
                step,
            } => Self::Step {
                subtask,
                attempt,
                checkpoint,
                step,
            },
            Probe::AttemptStarted { attempt, from } => Self::AttemptStarted { attempt, from },
            Probe::LogAppended {
                sequence,
                epoch,
                latest,
            } => Self::LogAppended {
                sequence,
                epoch,
                latest,
            },
            Probe::Restored {
                subtask,
                attempt,
                checkpoint,
                bytes,
            } => Self::Restored {
                subtask,
                attempt,
                checkpoint,
                bytes,
            },
            Probe::Watermark { .. }
            | Probe::Late { .. }
            | Probe::Timer { .. }
            | Probe::Committed { .. }
            | Probe::Removed { .. }
            | Probe::Reached { .. } => return Self::of_operator(probe),
        })
    }

    /// The fact of a probe that names an operator.
    fn of_operator(probe: &Probe<'_>) -> Option<Self> {
        Some(match *probe {
            Probe::Watermark {
                operator,
                subtask,
                attempt,
                watermark,
            } => Self::Watermark {
                operator: operator.to_owned(),
                subtask,
                attempt,
                watermark,
            },
            Probe::Late {
                operator,
                subtask,
                attempt,
                time,
                watermark,
            } => Self::Late {
                operator: operator.to_owned(),
                subtask,
                attempt,
                time,
                watermark,
            },
            Probe::Timer {
                operator,
                subtask,
                attempt,
                key,
                time,
                what,
            } => Self::Timer {
                operator: operator.to_owned(),
                subtask,
                attempt,
                key,
                time,
                what: timer_event(what)?,
            },
            Probe::Committed {
                operator,
                attempt,
                checkpoint,
                what,
            } => Self::Committed {
                operator: operator.to_owned(),
                attempt,
                checkpoint,
                what: what.to_owned(),
            },
            Probe::BarrierSent { .. }
            | Probe::Reflected { .. }
            | Probe::Step { .. }
            | Probe::AttemptStarted { .. }
            | Probe::LogAppended { .. }
            | Probe::Restored { .. }
            | Probe::Removed { .. }
            | Probe::Reached { .. } => return None,
        })
    }
}

fn timer_event(what: &str) -> Option<TimerEvent> {
    match what {
        "set" => Some(TimerEvent::Set),
        "fired" => Some(TimerEvent::Fired),
        "deleted" => Some(TimerEvent::Deleted),
        _ => None,
    }
}

/// A fact, when and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When, in the world's own time.
    pub at: Monotonic,
    /// The node.
    pub node: String,
    /// The life of that node.
    pub generation: Generation,
    /// What was seen.
    pub fact: Fact,
}

/// All facts of a run, in the order in which they happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The facts.
    pub sightings: Vec<Sighting>,
}

impl History {
    /// The facts in their order, each with its position.
    pub fn facts(&self) -> impl Iterator<Item = (usize, &Fact)> {
        self.sightings.iter().map(|seen| &seen.fact).enumerate()
    }

    /// Which checkpoints were published, and where in the history that was.
    pub fn publications(&self) -> Publications {
        let mut published = Publications::default();
        for (position, fact) in self.facts() {
            if let Fact::Published(record) = fact {
                published.take(position, record);
            }
        }
        published
    }
}

/// When each checkpoint came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publications(BTreeMap<CheckpointId, Publication>);

/// The instant at which a checkpoint came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The attempt that took it.
    pub attempt: AttemptNumber,
    /// The position of the record in the history.
    pub position: usize,
}

impl Publications {
    fn take(&mut self, position: usize, record: &JobRecord) {
        for named in record.reached() {
            let attempt = named.attempt;
            let publication = Publication { attempt, position };
            self.0.entry(named.id).or_insert(publication);
        }
    }

    /// When a checkpoint came to be, if it did.
    pub fn of(&self, checkpoint: CheckpointId) -> Option<Publication> {
        self.0.get(&checkpoint).copied()
    }

    /// Whether this attempt's checkpoint of that id is the one that was published.
    pub fn has(&self, attempt: AttemptNumber, checkpoint: CheckpointId) -> bool {
        let published = self.of(checkpoint);
        published.is_some_and(|published| published.attempt == attempt)
    }

    /// How many checkpoints came to be.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Histories that are written by hand, for the tests of oracles.
#[cfg(test)]
pub(crate) mod by_hand {
    use std::time::Duration;

    use sameriver_model::checkpoint::{CheckpointRef, RecordStatus};
    use sameriver_model::{EdgeId, FileHandle, SubtaskIndex, VertexId};

    use super::*;

    pub(crate) fn attempt(epoch: u32, ordinal: u32) -> AttemptNumber {
        AttemptNumber::of_epoch(epoch, ordinal)
    }

    pub(crate) fn checkpoint(id: u64) -> CheckpointId {
        CheckpointId::new(id)
    }

    pub(crate) fn subtask(vertex: u32, index: u32) -> SubtaskId {
        SubtaskId::new(VertexId::new(vertex), SubtaskIndex::new(index))
    }

    pub(crate) fn channel(from: u32, to: u32) -> ChannelId {
        ChannelId::new(
            EdgeId::new(0),
            SubtaskIndex::new(from),
            SubtaskIndex::new(to),
        )
    }

    pub(crate) fn named(id: u64, by: AttemptNumber) -> CheckpointRef {
        CheckpointRef {
            id: checkpoint(id),
            attempt: by,
            metadata: FileHandle {
                path: format!("meta/{}-{}-c{id}", by.epoch(), by.ordinal()),
                length: 0,
                crc: 0,
            },
        }
    }

    /// A record that names one checkpoint.
    pub(crate) fn record(sequence: u64, epoch: u32, latest: Option<CheckpointRef>) -> JobRecord {
        JobRecord {
            sequence,
            epoch,
            nonce: 1,
            status: RecordStatus::Running,
            retained: latest.clone().into_iter().collect(),
            latest,
        }
    }

    /// The record by which `by` publishes a checkpoint.
    pub(crate) fn published(sequence: u64, id: u64, by: AttemptNumber) -> Fact {
        Fact::Published(record(sequence, by.epoch(), Some(named(id, by))))
    }

    pub(crate) fn history(facts: impl IntoIterator<Item = Fact>) -> History {
        on_nodes(facts.into_iter().map(|fact| ("n", fact)))
    }

    pub(crate) fn on_nodes<'a>(facts: impl IntoIterator<Item = (&'a str, Fact)>) -> History {
        let sightings = (1..).zip(facts).map(|(second, (node, fact))| Sighting {
            at: Monotonic::from_origin(Duration::from_secs(second)),
            node: node.to_owned(),
            generation: Generation::FIRST,
            fact,
        });
        History {
            sightings: sightings.collect(),
        }
    }
}
