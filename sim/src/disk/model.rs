//! Names and bytes of one disk together.
//!
//! Invariant: it knows neither lives nor time: whoever calls it decides when something happens.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use bytes::Bytes;
use sameriver_runtime::{EntryKind, Published, RandomStream};

use super::directory::{Directory, Inode, Name, parent};
use super::file_body::FileBody;
use crate::life::NodeId;
use crate::node_site::log_between;

/// What an operation costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Memory and a look into a cache.
    Light,
    /// Waits until something is durable.
    Sync,
}

pub(crate) struct DiskModel {
    directory: Directory,
    bodies: BTreeMap<Inode, FileBody>,
    next_inode: Inode,
    draws: RandomStream,
    /// What the scenario has put in: files, and folders without bytes.
    image: BTreeMap<String, Option<Vec<u8>>>,
}

/// Who puts files in before a run; nobody's power takes them away.
const SCENARIO: NodeId = NodeId(u32::MAX);

/// What the system says of a medium that fails; the standard library has no kind for it.
pub(super) fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

/// What a sync that has begun makes durable when it ends.
#[derive(Clone, Debug)]
pub(super) enum SyncTicket {
    File { inode: Inode, up_to: u64 },
    Directory { path: String, up_to: u64 },
}

impl DiskModel {
    pub(crate) fn new(draws: RandomStream) -> Self {
        Self {
            directory: Directory::default(),
            bodies: BTreeMap::new(),
            next_inode: 0,
            draws,
            image: BTreeMap::new(),
        }
    }

    /// Makes this the disk that nodes share.
    pub(crate) fn add_shared_folder(&mut self) {
        let made = self.preload_directory(super::SHARED_FOLDER);
        made.expect("a new disk has room for a folder");
        self.directory.watch();
    }

