//! What was seen of a run, in the order in which it happened: what the engine said, and what the
//! checkpoint store got.
//!
//! Invariant: a history is a list of plain values: an oracle can be tried on one that was written
//! by hand. It belongs to the supervisor, so no crash takes anything out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sameriver_model::checkpoint::JobRecord;
use sameriver_model::{AttemptNumber, CheckpointId};
use sameriver_runtime::Monotonic;

use crate::life::Generation;
use crate::probe_log::{ProbeEntry, Seen};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The engine said so.
    Said(Seen),
    /// The store has a new highest record of the job log: what it names is published.
    Published(JobRecord),
}

/// A fact, when and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When, in the world's own time.
    pub at: Monotonic,
    /// The node.
    pub node: Arc<str>,
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

impl From<ProbeEntry> for Sighting {
    fn from(entry: ProbeEntry) -> Self {
        Self {
            at: entry.at,
            node: entry.node,
            generation: entry.generation,
            fact: Fact::Said(entry.seen),
        }
    }
}

impl History {
    /// What the engine said and what the store got, merged: what a store got comes first, since
    /// nobody can have said it before.
    pub fn of(said: Vec<ProbeEntry>, published: Vec<Sighting>) -> Self {
        let mut sightings = published;
        sightings.extend(said.into_iter().map(Sighting::from));
        sightings.sort_by_key(|seen| seen.at);
        Self { sightings }
    }

    /// The facts in their order, each with its position.
    pub fn facts(&self) -> impl Iterator<Item = (usize, &Fact)> {
        self.sightings.iter().map(|seen| &seen.fact).enumerate()
    }

    /// Which checkpoints were published, and where in the history that was.
    pub fn publications(&self) -> Publications {
        let mut published = Publications::default();
        for (position, fact) in self.facts() {
            match fact {
                Fact::Published(record) => published.take(position, record),
                Fact::Said(Seen::AttemptStarted { attempt, from }) => {
                    published.starts.insert(*attempt, *from);
                }
                Fact::Said(_) => {}
            }
        }
        published
    }
}

/// When each checkpoint came to be, and which attempts began from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publications {
    published: BTreeMap<CheckpointId, Publication>,
    starts: BTreeMap<AttemptNumber, Option<CheckpointId>>,
}

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
            self.published.entry(named.id).or_insert(publication);
        }
    }

    /// When a checkpoint came to be, if it did.
    pub fn of(&self, checkpoint: CheckpointId) -> Option<Publication> {
        self.published.get(&checkpoint).copied()
    }

    /// Whether this attempt's checkpoint of that id is the one that was published.
    pub fn has(&self, attempt: AttemptNumber, checkpoint: CheckpointId) -> bool {
        let published = self.of(checkpoint);
        published.is_some_and(|published| published.attempt == attempt)
    }

    /// The first publication that lets an attempt commit what was staged for a checkpoint: that of
    /// the checkpoint or a later one, of the attempt itself, or of what the attempt began from.
    ///
    /// A checkpoint that comes to nothing leaves what was staged for it to the next one.
    pub fn lets(&self, attempt: AttemptNumber, staged: CheckpointId) -> Option<Publication> {
        let start = self.starts.get(&attempt).copied().flatten();
        let later = self.published.range(staged..);
        let lets = later.filter(|(id, publication)| {
            publication.attempt == attempt || start.is_some_and(|start| **id <= start)
        });
        let lets = lets.map(|(_, publication)| *publication);
        lets.min_by_key(|publication| publication.position)
    }

    /// How many checkpoints came to be.
    pub fn count(&self) -> u64 {
        self.published.len() as u64
    }
}

/// Histories that are written by hand, for the tests of oracles.
#[cfg(test)]
pub(crate) mod by_hand {
    use std::time::Duration;

    use sameriver_model::checkpoint::{CheckpointRef, RecordStatus};
    use sameriver_model::{
        ChannelId, EdgeId, FileHandle, JobNonce, SubtaskId, SubtaskIndex, VertexId,
    };

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
            job: JobNonce::new(1),
            fingerprint: 1,
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
            node: node.into(),
            generation: Generation::FIRST,
            fact,
        });
        History {
            sightings: sightings.collect(),
        }
    }
}
