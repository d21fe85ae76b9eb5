//! Which files of a job may be deleted, and their deletion.
//!
//! Invariant: a file is deleted only after a counted record of the log that does not reach it, and
//! by a sweep only if its epoch is over: whoever wrote it can do nothing any more. What is not
//! named as our files are is never touched.

use sameriver_model::probe::{Probe, observe};
use sameriver_model::{AttemptNumber, CheckpointId, CheckpointRef, JobRecord};
use sameriver_runtime::{BlobEntry, BlobError, BlobStore};

use crate::layout::{self, Named};

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many files.
    pub files: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

/// The files of a listing that nothing needs any more: those of checkpoints that the newest record
/// does not reach, of epochs below `epoch`, and the signs of life of earlier leaders. Paths are
/// relative to the job's folder; metadata comes last, so that what is left after a crash is still
/// explained by it.
///
/// ```
/// use sameriver_model::{JobNonce, JobRecord, RecordStatus};
/// use sameriver_runtime::BlobEntry;
/// let newest = JobRecord {
///     sequence: 9,
///     epoch: 2,
///     nonce: 7,
///     job: JobNonce::new(7),
///     fingerprint: 0xf1,
///     status: RecordStatus::Running,
///     latest: None,
///     retained: Vec::new(),
/// };
/// let listed = ["meta/1-1-c4", "snap/1/1/c4/v0-0-b1", "snap/2/1/c5/v0-0-b2", "notes.txt"];
/// let listed: Vec<_> =
///     listed.iter().map(|path| BlobEntry { path: path.to_string(), length: 1 }).collect();
/// let removable = sameriver_storage::retention::removable(&newest, 2, &listed);
/// let paths: Vec<_> = removable.iter().map(|entry| entry.path.as_str()).collect();
/// assert_eq!(paths, ["snap/1/1/c4/v0-0-b1", "meta/1-1-c4"]);
/// ```
pub fn removable<'a>(
    newest: &JobRecord,
    epoch: u32,
    listed: &'a [BlobEntry],
) -> Vec<&'a BlobEntry> {
    let kept: Vec<_> = newest
        .reached()
        .map(|kept| (kept.attempt, kept.id))
        .collect();
    let is_needless = |entry: &&BlobEntry| match layout::named(&entry.path) {
        Named::Checkpoint(attempt, id) => attempt.epoch() < epoch && !kept.contains(&(attempt, id)),
        // Whoever gave it leads no more: our own record is newer.
        Named::LeaderBeat(beat) => beat.sequence < newest.sequence && beat.nonce != newest.nonce,
        Named::LogRecord(_) | Named::Foreign => false,
    };
    let mut needless: Vec<&BlobEntry> = listed.iter().filter(is_needless).collect();
    needless.sort_by_key(|entry| {
        (
            entry.path.starts_with(layout::METADATA),
            entry.path.as_str(),
        )
    });
    needless
}

/// Deletes what earlier leaders left: see [`removable`]. `newest` is the record with which the
/// caller took leadership, or a later one of its own; a caller that was deposed since then deletes
/// nothing that its successor needs.
///
/// # Errors
/// [`BlobError`] of the first file that could not be deleted; the next sweep finds it.
pub async fn sweep(
    store: &dyn BlobStore,
    folder: &str,
    newest: &JobRecord,
) -> Result<Swept, BlobError> {
    let mut listed = Vec::new();
    for part in [layout::LEADER_BEATS, layout::METADATA, layout::SNAPSHOTS] {
        listed.extend(list(store, folder, part).await?);
    }
    remove(store, folder, removable(newest, newest.epoch, &listed)).await
}

/// Deletes the files of checkpoints that are no longer kept, or never will be. Call it after a
/// counted record, or in a job without a log after the newer checkpoint; `kept` is what that one
/// reaches, and stays even if it is among the `dropped`.
///
/// # Errors
/// [`BlobError`] of the first file that could not be deleted; a sweep of the next leader finds it.
pub async fn discard(
    store: &dyn BlobStore,
    folder: &str,
    kept: &[CheckpointRef],
    dropped: &[(AttemptNumber, CheckpointId)],
) -> Result<Swept, BlobError> {
    let is_kept = |one: &&(AttemptNumber, CheckpointId)| {
        let same = |kept: &CheckpointRef| (kept.attempt, kept.id) == **one;
        kept.iter().any(same)
    };
    let mut swept = Swept::default();
    for (attempt, id) in dropped.iter().filter(|one| !is_kept(one)) {
        let mut files = list(store, folder, &layout::snapshots(*attempt, *id)).await?;
        let metadata = layout::metadata(*attempt, *id);
        let named = list(store, folder, &metadata).await?.into_iter();
        // That of a later checkpoint may begin with the same characters.
        files.extend(named.filter(|entry| entry.path == metadata));
        let removed = remove(store, folder, files.iter().collect()).await?;
        swept.files += removed.files;
        swept.bytes += removed.bytes;
    }
    Ok(swept)
}

