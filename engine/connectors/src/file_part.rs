//! The task that writes the files of one subtask of a [`FileSink`](crate::FileSink).
//!
//! Invariant: what a stage answers is complete, and durable with its name; a file that was answered
//! is never touched again by this task. Files get their final names elsewhere: in
//! [`file_commit`](crate::file_commit). Does not know records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sameriver_model::probe::crash_point;
use sameriver_operator::sink::{Committable, SinkError};
use sameriver_runtime::{Disk, DiskFile, EntryKind, Monotonic, World, select};

use crate::file_commit::PendingFile;
use crate::outbox::{Inbox, Mail};
use crate::part_names::{Naming, PartNames};

const TAKEN: &str = "move the result of the earlier run away, or name another output";
const FOREIGN: &str = "name another output, or remove the results of other jobs and earlier runs";
const NO_FOLDER: &str = "name a folder, or a place where one can be made";
const NO_FILE: &str = "check the folder's permissions and the free space of its disk";

/// When a file is closed before its checkpoint; never if both are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rolling {
    /// From so many bytes on.
    pub(crate) bytes: Option<u64>,
    /// So long after it was opened, by the clock of the node.
    pub(crate) age: Option<Duration>,
}

/// What a subtask writes, and where.
pub(crate) struct PartWriter {
    world: World,
    disk: Arc<dyn Disk>,
    names: PartNames,
    rolling: Rolling,
    /// Whether the attempt goes on from a checkpoint.
    is_restored: bool,
    /// The number of the next file.
    next: u64,
    growing: Option<Growing>,
    closed: Vec<PendingFile>,
    /// What was staged without checkpoints: if this attempt does not commit it, nobody will.
    staged: Vec<PendingFile>,
}

struct Growing {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    number: u64,
    length: u64,
    crc: u32,
    opened: Monotonic,
}

impl PartWriter {
    /// A writer without a file.
    pub(crate) fn new(
        world: &World,
        names: PartNames,
        rolling: Rolling,
        is_restored: bool,
    ) -> Self {
        Self {
            disk: world.disk(),
            world: world.clone(),
            names,
            rolling,
            is_restored,
            next: 0,
            growing: None,
            closed: Vec::new(),
            staged: Vec::new(),
        }
    }

    /// Writes until nothing follows.
    pub(crate) async fn run(mut self, mut inbox: Inbox<Bytes>) -> Result<(), SinkError> {
        make_folder(&*self.disk, &self.names.directory).await?;
        // Told at the start already, not only after hours of work, that the name is taken.
        self.check_name(0).await?;
        self.check_folder().await?;
        loop {
            let Some(mail) = self.next_mail(&mut inbox).await else {
                self.close().await?;
                continue;
            };
            match mail {
                Mail::Item(chunk) => self.append(chunk).await?,
                Mail::Stage(stage) => {
                    let staged = self.stage().await?;
                    inbox.answer(stage, staged);
                }
                Mail::Finish if self.staged.is_empty() => return Ok(()),
                Mail::Finish => {
                    inbox.outlive_writer().await;
                    break;
                }
                Mail::Abandoned => break,
            }
        }
        self.clear().await;
        Ok(())
    }

    /// Removes what nobody will commit. Nobody is left to be told of an error; with checkpoints a
    /// later attempt sweeps what stays. A committed file has another name.
    async fn clear(&self) {
        let pending = self.closed.iter().chain(&self.staged);
        let pending = pending.map(|file| Path::new(&file.pending));
        let growing = self.growing.iter().map(|growing| &*growing.path);
        for path in pending.chain(growing) {
            let _ = self.disk.remove(path).await;
        }
    }

    /// The next mail, or `None` when the growing file has reached its age first.
    async fn next_mail(&self, inbox: &mut Inbox<Bytes>) -> Option<Mail<Bytes>> {
        let Some(deadline) = self.deadline() else {
            return Some(inbox.next().await);
        };
        let left = deadline.since(self.world.now());
        if left.is_zero() {
            return None;
        }
        select! {
            mail = inbox.next() => Some(mail),
            () = self.world.sleep(left) => None,
        }
    }

    fn deadline(&self) -> Option<Monotonic> {
        let (growing, age) = (self.growing.as_ref()?, self.rolling.age?);
        Some(growing.opened.saturating_add(age))
    }

