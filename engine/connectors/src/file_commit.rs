//! Gives the files that a [`FileSink`](crate::FileSink) has staged their final names.
//!
//! Invariant: a commit that is repeated, on any node and by any attempt, leaves the same files; a
//! final name is taken once and never written to again. What is there under a final name is ours
//! only if length and CRC32C say so.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sameriver_model::probe::crash_point;
use sameriver_operator::sink::{CommitError, Committable, Committer};
use sameriver_runtime::{BoxFuture, Disk, DiskFile, EntryKind, Published};

use crate::part_names::PartNames;
use crate::stored;

/// How much is read at once to compare a file.
const READ_BYTES: usize = 256 * 1024;

/// A complete and durable file that waits for its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingFile {
    /// Where it is.
    pub(crate) pending: String,
    /// Its final name.
    pub(crate) last: String,
    /// How many bytes it has.
    pub(crate) length: u64,
    /// CRC32C of its bytes.
    pub(crate) crc: u32,
}

impl PendingFile {
    /// What a checkpoint keeps of it.
    pub(crate) fn committable(&self) -> Committable {
        let fields = (&self.pending, &self.last, self.length, self.crc);
        let bytes = stored::to_bytes(fields);
        Committable(bytes.expect("texts and numbers can be encoded"))
    }

    /// What was kept.
    fn of(committable: &Committable) -> Result<Self, CommitError> {
        match stored::from_bytes(&committable.0) {
            Ok((pending, last, length, crc)) => Ok(Self {
                pending,
                last,
                length,
                crc,
            }),
            Err(cause) => Err(CommitError::Refused {
                output: "a file sink".to_owned(),
                what: "a file".to_owned(),
                cause,
            }),
        }
    }

    fn retry(&self, cause: &io::Error) -> CommitError {
        CommitError::Retry {
            output: self.last.clone(),
            cause: format!("cannot rename {} to it: {cause}", self.pending),
        }
    }

    fn refused(&self, cause: String) -> CommitError {
        CommitError::Refused {
            output: self.last.clone(),
            what: self.pending.clone(),
            cause,
        }
    }
}

/// The committer of one subtask.
pub(crate) struct FileCommitter {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) names: PartNames,
}

impl Committer for FileCommitter {
    fn commit(&self, committables: Vec<Committable>) -> BoxFuture<Result<(), CommitError>> {
        let disk = Arc::clone(&self.disk);
        Box::pin(async move {
            for committable in &committables {
                let file = PendingFile::of(committable)?;
                publish(&*disk, &file).await?;
                crash_point("publish.done");
            }
            Ok(())
        })
    }

    fn name(&self, committable: &Committable) -> String {
        match PendingFile::of(committable) {
            Ok(file) => file.last,
            Err(_) => "a file of another release".to_owned(),
        }
    }

    fn sweep(&self) -> BoxFuture<Result<(), CommitError>> {
        let (disk, names) = (Arc::clone(&self.disk), self.names.clone());
        Box::pin(async move {
            let retry = |path: &Path, cause: &io::Error| CommitError::Retry {
                output: path.display().to_string(),
                cause: format!("cannot remove what earlier attempts left: {cause}"),
            };
            let folder = &names.directory;
            let entries = disk.list(folder).await;
            let entries = entries.map_err(|cause| retry(folder, &cause))?;
            for name in entries.iter().filter(|name| names.is_left_over(name)) {
                let path = folder.join(name);
                match disk.remove(&path).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(cause) => return Err(retry(&path, &cause)),
                }
            }
            // A name that comes back with the next power cut finds nobody who removes it again;
            // the one before us may not have come so far.
            let synced = disk.sync_directory(folder).await;
            synced.map_err(|cause| retry(folder, &cause))
        })
    }
}

/// Gives a file its final name, unless it has it.
async fn publish(disk: &dyn Disk, file: &PendingFile) -> Result<(), CommitError> {
    let (pending, last) = (Path::new(&file.pending), Path::new(&file.last));
    match disk.entry(pending).await {
        Ok(EntryKind::File { length }) if length == file.length => {}
        Ok(EntryKind::File { length }) => {
            return Err(file.refused(format!(
                "the pending file has {length} bytes and had {} when it was staged: put it back \
                 as it was, or restore an older checkpoint",
                file.length
            )));
        }
        Ok(EntryKind::Directory) => {
            let cause = "a folder has the name of the pending file: move it away";
            return Err(file.refused(cause.to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return confirm(disk, file).await;
        }
        Err(cause) => return Err(file.retry(&cause)),
    }
    match disk.publish(pending, last).await {
        Ok(Published::Created) => Ok(()),
        Ok(Published::Exists) => {
            confirm(disk, file).await?;
            match disk.remove(pending).await {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(cause) => Err(file.retry(&cause)),
            }
        }
        Err(cause) => Err(file.retry(&cause)),
    }
}

/// Finds the file under its final name, byte for byte, and makes that name durable: whoever linked
/// it may have crashed before that.
async fn confirm(disk: &dyn Disk, file: &PendingFile) -> Result<(), CommitError> {
    let last = Path::new(&file.last);
    let opened = match disk.open(last).await {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(file.refused(
                "neither the pending nor the final file is there: put one of them back, or \
                 restore an older checkpoint"
                    .to_owned(),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return Err(file.refused("a folder has the final name: move it away".to_owned()));
        }
        Err(cause) => return Err(file.retry(&cause)),
    };
    let found = measure(&*opened)
        .await
        .map_err(|cause| file.retry(&cause))?;
    if found != (file.length, file.crc) {
        let (length, crc) = found;
        return Err(file.refused(format!(
            "the final name is taken by other content ({length} bytes, CRC32C {crc:08x}, not {} \
             bytes, {:08x}): move it away",
            file.length, file.crc
        )));
    }
    let synced = disk.sync_directory(&folder(last)).await;
    synced.map_err(|cause| file.retry(&cause))
}

/// Length and CRC32C of a file.
async fn measure(file: &dyn DiskFile) -> io::Result<(u64, u32)> {
    let (mut at, mut crc) = (0, 0);
    loop {
        let chunk = file.read_at(at, READ_BYTES).await?;
        if chunk.is_empty() {
            return Ok((at, crc));
        }
        at += chunk.len() as u64;
        crc = crc32c::crc32c_append(crc, &chunk);
    }
}

/// The folder that holds a name.
fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
