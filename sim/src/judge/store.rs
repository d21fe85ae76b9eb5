//! What became of the checkpoint store, deed by deed, and what is reachable in it at each instant.
//!
//! Invariant: an object is reachable while the highest record of the job log names it, directly or
//! through a checkpoint's metadata. The bytes are kept as they were created: a shadow of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use sameriver_model::FileHandle;
use sameriver_model::checkpoint::{CheckpointMetadata, JobRecord};
use sameriver_runtime::Monotonic;

use super::history::{Fact, Sighting};
use crate::life::Generation;
use crate::models::{BlobEvent, BlobOutcome, BlobRequest};

/// What was done to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// An object was created; its path was free.
    Created(Bytes),
    /// An object was removed.
    Removed,
    /// Somebody was told that an object is there for good.
    Promised,
    /// A power cut took an object away.
    Lost,
    /// A power cut brought a removed object back.
    Returned(Bytes),
    /// Bytes were read, and the store answered with these.
    Read {
        /// The first byte.
        offset: u64,
        /// The answer.
        answer: Bytes,
    },
}

/// A deed, when it happened, where, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreEvent {
    /// When it took effect, in the world's own time.
    pub at: Monotonic,
    /// The node that asked for it.
    pub node: Arc<str>,
    /// The life of that node.
    pub generation: Generation,
    /// The object.
    pub path: String,
    /// What was done.
    pub deed: Deed,
}

impl StoreEvent {
    /// The deeds among the requests that a store got.
    pub fn of(requests: Vec<BlobEvent>) -> Vec<Self> {
        requests.into_iter().filter_map(Self::of_request).collect()
    }

    fn of_request(request: BlobEvent) -> Option<Self> {
        let deed = match (request.request, request.outcome) {
            (BlobRequest::Create | BlobRequest::Finish, BlobOutcome::Created) => {
                Deed::Created(request.body)
            }
            (BlobRequest::Remove, BlobOutcome::Done) => Deed::Removed,
            (BlobRequest::Read, BlobOutcome::Done) => Deed::Read {
                offset: request.offset,
                answer: request.body,
            },
            (BlobRequest::Create | BlobRequest::Finish, BlobOutcome::Promised) => Deed::Promised,
            (BlobRequest::PowerCut, BlobOutcome::Lost) => Deed::Lost,
            (BlobRequest::PowerCut, BlobOutcome::Returned) => Deed::Returned(request.body),
            // What changed nothing, or answered nothing.
            (
                BlobRequest::Create
                | BlobRequest::Upload
                | BlobRequest::Part
                | BlobRequest::Finish
                | BlobRequest::Read
                | BlobRequest::List
                | BlobRequest::Remove
                | BlobRequest::PowerCut,
                BlobOutcome::Created
                | BlobOutcome::Exists
                | BlobOutcome::Done
                | BlobOutcome::NotFound
                | BlobOutcome::Failed
                | BlobOutcome::Promised
                | BlobOutcome::Lost
                | BlobOutcome::Returned,
            ) => return None,
        };
        Some(Self {
            at: request.at,
            node: request.node,
            generation: request.generation,
            path: request.path,
            deed,
        })
    }
}

/// How a store's bytes are read; made from the formats of the storage room.
#[derive(Clone, Copy)]
pub struct StoreFormat {
    /// Reads the record of the job log that has this sequence.
    pub record: fn(u64, &[u8]) -> Result<JobRecord, String>,
    /// Reads a checkpoint's metadata.
    pub metadata: fn(&[u8]) -> Result<CheckpointMetadata, String>,
}

/// The store at an instant of its history.
pub(crate) struct StoreWalk<'a> {
    folder: &'a str,
    format: StoreFormat,
    pub(crate) objects: BTreeMap<&'a str, &'a Bytes>,
    pub(crate) highest: Option<JobRecord>,
    reachable: BTreeSet<String>,
}

impl<'a> StoreWalk<'a> {
    /// An empty store; the job's objects are below `folder`, which ends with `/`.
    pub(crate) fn new(folder: &'a str, format: StoreFormat) -> Self {
        Self {
            folder,
            format,
            objects: BTreeMap::new(),
            highest: None,
            reachable: BTreeSet::new(),
        }
    }