    async fn append(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        let mut growing = match self.growing.take() {
            Some(growing) => growing,
            None => self.open().await?,
        };
        growing.length += chunk.len() as u64;
        growing.crc = crc32c::crc32c_append(growing.crc, &chunk);
        let appended = growing.file.append(chunk).await;
        appended.map_err(|cause| unwritable(&growing.path, cause, NO_FILE))?;
        let is_full = self
            .rolling
            .bytes
            .is_some_and(|bytes| growing.length >= bytes);
        self.growing = Some(growing);
        if is_full {
            self.close().await?;
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<Growing, SinkError> {
        let number = self.next;
        self.next += 1;
        self.check_name(number).await?;
        let path = self.names.growing(number);
        let created = self.disk.create_new(&path).await;
        let file = created.map_err(|cause| unwritable(&path, cause, NO_FILE))?;
        Ok(Growing {
            file,
            path,
            number,
            length: 0,
            crc: 0,
            opened: self.world.now(),
        })
    }

    /// Makes the growing file durable and keeps it for the next stage.
    async fn close(&mut self) -> Result<(), SinkError> {
        let Some(growing) = self.growing.take() else {
            return Ok(());
        };
        let synced = growing.file.sync().await;
        synced.map_err(|cause| unwritable(&growing.path, cause, NO_FILE))?;
        let pending = PendingFile {
            pending: text(&growing.path),
            last: text(&self.names.last(growing.number)),
            length: growing.length,
            crc: growing.crc,
        };
        self.closed.push(pending);
        Ok(())
    }

    async fn stage(&mut self) -> Result<Vec<Committable>, SinkError> {
        // Without checkpoints every subtask leaves a file, to show that it was there.
        if self.next == 0 && self.names.naming != Naming::OfAttempt {
            self.growing = Some(self.open().await?);
        }
        self.close().await?;
        if self.closed.is_empty() {
            return Ok(Vec::new());
        }
        let folder = &self.names.directory;
        let synced = self.disk.sync_directory(folder).await;
        synced.map_err(|cause| unwritable(folder, cause, NO_FILE))?;
        crash_point("stage.synced");
        let closed = std::mem::take(&mut self.closed);
        let staged = closed.iter().map(PendingFile::committable).collect();
        if self.names.naming != Naming::OfAttempt {
            self.staged.extend(closed);
        }
        Ok(staged)
    }

    /// Refuses a final name that is taken, unless an earlier attempt of ours may have taken it.
    async fn check_name(&self, number: u64) -> Result<(), SinkError> {
        if self.names.naming != Naming::OfAttempt && self.names.attempt.ordinal() > 1 {
            return Ok(());
        }
        let path = self.names.last(number);
        match self.disk.entry(&path).await {
            Ok(EntryKind::File { .. }) => Err(taken(&path, "the file exists already", TAKEN)),
            Ok(EntryKind::Directory) => Err(taken(&path, "a folder has this name", "name a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(unwritable(&path, cause, NO_FILE)),
        }
    }

    /// Refuses a folder with results that this job did not write: beside its own nobody could tell
    /// them apart. Who goes on has looked at the start.
    async fn check_folder(&self) -> Result<(), SinkError> {
        let goes_on = match self.names.naming {
            Naming::Single(_) => true,
            Naming::Plain => self.names.attempt.ordinal() > 1,
            Naming::OfAttempt => self.is_restored,
        };
        if goes_on {
            return Ok(());
        }
        let folder = &self.names.directory;
        let entries = self.disk.list(folder).await;
        let entries = entries.map_err(|cause| unwritable(folder, cause, NO_FILE))?;
        let foreign = entries.iter().filter(|name| self.names.is_foreign(name));
        match foreign.min() {
            None => Ok(()),
            Some(name) => {
                let found = format!("it holds {name}, which this job did not write");
                Err(taken(folder, found, FOREIGN))
            }
        }
    }
}

fn taken(path: &Path, found: impl Into<String>, remedy: &'static str) -> SinkError {
    SinkError::Taken {
        output: path.display().to_string(),
        found: found.into(),
        remedy,
    }
}

fn unwritable(path: &Path, cause: io::Error, remedy: &'static str) -> SinkError {
    SinkError::Unwritable {
        output: path.display().to_string(),
        cause,
        remedy,
    }
}

/// A path below a folder whose name was text.
fn text(path: &Path) -> String {
    let text = path.to_str();
    text.expect("the sink refuses folders whose names are not text")
        .to_owned()
}

/// Makes the folder and those above it, and their names durable.
async fn make_folder(disk: &dyn Disk, folder: &Path) -> Result<(), SinkError> {
    let unusable = |cause| unwritable(folder, cause, NO_FOLDER);
    match disk.entry(folder).await {
        Ok(EntryKind::Directory) => {}
        Ok(EntryKind::File { .. }) => {
            let cause = io::Error::new(io::ErrorKind::NotADirectory, "a file has this name");
            return Err(unusable(cause));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.create_directories(folder).await.map_err(unusable)?;
        }
        Err(cause) => return Err(unusable(cause)),
    }
    // Also when it was there: another subtask may have made it and not synced its name yet.
    for above in folder.ancestors().skip(1) {
        let is_here = above.as_os_str().is_empty();
        let above = if is_here { Path::new(".") } else { above };
        match disk.sync_directory(above).await {
            Ok(()) => {}
            // A folder that we may not even look into is not one that we have made.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            Err(cause) => return Err(unwritable(above, cause, NO_FOLDER)),
        }
    }
    Ok(())
}
