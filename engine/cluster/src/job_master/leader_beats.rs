//! The signs of life that a leader leaves in the store between two records of the job log.
//!
//! Invariant: a hint for whoever stands by, never a proof: a beat that is late, lost or left behind
//! costs time. Each beat is an object of its own, with the address of the leader in it; the leader
//! removes its last one when the next is there, and what earlier leaders left is swept.

use sameriver_control::LeaderBeat;
use sameriver_model::checkpoint::JobRecord;
use sameriver_runtime::{Address, BlobError};
use sameriver_storage::layout::{LEADER_BEATS, LeaderBeatName, in_folder};

use crate::checkpoints::CheckpointFolder;

/// The longest address that is believed.
const ADDRESS_BYTES_MAX: u64 = 1024;

/// The path of a beat, relative to the store.
fn path(folder: &CheckpointFolder, beat: LeaderBeat, nonce: u64) -> String {
    let LeaderBeat { sequence, beat } = beat;
    let name = LeaderBeatName {
        sequence,
        beat,
        nonce,
    };
    in_folder(folder.path(), &name.to_string())
}

/// The newest signs of life of the leader that wrote a record.
pub(super) struct Newest {
    /// The number of the one behind this record, 0 if there is none.
    pub(super) beat: u64,
    /// Where in the store its last one is, which may be behind an earlier record.
    path: Option<String>,
}

impl Newest {
    /// Those of whoever wrote `record`, the highest of the log.
    pub(super) async fn of(
        folder: &CheckpointFolder,
        record: &JobRecord,
    ) -> Result<Self, BlobError> {
        let prefix = in_folder(folder.path(), LEADER_BEATS);
        let entries = folder.store().list(&prefix).await?;
        let beats = entries.into_iter().filter_map(|entry| {
            let name = entry.path.strip_prefix(&prefix)?;
            let LeaderBeatName {
                sequence,
                beat,
                nonce,
            } = LeaderBeatName::of(&format!("{LEADER_BEATS}{name}"))?;
            let beat = LeaderBeat { sequence, beat };
            (nonce == record.nonce).then_some((beat, entry.path))
        });
        let Some((last, path)) = beats.max() else {
            return Ok(Self::none());
        };
        let beat = if last.sequence == record.sequence {
            last.beat
        } else {
            0
        };
        let path = Some(path);
        Ok(Self { beat, path })
    }

    /// There is none.
    pub(super) const fn none() -> Self {
        Self {
            beat: 0,
            path: None,
        }
    }

    /// Where the leader said that it listens; `None` if that cannot be read.
    pub(super) async fn address(&self, folder: &CheckpointFolder) -> Option<Address> {
        let (store, path) = (folder.store(), self.path.as_deref()?);
        let bytes = store.read_range(path, 0, ADDRESS_BYTES_MAX).await.ok()?;
        let address = String::from_utf8(bytes.into()).ok()?;
        (!address.is_empty()).then(|| Address::new(address))
    }
}

/// The beats of one leader.
pub(super) struct LeaderBeats {
    folder: CheckpointFolder,
    nonce: u64,
    address: Address,
    last: Option<LeaderBeat>,
}

impl LeaderBeats {
    /// None yet; `nonce` is that of the leader's records, `address` where it listens.
    pub(super) const fn new(folder: CheckpointFolder, nonce: u64, address: Address) -> Self {
        Self {
            folder,
            nonce,
            address,
            last: None,
        }
    }

    /// Leaves the next sign of life behind the record with this sequence.
    pub(super) async fn beat(&mut self, sequence: u64) -> Result<(), BlobError> {
        let beat = match self.last {
            Some(last) if last.sequence == sequence => last.beat.saturating_add(1),
            Some(_) | None => 1,
        };
        let next = LeaderBeat { sequence, beat };
        let store = self.folder.store();
        let address = self.address.as_str().as_bytes().to_vec();
        store
            .create(&path(&self.folder, next, self.nonce), vec![address.into()])
            .await?;
        if let Some(last) = self.last.replace(next) {
            store.remove(&path(&self.folder, last, self.nonce)).await?;
        }
        Ok(())
    }
}
