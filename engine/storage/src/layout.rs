//! Where the files of a job are in its folder.
//!
//! Invariant: no two files ever have one name: a name holds the epoch of its writer, the attempt,
//! and a nonce where several writers could meet. What has no name of this layout is not ours.

use std::fmt;

use sameriver_model::{AttemptNumber, CheckpointId, SubtaskId};

/// The folder of the job log.
pub(crate) const LOG: &str = "log/";
/// The folder of metadata.
pub(crate) const METADATA: &str = "meta/";
/// The folder of snapshots.
pub(crate) const SNAPSHOTS: &str = "snap/";
/// The folder of the leaders' signs of life, with the `/` behind it.
pub const LEADER_BEATS: &str = "alive/";

/// A path in a job's folder as a path in the store.
///
/// ```
/// assert_eq!(sameriver_storage::layout::in_folder("totals", "meta/1-1-c2"), "totals/meta/1-1-c2");
/// assert_eq!(sameriver_storage::layout::in_folder("", "meta/1-1-c2"), "meta/1-1-c2");
/// ```
pub fn in_folder(folder: &str, path: &str) -> String {
    match folder {
        "" => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}

/// A path in the store as one in a job's folder; none if it is not in it.
pub(crate) fn relative<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    match folder {
        "" => Some(path),
        folder => path.strip_prefix(folder)?.strip_prefix('/'),
    }
}

/// The file with the snapshot of one subtask, relative to the job's folder. The nonce is new for
/// every upload, also for the second try of one.
///
/// ```
/// use sameriver_model::{AttemptNumber, CheckpointId, SubtaskId, SubtaskIndex, VertexId};
/// let path = sameriver_storage::layout::snapshot(
///     AttemptNumber::of_epoch(2, 1),
///     CheckpointId::new(17),
///     SubtaskId::new(VertexId::new(3), SubtaskIndex::new(2)),
///     0xb1,
/// );
/// assert_eq!(path, "snap/2/1/c17/v3-2-00000000000000b1");
/// ```
pub fn snapshot(
    attempt: AttemptNumber,
    checkpoint: CheckpointId,
    subtask: SubtaskId,
    nonce: u64,
) -> String {
    let folder = snapshots(attempt, checkpoint);
    format!("{folder}{}-{}-{nonce:016x}", subtask.vertex, subtask.index)
}

/// The folder with the snapshots of one checkpoint, with the `/` behind it.
pub(crate) fn snapshots(attempt: AttemptNumber, checkpoint: CheckpointId) -> String {
    let (epoch, ordinal) = (attempt.epoch(), attempt.ordinal());
    format!("{SNAPSHOTS}{epoch}/{ordinal}/{checkpoint}/")
}

/// The file with the metadata of a checkpoint, relative to the job's folder.
///
/// ```
/// use sameriver_model::{AttemptNumber, CheckpointId};
/// let attempt = AttemptNumber::of_epoch(2, 1);
/// let path = sameriver_storage::layout::metadata(attempt, CheckpointId::new(17));
/// assert_eq!(path, "meta/2-1-c17");
/// ```
pub fn metadata(attempt: AttemptNumber, checkpoint: CheckpointId) -> String {
    let (epoch, ordinal) = (attempt.epoch(), attempt.ordinal());
    format!("{METADATA}{epoch}-{ordinal}-{checkpoint}")
}

/// The file with a record of the job log, relative to the job's folder.
pub(crate) fn log_record(sequence: u64) -> String {
    format!("{LOG}{sequence:020}")
}

/// The name of a leader's sign of life, relative to the job's folder.
///
/// ```
/// use sameriver_storage::layout::LeaderBeatName;
/// let name = LeaderBeatName { sequence: 5, beat: 2, nonce: 0xb1 };
/// let path = "alive/00000000000000000005-00000000000000000002-00000000000000b1";
/// assert_eq!(name.to_string(), path);
/// assert_eq!(LeaderBeatName::of(path), Some(name));
/// assert_eq!(LeaderBeatName::of("alive/5-2-b1"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaderBeatName {
    /// The newest record of the log when it was given.
    pub sequence: u64,
    /// Its number behind that record, from 1.
    pub beat: u64,
    /// That of the leader's records.
    pub nonce: u64,
}

