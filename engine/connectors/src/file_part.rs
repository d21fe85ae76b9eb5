//! The task that writes one file of a [`FileSink`](crate::FileSink).
//!
//! Invariant: the file gets its final name once, when it is complete and synced, and only if that
//! name is free; an abandoned file is removed. Does not know records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sameriver_operator::sink::SinkError;
use sameriver_runtime::{Disk, DiskFile, EntryKind, Published};

use crate::outbox::{Inbox, Mail};

const TAKEN: &str = "move the result of the earlier run away, or name another output";
const NO_FOLDER: &str = "name a folder, or a place where one can be made";
const NO_FILE: &str = "check the folder's permissions and the free space of its disk";

/// The names of one file.
pub(crate) struct FilePart {
    /// The folder; made if it is missing.
    pub(crate) directory: PathBuf,
    /// The name while it grows.
    pub(crate) growing: PathBuf,
    /// The name of the complete file.
    pub(crate) file: PathBuf,
}

fn unwritable(path: &Path, cause: io::Error, remedy: &'static str) -> SinkError {
    SinkError::Unwritable {
        output: path.display().to_string(),
        cause,
        remedy,
    }
}

/// Appends chunks to the growing file and publishes it when told to finish.
pub(crate) async fn write_part(
    mut inbox: Inbox<Bytes>,
    disk: Arc<dyn Disk>,
    part: FilePart,
) -> Result<(), SinkError> {
    let file = open(&*disk, &part).await?;
    let growing = |cause| unwritable(&part.growing, cause, NO_FILE);
    loop {
        match inbox.next().await {
            Mail::Item(chunk) => file.append(chunk).await.map_err(growing)?,
            Mail::Finish => {
                file.sync().await.map_err(growing)?;
                return publish(&*disk, &part).await;
            }
            Mail::Abandoned => {
                // Nobody is left to be told; the next run empties the file anyway.
                let _ = disk.remove(&part.growing).await;
                return Ok(());
            }
        }
    }
}

async fn open(disk: &dyn Disk, part: &FilePart) -> Result<Box<dyn DiskFile>, SinkError> {
    let directory = &part.directory;
    match disk.entry(directory).await {
        Ok(EntryKind::Directory) => {}
        Ok(EntryKind::File { .. }) => {
            let cause = io::Error::new(io::ErrorKind::NotADirectory, "a file has this name");
            return Err(unwritable(directory, cause, NO_FOLDER));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = disk.create_directories(directory).await;
            made.map_err(|cause| unwritable(directory, cause, NO_FOLDER))?;
        }
        Err(cause) => return Err(unwritable(directory, cause, NO_FOLDER)),
    }
    // Told at the start already, not only after hours of work, that the name is taken.
    match disk.entry(&part.file).await {
        Ok(EntryKind::File { .. }) => return Err(taken(&part.file)),
        Ok(EntryKind::Directory) => {
            let cause = io::Error::new(io::ErrorKind::IsADirectory, "a folder has this name");
            return Err(unwritable(&part.file, cause, "name a file"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(unwritable(&part.file, cause, NO_FILE)),
    }
    let created = disk.create(&part.growing).await;
    created.map_err(|cause| unwritable(&part.growing, cause, NO_FILE))
}

async fn publish(disk: &dyn Disk, part: &FilePart) -> Result<(), SinkError> {
    let published = disk.publish(&part.growing, &part.file).await;
    match published.map_err(|cause| unwritable(&part.file, cause, NO_FILE))? {
        Published::Created => Ok(()),
        Published::Exists => Err(taken(&part.file)),
    }
}

fn taken(file: &Path) -> SinkError {
    let cause = io::Error::new(io::ErrorKind::AlreadyExists, "the file exists already");
    unwritable(file, cause, TAKEN)
}
