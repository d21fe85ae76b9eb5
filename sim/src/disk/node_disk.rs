//! The disk as the engine uses it: each operation takes its time.
//!
//! Invariant: operations take effect in the order of their calls; a sync has its effect when it
//! ends, on what had been written when it began. A life that is over changes nothing any more.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sameriver_runtime::{BoxFuture, Disk, DiskFile, EntryKind, Published};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::directory::Inode;
use super::model::{Cost, DiskModel, SyncTicket, normalise};
use crate::counters::lock;
use crate::life::Life;
use crate::sim_world::SimWorld;
use crate::trace::Event;

/// What one operation is called and what it works on, for the trace.
struct Operation<'a> {
    name: &'static str,
    on: &'a str,
    digest: u64,
    cost: Cost,
}

impl<'a> Operation<'a> {
    fn light(name: &'static str, on: &'a str) -> Self {
        Self::new(name, on, Cost::Light)
    }

    fn sync(name: &'static str, on: &'a str) -> Self {
        Self::new(name, on, Cost::Sync)
    }

    fn new(name: &'static str, on: &'a str, cost: Cost) -> Self {
        let digest = xxh3_64_with_seed(on.as_bytes(), xxh3_64(name.as_bytes()));
        Self {
            name,
            on,
            digest,
            cost,
        }
    }

    fn with(mut self, digest: u64) -> Self {
        self.digest = self.digest.rotate_left(1) ^ digest;
        self
    }
}

/// One life's way to its node's disk.
#[derive(Clone)]
pub(crate) struct NodeDisk {
    world: SimWorld,
    life: Life,
}

impl NodeDisk {
    pub(crate) fn new(world: SimWorld, life: Life) -> Self {
        Self { world, life }
    }

    /// Carries an operation out now and answers when its time has passed.
    fn carry_out<T: Send + 'static>(
        &self,
        busy: Option<&AtomicU64>,
        operation: &Operation<'_>,
        work: impl FnOnce(&mut DiskModel) -> io::Result<(T, Option<SyncTicket>)>,
    ) -> BoxFuture<io::Result<T>> {
        if self.life.is_stale() {
            return Box::pin(std::future::pending());
        }
        self.world
            .trace(self.life.node(), Event::Disk, operation.digest, || {
                format!("{} {}", operation.name, operation.on)
            });
        let mut disk = lock(&self.life.site().disk);
        let delay = disk.delay(operation.cost);
        let worked = work(&mut disk);
        drop(disk);
        let now = self.world.now_nanos();
        let begin = busy.map_or(now, |busy| busy.load(Ordering::Relaxed).max(now));
        let end = begin.saturating_add(delay);
        if let Some(busy) = busy {
            busy.store(end, Ordering::Relaxed);
        }
        let over = self.world.sleep_until(&self.life, end);
        let life = self.life.clone();
        self.life.guard(async move {
            over.await;
            let (result, ticket) = worked?;
            if let Some(ticket) = ticket {
                lock(&life.site().disk).finish_sync(&ticket);
            }
            Ok(result)
        })
    }

    fn opening(
        &self,
        name: &'static str,
        path: &Path,
        open: impl FnOnce(&mut DiskModel, &str) -> io::Result<Inode>,
    ) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        let path = normalise(path);
        let operation = Operation::light(name, &path);
        let disk = self.clone();
        self.carry_out(None, &operation, |model| {
            let file: Box<dyn DiskFile> = Box::new(SimFile {
                disk,
                inode: open(model, &path)?,
                path: path.clone(),
                busy: AtomicU64::new(0),
            });
            Ok((file, None))
        })
    }
}

impl Disk for NodeDisk {
    fn open(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.opening("open", path, |model, path| model.open(path))
    }

    fn create(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.opening("create", path, DiskModel::create)
    }

    fn create_new(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.opening("create new", path, DiskModel::create_new)
    }

    fn create_directories(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        let path = normalise(path);
        self.carry_out(None, &Operation::light("create folders", &path), |model| {
            Ok((model.create_directories(&path)?, None))
        })
    }

    fn entry(&self, path: &Path) -> BoxFuture<io::Result<EntryKind>> {
        let path = normalise(path);
        self.carry_out(None, &Operation::light("entry", &path), |model| {
            Ok((model.entry(&path)?, None))
        })
    }

    fn list(&self, directory: &Path) -> BoxFuture<io::Result<Vec<String>>> {
        let path = normalise(directory);
        self.carry_out(None, &Operation::light("list", &path), |model| {
            Ok((model.list(&path)?, None))
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> BoxFuture<io::Result<()>> {
        let (from, to) = (normalise(from), normalise(to));
        let operation = Operation::light("rename", &from).with(xxh3_64(to.as_bytes()));
        self.carry_out(None, &operation, |model| {
            Ok((model.rename(&from, &to)?, None))
        })
    }

    fn publish(&self, temporary: &Path, to: &Path) -> BoxFuture<io::Result<Published>> {
        let (temporary, to) = (normalise(temporary), normalise(to));
        let operation = Operation::sync("publish", &temporary).with(xxh3_64(to.as_bytes()));
        self.carry_out(None, &operation, |model| model.publish(&temporary, &to))
    }

    fn remove(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        let path = normalise(path);
        self.carry_out(None, &Operation::light("remove", &path), |model| {
            Ok((model.remove(&path)?, None))
        })
    }

    fn sync_directory(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        let path = normalise(path);
        self.carry_out(None, &Operation::sync("sync folder", &path), |model| {
            Ok(((), Some(model.sync_directory(&path)?)))
        })
    }
}

struct SimFile {
    disk: NodeDisk,
    inode: Inode,
    path: String,
    /// When the last operation on this handle ends.
    busy: AtomicU64,
}

impl SimFile {
    fn carry_out<T: Send + 'static>(
        &self,
        operation: &Operation<'_>,
        work: impl FnOnce(&mut DiskModel, Inode) -> (T, Option<SyncTicket>),
    ) -> BoxFuture<io::Result<T>> {
        let inode = self.inode;
        self.disk
            .carry_out(Some(&self.busy), operation, |model| Ok(work(model, inode)))
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<io::Result<Bytes>> {
        let operation = Operation::light("read", &self.path).with(offset);
        self.carry_out(&operation, |model, inode| {
            (model.read(inode, offset, length), None)
        })
    }

    fn write_at(&self, offset: u64, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        let operation = Operation::light("write", &self.path).with(offset);
        let operation = operation.with(xxh3_64(&bytes));
        self.carry_out(&operation, |model, inode| {
            (model.write(inode, offset, &bytes), None)
        })
    }

    fn append(&self, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        let operation = Operation::light("append", &self.path).with(xxh3_64(&bytes));
        self.carry_out(&operation, |model, inode| {
            (model.append(inode, &bytes), None)
        })
    }

    fn sync(&self) -> BoxFuture<io::Result<()>> {
        let operation = Operation::sync("sync", &self.path);
        self.carry_out(&operation, |model, inode| {
            ((), Some(model.sync_file(inode)))
        })
    }

    fn length(&self) -> BoxFuture<io::Result<u64>> {
        let operation = Operation::light("length", &self.path);
        self.carry_out(&operation, |model, inode| (model.length(inode), None))
    }
}
