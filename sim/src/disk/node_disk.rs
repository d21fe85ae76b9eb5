//! The disk as the engine uses it: each operation takes its time.
//!
//! Invariant: operations take effect in the order of their calls; a sync has its effect when it
//! ends, on what had been written when it began. A life that is over changes nothing any more.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sameriver_runtime::{BoxFuture, Disk, DiskFile, EntryKind, Published};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::directory::Inode;
use super::model::{Cost, DiskModel, SyncTicket, eio, normalise};
use super::{SHARED_FOLDER, VOLUME, is_shared};
use crate::counters::lock;
use crate::fault::{DiskFailure, DiskVerdict, DiskWish, FaultFamily};
use crate::life::{Life, NodeId};
use crate::models::file_store::{self, Cause};
use crate::node_site::NodeSite;
use crate::sim_world::SimWorld;
use crate::trace::Event;

/// What one operation is called, what it works on and what it wants.
struct Operation<'a> {
    name: &'static str,
    on: &'a str,
    digest: u64,
    cost: Cost,
    wish: DiskWish,
}

impl<'a> Operation<'a> {
    fn look(name: &'static str, on: &'a str) -> Self {
        Self::new(name, on, Cost::Light, DiskWish::Look)
    }

    fn name(name: &'static str, on: &'a str) -> Self {
        Self::new(name, on, Cost::Light, DiskWish::Name)
    }

    fn read(name: &'static str, on: &'a str) -> Self {
        Self::new(name, on, Cost::Light, DiskWish::Read)
    }

    fn write(name: &'static str, on: &'a str) -> Self {
        Self::new(name, on, Cost::Light, DiskWish::Write)
    }

    fn sync(name: &'static str, on: &'a str, wish: DiskWish) -> Self {
        Self::new(name, on, Cost::Sync, wish)
    }

    fn new(name: &'static str, on: &'a str, cost: Cost, wish: DiskWish) -> Self {
        let digest = xxh3_64_with_seed(on.as_bytes(), xxh3_64(name.as_bytes()));
        Self {
            name,
            on,
            digest,
            cost,
            wish,
        }
    }

    fn with(mut self, digest: u64) -> Self {
        self.digest = self.digest.rotate_left(1) ^ digest;
        self
    }
}

type Worked<T> = io::Result<(T, Option<SyncTicket>)>;

/// One life's way to its node's disk, and to the shared one.
#[derive(Clone)]
pub(crate) struct NodeDisk {
    world: SimWorld,
    life: Life,
}

impl NodeDisk {
    pub(crate) fn new(world: SimWorld, life: Life) -> Self {
        Self { world, life }
    }

    /// Whose disk a path lies on.
    fn site(&self, path: &str) -> Arc<NodeSite> {
        if is_shared(path) {
            self.world.site(VOLUME)
        } else {
            Arc::clone(self.life.site())
        }
    }

    fn node(&self) -> NodeId {
        self.life.node()
    }

    /// Carries an operation out now and answers when its time has passed.
    fn carry_out<T: Send + 'static>(
        &self,
        busy: Option<&AtomicU64>,
        operation: &Operation<'_>,
        work: impl FnOnce(&mut DiskModel, DiskVerdict) -> Worked<T>,
    ) -> BoxFuture<io::Result<T>> {
        if self.life.is_stale() {
            return Box::pin(std::future::pending());
        }
        self.world
            .trace(self.life.node(), Event::Disk, operation.digest, || {
                format!("{} {}", operation.name, operation.on)
            });
        let site = self.site(operation.on);
        let verdict = lock(self.world.board()).disk(site.name(), operation.wish);
        let mut disk = lock(&site.disk);
        let delay = disk.delay(operation.cost);
        let worked = match verdict.failure {
            Some(DiskFailure::Eio) => Err(eio()),
            Some(DiskFailure::FsyncLost) | None => work(&mut disk, verdict),
        };
        let changed = disk.take_changed();
        drop(disk);
        file_store::note_changes(&self.world, &self.life, Cause::Asked, changed);
        self.count_full(&worked);
        let now = self.world.now_nanos();
        let begin = busy.map_or(now, |busy| busy.load(Ordering::Relaxed).max(now));
        let end = begin.saturating_add(delay);
        let end = end.saturating_add(verdict.delay_nanos);
        if let Some(busy) = busy {
            busy.store(end, Ordering::Relaxed);
        }
        let over = self.world.sleep_until(&self.life, end);
        self.life.guard(async move {
            over.await;
            let (result, ticket) = worked?;
            if let Some(ticket) = ticket {
                lock(&site.disk).finish_sync(&ticket);
            }
            Ok(result)
        })
    }

    fn count_full<T>(&self, worked: &Worked<T>) {
        let full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
        if worked.as_ref().is_err_and(full) {
            lock(self.world.board()).add_effect(FaultFamily::DiskEnospc, 1);
        }
    }

    fn opening(
        &self,
        operation: &Operation<'_>,
        open: impl FnOnce(&mut DiskModel, &str) -> io::Result<Inode>,
    ) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        let (disk, path) = (self.clone(), operation.on.to_owned());
        self.carry_out(None, operation, |model, verdict| {
            if operation.wish == DiskWish::Name {
                model.check_room_for_name(&path, verdict.limit)?;
            }
            let file: Box<dyn DiskFile> = Box::new(SimFile {
                disk,
                inode: open(model, &path)?,
                path,
                busy: AtomicU64::new(0),
            });
            Ok((file, None))
        })
    }

    /// Nothing is renamed from one disk to another.
    fn check_same_disk(from: &str, to: &str) -> io::Result<()> {
        if is_shared(from) == is_shared(to) {
            return Ok(());
        }
        Err(io::ErrorKind::CrossesDevices.into())
    }
}

