//! The signs of life that a leader leaves in the store between two records of the job log.
//!
//! Invariant: a hint for whoever stands by, never a proof: a beat that is late, lost or left behind
//! costs time. Each beat is an object of its own; the leader removes its last one when the next is
//! there.

use sameriver_control::LeaderBeat;
use sameriver_runtime::BlobError;

use crate::checkpoints::CheckpointFolder;

/// The folder of the beats, in that of the job.
const FOLDER: &str = "alive/";

/// The path of a beat, relative to the store.
fn path(folder: &CheckpointFolder, beat: LeaderBeat, nonce: u64) -> String {
    let LeaderBeat { sequence, beat } = beat;
    let path = format!("{FOLDER}{sequence:020}-{beat:020}-{nonce:016x}");
    sameriver_storage::layout::in_folder(folder.path(), &path)
}

/// The highest beat of a record, 0 if there is none.
pub(super) async fn highest(folder: &CheckpointFolder, sequence: u64) -> Result<u64, BlobError> {
    let prefix = sameriver_storage::layout::in_folder(folder.path(), FOLDER);
    let entries = folder.store().list(&prefix).await?;
    let beats = entries.iter().filter_map(|entry| {
        let name = entry.path.strip_prefix(&prefix)?;
        let mut parts = name.splitn(3, '-');
        let of: u64 = parts.next()?.parse().ok()?;
        let beat: u64 = parts.next()?.parse().ok()?;
        (of == sequence).then_some(beat)
    });
    Ok(beats.max().unwrap_or(0))
}

/// The beats of one leader.
pub(super) struct LeaderBeats {
    folder: CheckpointFolder,
    nonce: u64,
    last: Option<LeaderBeat>,
}

impl LeaderBeats {
    /// None yet; `nonce` is that of the leader's records.
    pub(super) const fn new(folder: CheckpointFolder, nonce: u64) -> Self {
        Self {
            folder,
            nonce,
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
        store
            .create(&path(&self.folder, next, self.nonce), Vec::new())
            .await?;
        if let Some(last) = self.last.replace(next) {
            store.remove(&path(&self.folder, last, self.nonce)).await?;
        }
        Ok(())
    }
}
