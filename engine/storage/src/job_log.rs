//! The log of a job: who leads it, which checkpoints it has, how it ended.
//!
//! Invariant: a record is created if its place is free and never changed; the one with the highest
//! sequence is the truth. An append counts when the record is there and nothing is behind it. After
//! that no record of an earlier leader can count: its place is taken, or, where old records were
//! removed, the listing shows the newer ones. Judges no lease and no clock: who wants to lead is
//! decided elsewhere.

mod error;
mod lead;
mod record;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use sameriver_model::probe::{Probe, crash_point, observe};
use sameriver_model::{CheckpointRef, JobRecord, RecordStatus};
use sameriver_runtime::{BlobEntry, BlobError, BlobStore, Created, World};

use crate::bounded_read::check_bound;
use crate::layout::{self, Named};
use crate::patience::Patience;
pub use error::LogError;
pub use lead::{Appended, Lead, Leadership};
pub use record::decode;
#[cfg(test)]
pub(crate) use record::encode;

/// Older records that stay behind the newest one, for people who look into the log.
const RECORDS_KEPT: u64 = 8;
/// The most bytes that a record may have: what is larger was not written here. A record names some
/// checkpoints and one failure.
pub(crate) const RECORD_BYTES_MAX: u64 = 64 << 20;
/// The most records that one append removes, so that a backlog does not delay it.
const REMOVED_AT_ONCE_MAX: usize = 2;
/// How often a contender lets the leader of before finish what it writes.
const ROUNDS_MAX: u32 = 16;

/// The log of one job in a checkpoint store.
///
/// ```
/// use std::sync::Arc;
/// use sameriver_model::RecordStatus;
/// use sameriver_runtime::BlobStore;
/// use sameriver_runtime_tokio::TokioWorld;
/// use sameriver_storage::{Appended, JobLog, Leadership, MemoryBlobs};
///
/// let tokio = TokioWorld::builder().build()?;
/// let store: Arc<dyn BlobStore> = Arc::new(MemoryBlobs::new("memory:"));
/// let log = JobLog::open(&tokio.world(), store, "totals")?;
/// tokio.block_on(async {
///     let Leadership::Leading(mut lead) = log.take_leadership(0xb1, 0xf1).await? else {
///         unreachable!("nobody else wants to lead");
///     };
///     assert_eq!(lead.epoch(), 1);
///     let written = log.append(&mut lead, RecordStatus::Finished, None, Vec::new()).await?;
///     assert_eq!(written, Appended::Written { sequence: 2 });
///     let again = log.take_leadership(0xb2, 0xf1).await?;
///     assert!(matches!(again, Leadership::Ended(_)));
///     Ok::<(), sameriver_storage::LogError>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct JobLog {
    world: World,
    store: Arc<dyn BlobStore>,
    /// The store as the user named it.
    name: String,
    folder: String,
    patience: Patience,
}

/// What became of a place in the log.
enum Place {
    /// It holds the record that was to be there, durably.
    Ours,
    /// It holds another one.
    Taken(JobRecord),
    /// It was taken, and its record is removed by now.
    Passed,
}

impl JobLog {
    /// Opens the log in a job's folder.
    ///
    /// # Errors
    /// [`LogError::Unfit`] when the store cannot keep two leaders apart.
    pub fn open(world: &World, store: Arc<dyn BlobStore>, folder: &str) -> Result<Self, LogError> {
        let abilities = store.abilities();
        let lacking = if !abilities.creates_if_absent {
            Some("create an object only if there is none")
        } else if !abilities.lists_all {
            Some("list every finished object at once")
        } else {
            None
        };
        if let Some(ability) = lacking {
            let store = store.describe();
            return Err(LogError::Unfit { store, ability });
        }
        Ok(Self {
            world: world.clone(),
            name: store.describe(),
            store,
            folder: folder.to_owned(),
            patience: Patience::default(),
        })
    }

    /// The same log, asked with another patience.
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The newest record; none if the job never had a leader.
    ///
    /// # Errors
    /// [`LogError::Unreadable`] when the newest one is damaged: never an older one in its place.
    /// [`LogError::Store`].
    pub async fn read(&self) -> Result<Option<JobRecord>, LogError> {
        for _ in 0..ROUNDS_MAX {
            let Some(sequence) = self.sequences().await?.last().copied() else {
                return Ok(None);
            };
            // It may have been removed since, but only because there are newer ones.
            if let Some(bytes) = self.bytes_of(sequence).await? {
                return self.decoded(sequence, &bytes).map(Some);
            }
        }
        Err(LogError::Store(self.unavailable(
            layout::LOG,
            "records came and went faster than they could be read",
        )))
    }

    /// The newest record, as [`read`](Self::read), of a job whose graph has this fingerprint.
    ///
    /// # Errors
    /// [`LogError::OtherGraph`], and those of [`read`](Self::read).
    pub async fn read_of(&self, fingerprint: u64) -> Result<Option<JobRecord>, LogError> {
        let newest = self.read().await?;
        match &newest {
            Some(record) if record.fingerprint != fingerprint => Err(LogError::OtherGraph {
                store: self.name.clone(),
                job: self.folder.clone(),
                theirs: record.fingerprint,
                ours: fingerprint,
            }),
            Some(_) | None => Ok(newest),
        }
    }

