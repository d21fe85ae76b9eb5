//! Files of the operating system.
//!
//! Invariant: operations on one handle are carried out in the order of their calls, even when their
//! futures are awaited in another order or dropped. No async thread waits for a disk.
#![expect(
    clippy::disallowed_methods,
    reason = "the fence points here: this is the real `World::disk`"
)]

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{BoxFuture, Disk, DiskFile, EntryKind, Published};

use crate::control::Control;

/// The file system of the process.
pub(crate) struct RealDisk {
    control: Arc<Control>,
}

impl RealDisk {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self { control }
    }

    /// Runs one operation away from the async threads; it starts now.
    fn run<R: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce(&Path) -> io::Result<R> + Send + 'static,
    ) -> BoxFuture<io::Result<R>> {
        let (tx, rx) = oneshot::channel();
        let path = path.to_owned();
        self.control.detached(move || {
            // The caller may have gone away; then nobody wants the result.
            let _ = tx.send(work(&path));
        });
        answer(&self.control, rx)
    }

    fn run_opening(
        &self,
        path: &Path,
        open: impl FnOnce(&Path) -> io::Result<Opened> + Send + 'static,
    ) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        let control = Arc::clone(&self.control);
        self.run(path, move |path| {
            let queue = Arc::new(FileQueue {
                opened: open(path)?,
                waiting: Mutex::new(Waiting::default()),
            });
            Ok(Box::new(RealFile { control, queue }) as Box<dyn DiskFile>)
        })
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.run_opening(path, open_existing)
    }

    fn create(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.run_opening(path, |path| {
            let file = for_writing().create(true).truncate(true).open(path)?;
            Ok(Opened::writable(file))
        })
    }

    fn create_new(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.run_opening(path, |path| {
            Ok(Opened::writable(for_writing().create_new(true).open(path)?))
        })
    }

    fn create_directories(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        self.run(path, |path| fs::create_dir_all(path))
    }

    fn entry(&self, path: &Path) -> BoxFuture<io::Result<EntryKind>> {
        self.run(path, |path| {
            let found = fs::metadata(path)?;
            if found.is_dir() {
                return Ok(EntryKind::Directory);
            }
            if !found.is_file() {
                // Its length would be told as 0, and all that is in it would be passed over.
                let pipe = "it is a pipe or a device, not a file";
                return Err(io::Error::new(io::ErrorKind::Unsupported, pipe));
            }
            Ok(EntryKind::File {
                length: found.len(),
            })
        })
    }

    fn list(&self, directory: &Path) -> BoxFuture<io::Result<Vec<String>>> {
        self.run(directory, |directory| {
            let mut names = Vec::new();
            for entry in fs::read_dir(directory)? {
                names.push(
                    entry?
                        .file_name()
                        .into_string()
                        .map_err(|name| not_text(&name))?,
                );
            }
            names.sort_unstable();
            Ok(names)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> BoxFuture<io::Result<()>> {
        let to = to.to_owned();
        self.run(from, move |from| fs::rename(from, to))
    }

    fn publish(&self, temporary: &Path, to: &Path) -> BoxFuture<io::Result<Published>> {
        let to = to.to_owned();
        self.run(temporary, move |temporary| publish(temporary, &to))
    }

    fn remove(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        self.run(path, |path| fs::remove_file(path))
    }

    fn sync_directory(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        self.run(path, sync_directory)
    }
}

/// An open file and the operations that wait for it.
struct FileQueue {
    opened: Opened,
    waiting: Mutex<Waiting>,
}

type Operation = Box<dyn FnOnce(&Opened) + Send>;

#[derive(Default)]
struct Waiting {
    operations: VecDeque<Operation>,
    /// Whether a thread is taking operations out.
    drained: bool,
}

impl FileQueue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an operation; true if the caller must start a thread that drains the queue.
    fn push(&self, operation: Operation) -> bool {
        let mut waiting = self.waiting();
        waiting.operations.push_back(operation);
        !std::mem::replace(&mut waiting.drained, true)
    }

    fn drain(&self) {
        while let Some(operation) = self.next() {
            // An operation that panics has dropped its sender: its caller gets an error, and the
            // operations behind it are carried out.
            let _ = catch_unwind(AssertUnwindSafe(|| operation(&self.opened)));
        }
    }

    fn next(&self) -> Option<Operation> {
        let mut waiting = self.waiting();
        let next = waiting.operations.pop_front();
        waiting.drained = next.is_some();
        next
    }
}

struct RealFile {
    control: Arc<Control>,
    queue: Arc<FileQueue>,
}

impl RealFile {
    fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Opened) -> io::Result<R> + Send + 'static,
    ) -> BoxFuture<io::Result<R>> {
        let (tx, rx) = oneshot::channel();
        let first = self.queue.push(Box::new(move |opened| {
            // The caller may have gone away; then nobody wants the result.
            let _ = tx.send(work(opened));
        }));
        if first {
            let queue = Arc::clone(&self.queue);
            self.control.detached(move || queue.drain());
        }
        answer(&self.control, rx)
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<io::Result<Bytes>> {
        self.run(move |opened| opened.read_at(offset, length))
    }

    fn write_at(&self, offset: u64, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        self.run(move |opened| opened.write_at(offset, &bytes))
    }

    fn append(&self, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        // The end is asked for, not remembered: another handle may have moved it.
        self.run(move |opened| opened.write_at(opened.length()?, &bytes))
    }

    fn sync(&self) -> BoxFuture<io::Result<()>> {
        self.run(|opened| opened.file.sync_all())
    }

    fn length(&self) -> BoxFuture<io::Result<u64>> {
        self.run(Opened::length)
    }
}

/// A file of the operating system.
struct Opened {
    file: File,
    writable: bool,
}

impl Opened {
    fn writable(file: File) -> Self {
        Self {
            file,
            writable: true,
        }
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; length];
        let read = loop {
            match self.file.read_at(&mut buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        buffer.truncate(read);
        Ok(buffer.into())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.file.write_all_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

fn for_writing() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true);
    options
}

/// Opens a file for writing too, if it may be written.
fn open_existing(path: &Path) -> io::Result<Opened> {
    match for_writing().open(path) {
        Ok(file) => Ok(Opened::writable(file)),
        Err(error) if is_read_only(&error) => Ok(Opened {
            file: open_plain(path)?,
            writable: false,
        }),
        Err(error) => Err(error),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::ExecutableFileBusy
    )
}

/// Opens a file for reading and refuses a folder, which the operating system would open.
fn open_plain(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

fn publish(temporary: &Path, to: &Path) -> io::Result<Published> {
    open_plain(temporary)?.sync_all()?;
    match fs::hard_link(temporary, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Published::Exists),
        Err(error) => return Err(error),
    }
    fs::remove_file(temporary)?;
    let (from, to) = (folder(temporary), folder(to));
    sync_directory(&to)?;
    if from != to {
        sync_directory(&from)?;
    }
    Ok(Published::Created)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = File::open(path)?;
    if !directory.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    directory.sync_all()
}

/// The folder that holds a name.
fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn not_text(name: &OsStr) -> io::Error {
    let message = format!("the file name {} is not UTF-8: rename it", name.display());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn answer<R: Send + 'static>(
    control: &Arc<Control>,
    result: oneshot::Receiver<io::Result<R>>,
) -> BoxFuture<io::Result<R>> {
    let control = Arc::clone(control);
    Box::pin(async move {
        let result = result
            .await
            .map_err(|_| io::Error::other("the operation panicked"))?;
        // Whoever waits for the disk keeps the threads that serve it.
        drop(control);
        result
    })
}