    /// Takes a deed over; answers with the record before it if the deed is a new highest record.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub(crate) fn take(&mut self, event: &'a StoreEvent) -> Result<Option<Appended>, String> {
        match &event.deed {
            Deed::Created(bytes) => {
                self.objects.insert(&event.path, bytes);
                self.appended(&event.path, bytes)
            }
            Deed::Returned(bytes) => {
                self.objects.insert(&event.path, bytes);
                self.appended(&event.path, bytes).map(|_| None)
            }
            Deed::Lost => {
                self.objects.remove(event.path.as_str());
                self.lost(&event.path).map(|()| None)
            }
            Deed::Removed => {
                self.objects.remove(event.path.as_str());
                Ok(None)
            }
            Deed::Read { .. } | Deed::Promised => Ok(None),
        }
    }

    /// If it was the highest record, the one before it is again: nobody was told of the lost one.
    fn lost(&mut self, path: &str) -> Result<(), String> {
        let highest = self.highest.as_ref().map(|record| record.sequence);
        if highest.is_none() || self.sequence(path) != highest {
            return Ok(());
        }
        let records = self.objects.iter().filter_map(|(path, bytes)| {
            let sequence = self.sequence(path)?;
            Some((sequence, *path, *bytes))
        });
        let before = records.max_by_key(|(sequence, ..)| *sequence);
        (self.highest, self.reachable) = (None, BTreeSet::new());
        match before {
            Some((_, path, bytes)) => self.appended(path, bytes).map(|_| ()),
            None => Ok(()),
        }
    }

    fn appended(&mut self, path: &str, bytes: &[u8]) -> Result<Option<Appended>, String> {
        let Some(sequence) = self.sequence(path) else {
            return Ok(None);
        };
        let before = self.highest.as_ref().map(|record| record.sequence);
        // A record below the highest counts for nobody: its writer looks and finds itself deposed.
        if before.is_some_and(|highest| sequence <= highest) {
            return Ok(None);
        }
        let record =
            (self.format.record)(sequence, bytes).map_err(|error| format!("{path}: {error}"))?;
        if record.sequence != sequence {
            return Err(format!("{path} says it is record {}", record.sequence));
        }
        let before = self.highest.replace(record);
        self.reachable = self.reached(path);
        Ok(Some(Appended { before }))
    }

    fn sequence(&self, path: &str) -> Option<u64> {
        path.strip_prefix(self.folder)?
            .strip_prefix("log/")?
            .parse()
            .ok()
    }

    /// Whether the highest record names the object.
    pub(crate) fn reaches(&self, path: &str) -> bool {
        self.reachable.contains(path)
    }

    fn reached(&self, newest: &str) -> BTreeSet<String> {
        let mut paths = BTreeSet::from([newest.to_owned()]);
        for named in self.highest.iter().flat_map(JobRecord::reached) {
            paths.insert(self.full(&named.metadata));
            if let Ok(metadata) = self.metadata(&named.metadata) {
                paths.extend(metadata.files().map(|file| self.full(file)));
            }
        }
        paths
    }

    pub(crate) fn full(&self, file: &FileHandle) -> String {
        format!("{}{}", self.folder, file.path)
    }

    /// Reads a file that a record or metadata names, whole and unharmed.
    pub(crate) fn whole(&self, file: &FileHandle) -> Result<&'a Bytes, String> {
        let path = self.full(file);
        let Some(bytes) = self.objects.get(path.as_str()) else {
            return Err(format!("{path} is not there"));
        };
        if bytes.len() as u64 != file.length {
            let (is, named) = (bytes.len(), file.length);
            return Err(format!("{path} has {is} bytes, not {named}"));
        }
        let crc = crc32c::crc32c(bytes);
        if crc != file.crc {
            let named = file.crc;
            return Err(format!(
                "{path} has the checksum {crc:08x}, not {named:08x}"
            ));
        }
        Ok(bytes)
    }

    /// Reads the metadata of a checkpoint.
    pub(crate) fn metadata(&self, file: &FileHandle) -> Result<CheckpointMetadata, String> {
        let bytes = self.whole(file)?;
        (self.format.metadata)(bytes).map_err(|error| format!("{}: {error}", self.full(file)))
    }
}

/// A new highest record.
pub(crate) struct Appended {
    /// The one that was highest before.
    pub(crate) before: Option<JobRecord>,
}

/// The records of the job log as facts, each where its store event is.
///
/// # Errors
/// When a record cannot be read.
pub fn publications(
    events: &[StoreEvent],
    folder: &str,
    format: StoreFormat,
) -> Result<Vec<Sighting>, String> {
    let mut walk = StoreWalk::new(folder, format);
    let mut facts = Vec::new();
    for event in events {
        if event.deed == Deed::Lost
            && let Some(lost) = walk.sequence(&event.path)
        {
            retract(&mut facts, lost);
        }
        if walk.take(event)?.is_some()
            && let Some(record) = walk.highest.clone()
        {
            facts.push(Sighting {
                at: event.at,
                node: event.node.clone(),
                generation: event.generation,
                fact: Fact::Published(record),
            });
        }
    }
    Ok(facts)
}

/// A record that a power cut took was never there: its writer, who lost that power, had not heard
/// of it.
fn retract(facts: &mut Vec<Sighting>, lost: u64) {
    facts.retain(|seen| match &seen.fact {
        Fact::Published(record) => record.sequence != lost,
        Fact::Said(_) => true,
    });
}

/// Stores that are written by hand, for the tests of oracles.
#[cfg(test)]
pub(crate) mod by_hand {
    use std::time::Duration;

    use sameriver_model::checkpoint::CheckpointRef;
    use sameriver_model::codec::wire;
    use sameriver_model::{AttemptNumber, MaxParallelism, ProcessingTime, SubtaskState};