    /// Takes the job over from whoever leads it, or begins it: its graph has this fingerprint. The
    /// nonce must be new: no other process, and no other life of this one, may ever have used it;
    /// that of the first leader names the job. Calling again after an error is harmless.
    ///
    /// # Errors
    /// [`LogError::Unknown`] and [`LogError::Store`], after which nothing may be done in the name
    /// of the job; [`LogError::Unreadable`]; [`LogError::OtherGraph`].
    pub async fn take_leadership(
        &self,
        nonce: u64,
        fingerprint: u64,
    ) -> Result<Leadership, LogError> {
        let mut leader = 0;
        for _ in 0..ROUNDS_MAX {
            let newest = self.read_of(fingerprint).await?;
            let wanted = match &newest {
                Some(newest) if newest.status.is_terminal() => {
                    return Ok(Leadership::Ended(newest.clone()));
                }
                // An earlier call has got there, and its answer was lost.
                Some(newest) if newest.nonce == nonce => newest.clone(),
                newest => lead::successor(newest.as_ref(), nonce, fingerprint),
            };
            match self.put(&wanted).await? {
                Place::Ours if self.holds(wanted.sequence).await? => {
                    tell(&wanted);
                    return Ok(Leadership::Leading(Lead::new(wanted)));
                }
                Place::Ours => return self.lost().await,
                Place::Taken(other) if other.epoch >= wanted.epoch => {
                    let by_epoch = other.epoch;
                    return Ok(Leadership::Lost { by_epoch });
                }
                // The leader of before was faster with a record of its own: go on behind that.
                Place::Taken(other) => leader = other.epoch,
                Place::Passed => {}
            }
        }
        let by_epoch = leader;
        Ok(Leadership::Lost { by_epoch })
    }

    /// Appends a record in the name of the leader. What was written before, by a call that ended in
    /// an error, stands if it got there; this record is then behind it.
    ///
    /// # Errors
    /// [`LogError::Unknown`]: the record may be there, or may come to be there. Nothing that it or
    /// the one before it names may be deleted before a later append is `Written`. Call again, with
    /// the same values or with others. [`LogError::Ended`] when a record that ends the job stands.
    /// [`LogError::Store`]: not written. [`LogError::Unreadable`].
    pub async fn append(
        &self,
        lead: &mut Lead,
        status: RecordStatus,
        latest: Option<CheckpointRef>,
        retained: Vec<CheckpointRef>,
    ) -> Result<Appended, LogError> {
        loop {
            if lead.is_deposed() {
                return self.deposed(lead).await;
            }
            if lead.record().status.is_terminal() {
                let status = lead.record().status.to_string();
                return Err(LogError::Ended { status });
            }
            let wanted = lead.next(status.clone(), latest.clone(), retained.clone());
            match self.put(&wanted).await? {
                Place::Ours if self.holds(wanted.sequence).await? => {
                    tell(&wanted);
                    let sequence = wanted.sequence;
                    lead.advance(wanted);
                    self.remove_old(sequence).await;
                    return Ok(Appended::Written { sequence });
                }
                Place::Taken(ours) if lead.wrote(&ours) => lead.advance(ours),
                Place::Ours | Place::Taken(_) | Place::Passed => lead.depose(),
            }
        }
    }

    async fn deposed(&self, lead: &Lead) -> Result<Appended, LogError> {
        let newest = self.read().await?;
        let by_epoch = newest.map_or(lead.epoch(), |newest| newest.epoch);
        Ok(Appended::Deposed { by_epoch })
    }

    async fn lost(&self) -> Result<Leadership, LogError> {
        let newest = self.read().await?;
        let by_epoch = newest.map_or(0, |newest| newest.epoch);
        Ok(Leadership::Lost { by_epoch })
    }

    /// Brings a record to its place, if that is free, and finds out whether it got there. A lost
    /// answer is settled by reading; only if nothing is there is the record sent again, and it is
    /// the same one, so that two of them are one.
    async fn put(&self, record: &JobRecord) -> Result<Place, LogError> {
        let path = self.path_of(record.sequence);
        let bytes = record::encode(record);
        crash_point("log.create");
        let mut tried = 1;
        loop {
            let asked = self.store.create(&path, vec![bytes.clone()]);
            let answer = self.patience.once(&self.world, &self.name, &path, asked);
            let unknown = match answer.await {
                Ok(Created::Created) => break,
                Ok(Created::Exists) => match self.settle(record.sequence, &bytes).await? {
                    Some(Place::Ours) => break,
                    Some(other) => return Ok(other),
                    None => return Ok(Place::Passed),
                },
                Err(unknown @ BlobError::Unavailable { .. }) => unknown,
                Err(refused) => return Err(LogError::Store(refused)),
            };
            if tried >= self.patience.tries {
                return Err(self.unknown(record.sequence, unknown));
            }
            self.patience.rest(&self.world, tried).await;
            tried += 1;
            match self.settle(record.sequence, &bytes).await? {
                // Only a create answers for durability: it will say that the place is taken.
                None | Some(Place::Ours) => {}
                Some(other) => return Ok(other),
            }
        }
        crash_point("log.created");
        Ok(Place::Ours)
    }