    /// The paths of the shared disk whose names have changed since the last call, each with the
    /// bytes of its file, if one has that name now.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let touched = self.directory.take_touched().into_iter();
        touched
            .map(|path| (path.clone(), self.file(&path)))
            .collect()
    }

    pub(super) fn delay(&mut self, cost: Cost) -> u64 {
        match cost {
            Cost::Light => log_between(&mut self.draws, 5_000, 200_000),
            Cost::Sync => log_between(&mut self.draws, 100_000, 5_000_000),
        }
    }

    pub(super) fn open(&self, path: &str) -> io::Result<Inode> {
        self.directory.file(path)
    }

    pub(super) fn create(&mut self, by: NodeId, path: &str) -> io::Result<Inode> {
        match self.create_new(by, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let inode = self.directory.file(path)?;
                self.body_mut(inode).truncate(by);
                Ok(inode)
            }
            created => created,
        }
    }

    pub(super) fn create_new(&mut self, by: NodeId, path: &str) -> io::Result<Inode> {
        if self.directory.get(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.directory.check_parent(path)?;
        let inode = self.add(FileBody::default());
        self.directory.bind(by, path, Name::File(inode));
        Ok(inode)
    }

    fn add(&mut self, body: FileBody) -> Inode {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.bodies.insert(inode, body);
        inode
    }

    pub(super) fn create_directories(&mut self, by: NodeId, path: &str) -> io::Result<()> {
        let ends = path.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let part = &path[..end];
            match self.directory.get(part) {
                Ok(Name::Directory) => {}
                Ok(Name::File(_)) if end == path.len() => {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                Ok(Name::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(_) => self.directory.bind(by, part, Name::Directory),
            }
        }
        Ok(())
    }

    pub(super) fn entry(&self, path: &str) -> io::Result<EntryKind> {
        Ok(match self.directory.get(path)? {
            Name::File(inode) => EntryKind::File {
                length: self.body(inode).bytes().len() as u64,
            },
            Name::Directory => EntryKind::Directory,
        })
    }

    pub(super) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.directory.check_directory(path)?;
        Ok(self.directory.list(path))
    }

    pub(super) fn rename(&mut self, by: NodeId, from: &str, to: &str) -> io::Result<()> {
        self.directory.file(from)?;
        self.directory.check_parent(to)?;
        if matches!(self.directory.get(to), Ok(Name::Directory)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.directory.rename(by, from, to);
        Ok(())
    }

    pub(super) fn remove(&mut self, by: NodeId, path: &str) -> io::Result<()> {
        self.directory.file(path)?;
        self.directory.remove(by, path);
        Ok(())
    }

    /// Gives a file its final name now; the name is durable when the ticket is redeemed.
    pub(super) fn publish(
        &mut self,
        by: NodeId,
        temporary: &str,
        to: &str,
    ) -> io::Result<(Published, Option<SyncTicket>)> {
        let inode = self.directory.file(temporary)?;
        self.directory.check_parent(to)?;
        if self.directory.get(to).is_ok() {
            return Ok((Published::Exists, None));
        }
        let file = self.sync_file(inode);
        // The bytes are durable before the name is: first of the four steps of `publish`.
        self.finish_sync(&file);
        self.directory.bind(by, to, Name::File(inode));
        self.directory.remove(by, temporary);
        let folder = SyncTicket::Directory {
            path: parent(to).to_owned(),
            up_to: self.directory.changed(),
        };
        Ok((Published::Created, Some(folder)))
    }

    pub(super) fn sync_directory(&self, path: &str) -> io::Result<SyncTicket> {
        self.directory.check_directory(path)?;
        Ok(SyncTicket::Directory {
            path: path.to_owned(),
            up_to: self.directory.changed(),
        })
    }

    pub(super) fn sync_file(&self, inode: Inode) -> SyncTicket {
        let up_to = self.body(inode).written();
        SyncTicket::File { inode, up_to }
    }

    pub(super) fn finish_sync(&mut self, ticket: &SyncTicket) {
        match ticket {
            SyncTicket::File { inode, up_to } => self.body_mut(*inode).synced(*up_to),
            SyncTicket::Directory { path, up_to } => self.directory.synced(path, *up_to),
        }
    }

    pub(super) fn read(&self, inode: Inode, offset: u64, length: usize) -> Bytes {
        self.body(inode).read(offset, length)
    }

    /// Writes at an offset, or behind the last byte; a disk that may hold only `limit` bytes takes
    /// a first part and says that it is full.
    pub(super) fn write(
        &mut self,
        by: NodeId,
        inode: Inode,
        offset: Option<u64>,
        bytes: &Bytes,
        limit: Option<u64>,
    ) -> io::Result<()> {
        let length = self.length(inode);
        let offset = offset.unwrap_or(length);
        let end = offset.saturating_add(bytes.len() as u64);
        let growth = end.saturating_sub(length.max(offset));
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.used_bytes()));
        let missing = usize::try_from(growth.saturating_sub(room)).unwrap_or(usize::MAX);
        let taken = bytes.slice(..bytes.len().saturating_sub(missing));
        self.body_mut(inode).write(by, offset, &taken);
        if missing > 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// A disk that holds all the bytes that it may takes no new name either.
    pub(super) fn check_room_for_name(&self, path: &str, limit: Option<u64>) -> io::Result<()> {
        let is_full = limit.is_some_and(|limit| self.used_bytes() >= limit);
        if is_full && self.directory.get(path).is_err() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// How many bytes all files have together.
    pub(crate) fn used_bytes(&self) -> u64 {
        let inodes: BTreeSet<Inode> = self.directory.files().map(|(_, inode)| inode).collect();
        inodes.into_iter().map(|inode| self.length(inode)).sum()
    }

    pub(super) fn length(&self, inode: Inode) -> u64 {
        self.body(inode).bytes().len() as u64
    }

    fn body(&self, inode: Inode) -> &FileBody {
        self.bodies
            .get(&inode)
            .expect("an open file keeps its bytes")
    }

    fn body_mut(&mut self, inode: Inode) -> &mut FileBody {
        let body = self.bodies.get_mut(&inode);
        body.expect("an open file keeps its bytes")
    }

    /// A sync of a file has failed: its bytes count as clean and are not durable.
    pub(super) fn fail_sync(&mut self, path: &str) -> io::Error {
        if let Ok(inode) = self.directory.file(path) {
            self.forget(inode);
        }
        eio()
    }

    /// What was written to a file counts as clean and is not durable.
    pub(super) fn forget(&mut self, inode: Inode) {
        let body = self.body_mut(inode);
        body.forget(body.written());
    }

    /// What is left when the power goes.
    pub(crate) fn cut_power(&mut self) {
        for body in self.bodies.values_mut() {
            body.cut_power(None, &mut self.draws);
        }
        self.directory.cut_power(&mut self.draws);
        let reachable: BTreeSet<Inode> = self.directory.reachable().collect();
        self.bodies.retain(|inode, _| reachable.contains(inode));
    }

    /// What is left when the power of one of those goes that use a shared disk.
    pub(crate) fn cut_power_of(&mut self, node: NodeId) {
        for body in self.bodies.values_mut() {
            body.cut_power(Some(node), &mut self.draws);
        }
        self.directory.cut_power_of(node, &mut self.draws);
    }

    /// Another disk is in its place: empty, but for what the scenario has put in.
    pub(crate) fn wipe(&mut self) {
        self.directory = Directory::default();
        self.bodies.clear();
        for (path, bytes) in std::mem::take(&mut self.image) {
            let done = match bytes {
                Some(bytes) => self.preload(&path, bytes),
                None => self.preload_directory(&path),
            };
            done.expect("what was put in once can be put in again");
        }
    }

    /// Puts a durable file in, with the folders above it.
    pub(super) fn preload(&mut self, path: &str, bytes: Vec<u8>) -> io::Result<()> {
        if !parent(path).is_empty() {
            self.create_directories(SCENARIO, parent(path))?;
        }
        self.image.insert(path.to_owned(), Some(bytes.clone()));
        let inode = self.add(FileBody::durable(bytes));
        self.directory.bind(SCENARIO, path, Name::File(inode));
        self.directory.all_durable();
        Ok(())
    }

    pub(super) fn preload_directory(&mut self, path: &str) -> io::Result<()> {
        self.create_directories(SCENARIO, path)?;
        self.image.insert(path.to_owned(), None);
        self.directory.all_durable();
        Ok(())
    }

    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        let inode = self.directory.file(path).ok()?;
        Some(self.body(inode).bytes().to_vec())
    }

    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.directory.files();
        files
            .map(|(path, inode)| (path.to_owned(), self.body(inode).bytes().to_vec()))
            .collect()
    }
}

/// A path as the model keeps it: names joined by `/`, without `.` and `..`; the root of an
/// absolute path is the working directory.
pub(crate) fn normalise(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    parts.join("/")
}