/// The files below a part of a job's folder, relative to that.
pub(crate) async fn list(
    store: &dyn BlobStore,
    folder: &str,
    part: &str,
) -> Result<Vec<BlobEntry>, BlobError> {
    let listed = store.list(&layout::in_folder(folder, part)).await?;
    let relative = |entry: BlobEntry| {
        let path = layout::relative(folder, &entry.path)?.to_owned();
        let length = entry.length;
        Some(BlobEntry { path, length })
    };
    Ok(listed.into_iter().filter_map(relative).collect())
}

async fn remove(
    store: &dyn BlobStore,
    folder: &str,
    files: Vec<&BlobEntry>,
) -> Result<Swept, BlobError> {
    let mut swept = Swept::default();
    for file in files {
        let path = layout::in_folder(folder, &file.path);
        store.remove(&path).await?;
        observe(&Probe::Removed { path: &path });
        swept.files += 1;
        swept.bytes += file.length;
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;
    use crate::layout::LeaderBeatName;
    use crate::memory_blobs::MemoryBlobs;
    use crate::now;

    fn listed(paths: &[&str]) -> Vec<BlobEntry> {
        let entry = |path: &&str| BlobEntry {
            path: (*path).to_owned(),
            length: 1,
        };
        paths.iter().map(entry).collect()
    }

    /// Epoch 3 keeps c17 of attempt 1 of epoch 2.
    fn newest() -> JobRecord {
        JobRecord {
            epoch: 3,
            ..examples::record()
        }
    }

    fn check(paths: &[&str], removed: &[&str]) {
        let listed = listed(paths);
        let found = removable(&newest(), 3, &listed);
        let found: Vec<_> = found.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(found, removed);
    }

    #[test]
    fn files_of_a_checkpoint_that_the_newest_record_reaches_stay() {
        check(&["meta/2-1-c17", "snap/2/1/c17/v0-0-b1"], &[]);
    }

    #[test]
    fn the_same_checkpoint_of_another_attempt_goes() {
        check(
            &["meta/2-2-c17", "snap/2/2/c17/v0-0-b1"],
            &["snap/2/2/c17/v0-0-b1", "meta/2-2-c17"],
        );
    }

    #[test]
    fn files_of_our_own_and_of_later_epochs_stay() {
        check(&["meta/3-1-c18", "snap/4/1/c19/v0-0-b1"], &[]);
    }

    #[test]
    fn signs_of_life_of_earlier_leaders_go_and_those_of_our_own_and_of_later_ones_stay() {
        let name = |sequence, nonce| LeaderBeatName {
            sequence,
            beat: 1,
            nonce,
        };
        let record = newest();
        let (ours, earlier) = (record.nonce, record.nonce + 1);
        let at = record.sequence;
        let old = name(at - 1, earlier).to_string();
        let own = name(at - 1, ours).to_string();
        let later = name(at + 1, earlier).to_string();
        check(&[&own, &old, &later, "alive/5"], &[&old]);
    }

    #[test]
    fn records_of_the_log_and_files_of_others_stay() {
        check(&["log/00000000000000000001", "meta/x", "snap/readme"], &[]);
    }

    #[test]
    fn a_sweep_deletes_what_earlier_leaders_left_and_nothing_else() {
        let store = MemoryBlobs::new("memory:");
        let left = now(async {
            for path in [
                "meta/1-1-c4",
                "snap/1/1/c4/a",
                "snap/3/1/c18/a",
                "notes.txt",
            ] {
                put(&store, path).await?;
            }
            let swept = sweep(&store, "job", &newest()).await?;
            assert_eq!((swept.files, swept.bytes), (2, 2));
            store.list("").await
        });
        assert_eq!(paths(left), ["job/notes.txt", "job/snap/3/1/c18/a"]);
    }

    async fn put(store: &MemoryBlobs, path: &str) -> Result<(), BlobError> {
        let created = store.create(&format!("job/{path}"), vec!["x".into()]).await;
        created.map(|_created| ())
    }

    fn paths(listed: Result<Vec<BlobEntry>, BlobError>) -> Vec<String> {
        let listed = listed.expect("memory answers");
        listed.into_iter().map(|entry| entry.path).collect()
    }

    #[test]
    fn a_checkpoint_that_is_kept_is_not_discarded_even_if_asked_for() {
        let store = MemoryBlobs::new("memory:");
        let kept = examples::checkpoint_ref();
        let attempt = AttemptNumber::of_epoch(2, 1);
        let gone = [(attempt, CheckpointId::new(1)), (attempt, kept.id)];
        let left = now(async {
            for path in [
                "meta/2-1-c1",
                "snap/2/1/c1/a",
                "meta/2-1-c17",
                "snap/2/1/c17/a",
            ] {
                put(&store, path).await?;
            }
            let swept = discard(&store, "job", &[kept], &gone).await?;
            assert_eq!((swept.files, swept.bytes), (2, 2));
            store.list("").await
        });
        assert_eq!(paths(left), ["job/meta/2-1-c17", "job/snap/2/1/c17/a"]);
    }
}