    /// Reads what is at a place; none if nothing is there.
    async fn settle(&self, sequence: u64, wanted: &Bytes) -> Result<Option<Place>, LogError> {
        let Some(found) = self.bytes_of(sequence).await? else {
            return Ok(None);
        };
        if found == *wanted {
            return Ok(Some(Place::Ours));
        }
        let record = self.decoded(sequence, &found)?;
        Ok(Some(Place::Taken(record)))
    }

    /// Whether a record of ours is the newest. The one before it is looked for too: only a newer
    /// leader removes that, and a listing during which records come and go may miss the new ones.
    async fn holds(&self, sequence: u64) -> Result<bool, LogError> {
        let listed = self.sequences().await;
        let listed = listed.map_err(|error| match error {
            LogError::Store(cause) => self.unknown(sequence, cause),
            other @ (LogError::Unfit { .. }
            | LogError::Unreadable { .. }
            | LogError::OtherGraph { .. }
            | LogError::Unknown { .. }
            | LogError::Ended { .. }) => other,
        })?;
        let before = sequence == 1 || listed.contains(&(sequence - 1));
        Ok(before && listed.last() == Some(&sequence))
    }

    /// Removes records that are far behind ours. What fails is left for the next time.
    async fn remove_old(&self, newest: u64) {
        let Ok(listed) = self.sequences().await else {
            return;
        };
        let old = listed
            .into_iter()
            .filter(|old| old.saturating_add(RECORDS_KEPT) < newest);
        for sequence in old.take(REMOVED_AT_ONCE_MAX) {
            let path = self.path_of(sequence);
            let asked = self.store.remove(&path);
            let answer = self.patience.once(&self.world, &self.name, &path, asked);
            if answer.await.is_ok() {
                observe(&Probe::Removed { path: &path });
            }
        }
    }

    /// The sequences of all records, ascending.
    async fn sequences(&self) -> Result<Vec<u64>, LogError> {
        let prefix = layout::in_folder(&self.folder, layout::LOG);
        let listed = self.patience.ask(&self.world, &self.name, &prefix, || {
            self.store.list(&prefix)
        });
        let listed = listed.await.map_err(LogError::Store)?;
        let mut sequences: Vec<u64> = listed.iter().filter_map(|e| self.sequence_of(e)).collect();
        sequences.sort_unstable();
        Ok(sequences)
    }

    /// What is in the log's folder but not named as a record is nobody's.
    fn sequence_of(&self, entry: &BlobEntry) -> Option<u64> {
        let path = layout::relative(&self.folder, &entry.path)?;
        match layout::named(path) {
            Named::LogRecord(sequence) => Some(sequence),
            Named::Checkpoint(..) | Named::LeaderBeat(_) | Named::Foreign => None,
        }
    }

    /// The bytes of a record; none if it is not there.
    async fn bytes_of(&self, sequence: u64) -> Result<Option<Bytes>, LogError> {
        let path = self.path_of(sequence);
        let read = self.patience.ask(&self.world, &self.name, &path, || {
            self.store.read_range(&path, 0, RECORD_BYTES_MAX + 1)
        });
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BlobError::NotFound { .. }) => Ok(None),
            Err(error) => Err(LogError::Store(error)),
        }
    }

    fn decoded(&self, sequence: u64, bytes: &[u8]) -> Result<JobRecord, LogError> {
        let path = self.path_of(sequence);
        let bound = check_bound(&path, bytes, RECORD_BYTES_MAX);
        let record = bound.and_then(|()| record::decode(&path, sequence, bytes));
        record.map_err(|cause| LogError::Unreadable {
            store: self.name.clone(),
            cause,
        })
    }

    fn path_of(&self, sequence: u64) -> String {
        layout::in_folder(&self.folder, &layout::log_record(sequence))
    }

    fn unknown(&self, sequence: u64, cause: BlobError) -> LogError {
        let record = self.path_of(sequence);
        LogError::Unknown { record, cause }
    }

    fn unavailable(&self, path: &str, cause: &str) -> BlobError {
        BlobError::Unavailable {
            store: self.name.clone(),
            path: layout::in_folder(&self.folder, path),
            cause: cause.to_owned(),
        }
    }
}

/// Reports a record that counts.
fn tell(record: &JobRecord) {
    observe(&Probe::LogAppended {
        sequence: record.sequence,
        epoch: record.epoch,
        latest: record.latest.as_ref().map(|latest| latest.id),
    });
}

impl std::fmt::Debug for JobLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log of {} in {}", self.folder, self.name)
    }
}