impl Disk for NodeDisk {
    fn open(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        let path = normalise(path);
        self.opening(&Operation::look("open", &path), |model, path| {
            model.open(path)
        })
    }

    fn create(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        let (path, by) = (normalise(path), self.node());
        self.opening(&Operation::name("create", &path), move |model, path| {
            model.create(by, path)
        })
    }

    fn create_new(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        let (path, by) = (normalise(path), self.node());
        self.opening(&Operation::name("create new", &path), move |model, path| {
            model.create_new(by, path)
        })
    }

    fn create_directories(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        let (path, by) = (normalise(path), self.node());
        let operation = Operation::name("create folders", &path);
        self.carry_out(None, &operation, |model, verdict| {
            model.check_room_for_name(&path, verdict.limit)?;
            Ok((model.create_directories(by, &path)?, None))
        })
    }

    fn entry(&self, path: &Path) -> BoxFuture<io::Result<EntryKind>> {
        let path = normalise(path);
        self.carry_out(None, &Operation::look("entry", &path), |model, _| {
            Ok((model.entry(&path)?, None))
        })
    }

    fn list(&self, directory: &Path) -> BoxFuture<io::Result<Vec<String>>> {
        let path = normalise(directory);
        let has_shared = path.is_empty() && self.world.find_site(VOLUME).is_some();
        self.carry_out(None, &Operation::look("list", &path), |model, _| {
            let mut names = model.list(&path)?;
            if has_shared {
                names.push(SHARED_FOLDER.to_owned());
                names.sort_unstable();
                names.dedup();
            }
            Ok((names, None))
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> BoxFuture<io::Result<()>> {
        let (from, to, by) = (normalise(from), normalise(to), self.node());
        let operation = Operation::look("rename", &from).with(xxh3_64(to.as_bytes()));
        self.carry_out(None, &operation, |model, _| {
            Self::check_same_disk(&from, &to)?;
            Ok((model.rename(by, &from, &to)?, None))
        })
    }

    fn publish(&self, temporary: &Path, to: &Path) -> BoxFuture<io::Result<Published>> {
        let (temporary, to, by) = (normalise(temporary), normalise(to), self.node());
        let operation = Operation::sync("publish", &temporary, DiskWish::Sync);
        let operation = operation.with(xxh3_64(to.as_bytes()));
        self.carry_out(None, &operation, |model, verdict| {
            Self::check_same_disk(&temporary, &to)?;
            if verdict.failure == Some(DiskFailure::FsyncLost) {
                return Err(model.fail_sync(&temporary));
            }
            model.publish(by, &temporary, &to)
        })
    }

    fn remove(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        let (path, by) = (normalise(path), self.node());
        self.carry_out(None, &Operation::look("remove", &path), |model, _| {
            Ok((model.remove(by, &path)?, None))
        })
    }

    fn sync_directory(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        let path = normalise(path);
        let operation = Operation::sync("sync folder", &path, DiskWish::Look);
        self.carry_out(None, &operation, |model, _| {
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
        work: impl FnOnce(&mut DiskModel, DiskVerdict) -> Worked<T>,
    ) -> BoxFuture<io::Result<T>> {
        self.disk.carry_out(Some(&self.busy), operation, work)
    }

    fn write(
        &self,
        operation: &Operation<'_>,
        offset: Option<u64>,
        bytes: &Bytes,
    ) -> BoxFuture<io::Result<()>> {
        let (by, inode) = (self.disk.node(), self.inode);
        self.carry_out(operation, |model, verdict| {
            model.write(by, inode, offset, bytes, verdict.limit)?;
            Ok(((), None))
        })
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<io::Result<Bytes>> {
        let operation = Operation::read("read", &self.path).with(offset);
        self.carry_out(&operation, |model, _| {
            Ok((model.read(self.inode, offset, length), None))
        })
    }

    fn write_at(&self, offset: u64, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        let operation = Operation::write("write", &self.path).with(offset);
        let operation = operation.with(xxh3_64(&bytes));
        self.write(&operation, Some(offset), &bytes)
    }

    fn append(&self, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        let operation = Operation::write("append", &self.path).with(xxh3_64(&bytes));
        self.write(&operation, None, &bytes)
    }

    fn sync(&self) -> BoxFuture<io::Result<()>> {
        let operation = Operation::sync("sync", &self.path, DiskWish::Sync);
        self.carry_out(&operation, |model, verdict| {
            if verdict.failure == Some(DiskFailure::FsyncLost) {
                model.forget(self.inode);
                return Err(eio());
            }
            Ok(((), Some(model.sync_file(self.inode))))
        })
    }

    fn length(&self) -> BoxFuture<io::Result<u64>> {
        let operation = Operation::look("length", &self.path);
        self.carry_out(&operation, |model, _| Ok((model.length(self.inode), None)))
    }
}