impl LeaderBeatName {
    /// Reads a path relative to the job's folder; none if it is no sign of life.
    pub fn of(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix(LEADER_BEATS)?.splitn(3, '-');
        let name = Self {
            sequence: parts.next()?.parse().ok()?,
            beat: parts.next()?.parse().ok()?,
            nonce: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        (name.to_string() == path).then_some(name)
    }
}

impl fmt::Display for LeaderBeatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sequence,
            beat,
            nonce,
        } = self;
        write!(f, "{LEADER_BEATS}{sequence:020}-{beat:020}-{nonce:016x}")
    }
}

/// What a path in a job's folder names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A record of the job log.
    LogRecord(u64),
    /// A file of a checkpoint: its metadata, or a snapshot.
    Checkpoint(AttemptNumber, CheckpointId),
    /// A leader's sign of life.
    LeaderBeat(LeaderBeatName),
    /// Nothing of ours.
    Foreign,
}

/// Reads a path relative to the job's folder.
pub(crate) fn named(path: &str) -> Named {
    let checkpoint = |parts: Option<(u32, u32, u64)>| match parts {
        Some((epoch, ordinal, id)) => {
            let attempt = AttemptNumber::of_epoch(epoch, ordinal);
            Named::Checkpoint(attempt, CheckpointId::new(id))
        }
        None => Named::Foreign,
    };
    if let Some(name) = path.strip_prefix(LOG) {
        let sequence = name.parse().ok().map(Named::LogRecord);
        let sequence = sequence.filter(|_| name.len() == 20 && !name.starts_with('+'));
        return sequence.unwrap_or(Named::Foreign);
    }
    if let Some(beat) = LeaderBeatName::of(path) {
        return Named::LeaderBeat(beat);
    }
    if let Some(name) = path.strip_prefix(METADATA) {
        return checkpoint(three(name, '-'));
    }
    let snapshot = path.strip_prefix(SNAPSHOTS);
    let folder = snapshot.and_then(|path| path.rsplit_once('/'));
    checkpoint(folder.and_then(|(folder, _)| three(folder, '/')))
}

/// Epoch, ordinal and checkpoint.
fn three(text: &str, separator: char) -> Option<(u32, u32, u64)> {
    let mut parts = text.split(separator);
    let (epoch, ordinal) = (number(parts.next()?)?, number(parts.next()?)?);
    let id = number(parts.next()?.strip_prefix('c')?)?;
    let is_all = parts.next().is_none();
    is_all.then_some((u32::try_from(epoch).ok()?, u32::try_from(ordinal).ok()?, id))
}

/// A number as we write it: nothing but digits, and no zeros before it.
fn number(text: &str) -> Option<u64> {
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sameriver_model::{SubtaskIndex, VertexId};

    #[test]
    fn what_is_written_is_found_again_by_its_name() {
        let (attempt, id) = (AttemptNumber::of_epoch(2, 1), CheckpointId::new(17));
        let subtask = SubtaskId::new(VertexId::new(3), SubtaskIndex::new(2));
        let checkpoint = Named::Checkpoint(attempt, id);
        assert_eq!(named(&snapshot(attempt, id, subtask, 7)), checkpoint);
        assert_eq!(named(&metadata(attempt, id)), checkpoint);
        assert_eq!(named(&log_record(5)), Named::LogRecord(5));
        assert_eq!(named(&log_record(u64::MAX)), Named::LogRecord(u64::MAX));
    }

    #[test]
    fn a_name_that_nobody_of_us_wrote_is_foreign() {
        for path in [
            "log/5",
            "log/+0000000000000000005",
            "log/00000000000000000005~",
            "log/.nfs0001",
            "meta/2-1-17",
            "meta/2-1-c017",
            "meta/+2-1-c17",
            "meta/2-1-c17-x",
            "snap/2/1/v3-2-7",
            "snap/2/1/c17/deeper/v3-2-7",
            "alive/5-2-b1",
            "alive/00000000000000000005-00000000000000000002-00000000000000B1",
            "alive/00000000000000000005-00000000000000000002-00000000000000b1-x",
            "notes.txt",
            "",
        ] {
            assert_eq!(named(path), Named::Foreign, "{path}");
        }
    }
}