    use super::super::history::by_hand::{checkpoint, record, subtask};
    use super::*;

    pub(crate) const FOLDER: &str = "jobs/test/";

    pub(crate) const FORMAT: StoreFormat = StoreFormat {
        record: |_, bytes| wire::decode(bytes).map_err(|error| error.to_string()),
        metadata: |bytes| wire::decode(bytes).map_err(|error| error.to_string()),
    };

    pub(crate) fn event(second: u64, node: &str, path: &str, deed: Deed) -> StoreEvent {
        StoreEvent {
            at: Monotonic::from_origin(Duration::from_secs(second)),
            node: node.into(),
            generation: Generation::FIRST,
            path: format!("{FOLDER}{path}"),
            deed,
        }
    }

    fn handle(path: &str, bytes: &[u8]) -> FileHandle {
        FileHandle {
            path: path.to_owned(),
            length: bytes.len() as u64,
            crc: crc32c::crc32c(bytes),
        }
    }

    /// What a leader does for a checkpoint: snapshot, metadata, record.
    pub(crate) fn checkpointed(
        second: u64,
        node: &str,
        sequence: u64,
        id: u64,
        by: AttemptNumber,
    ) -> Vec<StoreEvent> {
        let bytes = encoded_metadata(id, by);
        let (snap, meta) = (snapshot_path(id, by), metadata_path(id, by));
        let named = CheckpointRef {
            id: checkpoint(id),
            attempt: by,
            metadata: handle(&meta, &bytes),
        };
        let log = record(sequence, by.epoch(), Some(named));
        let log = wire::encode(&log).expect("a record is plain data");
        let create =
            |path: &str, bytes: Vec<u8>| event(second, node, path, Deed::Created(bytes.into()));
        vec![
            create(&snap, snapshot_bytes(id)),
            create(&meta, bytes),
            create(&format!("log/{sequence:020}"), log),
        ]
    }

    pub(crate) fn snapshot_path(id: u64, by: AttemptNumber) -> String {
        format!("snap/{}/{}/c{id}/v0-0-1", by.epoch(), by.ordinal())
    }

    pub(crate) fn metadata_path(id: u64, by: AttemptNumber) -> String {
        format!("meta/{}-{}-c{id}", by.epoch(), by.ordinal())
    }

    fn snapshot_bytes(id: u64) -> Vec<u8> {
        format!("snapshot of c{id}").into_bytes()
    }

    fn encoded_metadata(id: u64, by: AttemptNumber) -> Vec<u8> {
        let snapshot = handle(&snapshot_path(id, by), &snapshot_bytes(id));
        let metadata = CheckpointMetadata {
            id: checkpoint(id),
            attempt: by,
            fingerprint: 1,
            max_parallelism: MaxParallelism::default(),
            subtasks: vec![SubtaskState {
                subtask: subtask(0, 0),
                files: vec![snapshot],
                is_ended: false,
            }],
            enumerators: Vec::new(),
            ended: false,
            created: ProcessingTime::from_millis(0),
        };
        wire::encode(&metadata).expect("metadata is plain data")
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::attempt;
    use super::by_hand::{FOLDER, FORMAT, checkpointed, event};
    use super::*;

    fn lost(sequence: u64) -> StoreEvent {
        event(9, "jm-0", &format!("log/{sequence:020}"), Deed::Lost)
    }

    fn published(events: &[StoreEvent]) -> Vec<u64> {
        let facts = publications(events, FOLDER, FORMAT).expect("every record can be read");
        let facts = facts.into_iter().filter_map(|seen| match seen.fact {
            Fact::Published(record) => Some(record.sequence),
            Fact::Said(_) => None,
        });
        facts.collect()
    }

    #[test]
    fn a_record_that_a_power_cut_took_was_never_published() {
        let mut events = checkpointed(1, "jm-0", 1, 1, attempt(1, 1));
        events.extend(checkpointed(2, "jm-0", 2, 2, attempt(1, 1)));
        assert_eq!(published(&events), [1, 2]);
        events.push(lost(2));
        assert_eq!(published(&events), [1]);
        events.extend(checkpointed(10, "jm-1", 2, 2, attempt(2, 1)));
        assert_eq!(published(&events), [1, 2]);
    }

    #[test]
    fn the_record_before_a_lost_one_is_the_highest_again() {
        let mut events = checkpointed(1, "jm-0", 1, 1, attempt(1, 1));
        events.extend(checkpointed(2, "jm-0", 2, 2, attempt(1, 1)));
        events.extend([lost(2), lost(1)]);
        let mut walk = StoreWalk::new(FOLDER, FORMAT);
        let highest = events.iter().map(|event| {
            walk.take(event).expect("every record can be read");
            walk.highest.as_ref().map_or(0, |record| record.sequence)
        });
        let highest: Vec<u64> = highest.collect();
        assert_eq!(highest[highest.len() - 4..], [1, 2, 1, 0]);
    }
}
