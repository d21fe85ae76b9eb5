//! Gives the files that a [`FileSink`](crate::FileSink) has staged their final names.
//!
//! Invariant: a commit that is repeated, on any node and by any attempt, leaves the same files; a
//! final name is taken once and never written to again. What is there under a final name is ours
//! only if length and CRC32C say so, and nothing else ever gets one. What no waiting mends is an
//! error at once.

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

    /// The disk refused something.
    fn failed(&self, cause: &io::Error) -> CommitError {
        match remedy(cause.kind()) {
            Remedy::Mend(remedy) => self.refused(format!("{cause}: {remedy}")),
            Remedy::Wait(remedy) => CommitError::Retry {
                output: self.last.clone(),
                cause: format!("cannot rename {} to it: {cause}: {remedy}", self.pending),
            },
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

/// What to do about an error of the disk.
enum Remedy {
    /// It may be over next time, by itself or because somebody did this.
    Wait(&'static str),
    /// It comes again until somebody did this.
    Mend(&'static str),
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the operating system's list is open; what is not named may be over next time"
)]
fn remedy(kind: io::ErrorKind) -> Remedy {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Remedy::Wait("free space on its disk, or, if there is some, remove files")
        }
        io::ErrorKind::PermissionDenied => {
            Remedy::Mend("let the user that runs the job write the folder and its files")
        }
        io::ErrorKind::ReadOnlyFilesystem => Remedy::Mend("mount its disk for writing"),
        io::ErrorKind::NotADirectory => {
            Remedy::Mend("a part of the path is a file where a folder was: move it away")
        }
        io::ErrorKind::CrossesDevices
        | io::ErrorKind::TooManyLinks
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::Unsupported => {
            Remedy::Mend("put the folder on one file system that can link files")
        }
        _ => Remedy::Wait("check its disk"),
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
            let folder = &names.directory;
            let entries = disk.list(folder).await;
            let entries = entries.map_err(|cause| not_swept(folder, &cause))?;
            for name in entries.iter().filter(|name| names.is_left_over(name)) {
                let path = folder.join(name);
                match disk.remove(&path).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(cause) => return Err(not_swept(&path, &cause)),
                }
            }
            // A name that comes back with the next power cut finds nobody who removes it again;
            // the one before us may not have come so far.
            let synced = disk.sync_directory(folder).await;
            synced.map_err(|cause| not_swept(folder, &cause))
        })
    }
}

/// What earlier attempts left cannot be removed.
fn not_swept(path: &Path, cause: &io::Error) -> CommitError {
    let output = path.display().to_string();
    let what = "what earlier attempts left".to_owned();
    match remedy(cause.kind()) {
        Remedy::Mend(remedy) => CommitError::Refused {
            output,
            what: format!("the removal of {what}"),
            cause: format!("{cause}: {remedy}"),
        },
        Remedy::Wait(remedy) => CommitError::Retry {
            output,
            cause: format!("cannot remove {what}: {cause}: {remedy}"),
        },
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
        Err(cause) => return Err(file.failed(&cause)),
    }
    check_pending(disk, file).await?;
    match disk.publish(pending, last).await {
        Ok(Published::Created) => Ok(()),
        Ok(Published::Exists) => {
            confirm(disk, file).await?;
            match disk.remove(pending).await {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(cause) => Err(file.failed(&cause)),
            }
        }
        Err(cause) => Err(file.failed(&cause)),
    }
}

/// Reads the pending file: a final name is not taken back, so nothing that changed since it was
/// staged ever gets one.
async fn check_pending(disk: &dyn Disk, file: &PendingFile) -> Result<(), CommitError> {
    let opened = disk.open(Path::new(&file.pending)).await;
    let opened = opened.map_err(|cause| file.failed(&cause))?;
    let found = measure(&*opened).await;
    let (length, crc) = found.map_err(|cause| file.failed(&cause))?;
    if (length, crc) == (file.length, file.crc) {
        return Ok(());
    }
    Err(file.refused(format!(
        "the pending file was damaged since it was staged ({length} bytes, CRC32C {crc:08x}, not \
         {} bytes, {:08x}): put it back as it was, or restore an older checkpoint",
        file.length, file.crc
    )))
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
        Err(cause) => return Err(file.failed(&cause)),
    };
    let found = measure(&*opened).await;
    let found = found.map_err(|cause| file.failed(&cause))?;
    if found != (file.length, file.crc) {
        let (length, crc) = found;
        return Err(file.refused(format!(
            "the final name is taken by other content ({length} bytes, CRC32C {crc:08x}, not {} \
             bytes, {:08x}): move it away",
            file.length, file.crc
        )));
    }
    let synced = disk.sync_directory(&folder(last)).await;
    synced.map_err(|cause| file.failed(&cause))
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

#[cfg(test)]
mod tests;
