//! The names of a disk, and the journal of changes that are not durable yet.
//!
//! Invariant: the durable names plus the whole journal are the names as they are read now; a power
//! cut keeps a prefix of the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sameriver_runtime::RandomStream;

use crate::life::NodeId;

/// A file, whatever its names.
pub(super) type Inode = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    File(Inode),
    Directory,
}

#[derive(Clone, Debug)]
enum Change {
    Bind(String, Name),
    Remove(String),
    Rename(String, String),
}

impl Change {
    fn touches(&self, directory: &str) -> bool {
        match self {
            Self::Bind(path, _) | Self::Remove(path) => parent(path) == directory,
            Self::Rename(from, to) => parent(from) == directory || parent(to) == directory,
        }
    }

    /// The path that it leaves, or removes.
    fn path(&self) -> &str {
        match self {
            Self::Bind(path, _) | Self::Remove(path) | Self::Rename(_, path) => path,
        }
    }

    /// All paths whose names it changes.
    fn paths(&self) -> impl Iterator<Item = &str> {
        let from = match self {
            Self::Rename(from, _) => Some(from.as_str()),
            Self::Bind(..) | Self::Remove(_) => None,
        };
        from.into_iter().chain([self.path()])
    }

    /// Whether it makes a folder above one of these paths.
    fn makes_folder_of(&self, paths: &[String]) -> bool {
        let Self::Bind(folder, Name::Directory) = self else {
            return false;
        };
        let inside = paths
            .iter()
            .filter_map(|path| path.strip_prefix(folder.as_str()));
        inside.into_iter().any(|rest| rest.starts_with('/'))
    }
}

/// A change that is not durable yet.
struct Entry {
    ordinal: u64,
    writer: NodeId,
    change: Change,
}

/// The names below the working directory, whose own path is empty.
#[derive(Default)]
pub(super) struct Directory {
    names: BTreeMap<String, Name>,
    durable: BTreeMap<String, Name>,
    journal: Vec<Entry>,
    changes: u64,
    /// The paths whose names have changed, if somebody asks for them.
    touched: Option<BTreeSet<String>>,
}

impl Directory {
    pub(super) fn get(&self, path: &str) -> io::Result<Name> {
        if path.is_empty() {
            return Ok(Name::Directory);
        }
        if let Some(name) = self.names.get(path) {
            return Ok(*name);
        }
        self.check_parent(path)?;
        Err(io::ErrorKind::NotFound.into())
    }

    pub(super) fn file(&self, path: &str) -> io::Result<Inode> {
        match self.get(path)? {
            Name::File(inode) => Ok(inode),
            Name::Directory => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn check_directory(&self, path: &str) -> io::Result<()> {
        match self.get(path)? {
            Name::Directory => Ok(()),
            Name::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// All folders above a path exist.
    pub(super) fn check_parent(&self, path: &str) -> io::Result<()> {
        let above = parent(path);
        if above.is_empty() {
            return Ok(());
        }
        match self.names.get(above) {
            Some(Name::Directory) => Ok(()),
            Some(Name::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => {
                self.check_parent(above)?;
                Err(io::ErrorKind::NotFound.into())
            }
        }
    }

    pub(super) fn bind(&mut self, writer: NodeId, path: &str, name: Name) {
        self.change(writer, Change::Bind(path.to_owned(), name));
    }

    pub(super) fn remove(&mut self, writer: NodeId, path: &str) {
        self.change(writer, Change::Remove(path.to_owned()));
    }

    pub(super) fn rename(&mut self, writer: NodeId, from: &str, to: &str) {
        self.change(writer, Change::Rename(from.to_owned(), to.to_owned()));
    }

    /// From now on, keeps the paths of the names that change.
    pub(super) fn watch(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// The paths of the names that have changed since the last call; none unless watched.
    pub(super) fn take_touched(&mut self) -> BTreeSet<String> {
        self.touched
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn change(&mut self, writer: NodeId, change: Change) {
        apply(&mut self.names, &change);
        if let Some(touched) = &mut self.touched {
            touched.extend(change.paths().map(str::to_owned));
        }
        self.changes += 1;
        self.journal.push(Entry {
            ordinal: self.changes,
            writer,
            change,
        });
    }

    /// The changes that a sync which begins now makes durable.
    pub(super) fn changed(&self) -> u64 {
        self.changes
    }

    /// A sync of a folder has ended: its changes up to this one are durable.
    pub(super) fn synced(&mut self, directory: &str, up_to: u64) {
        let durable = &mut self.durable;
        self.journal.retain(|entry| {
            let now_durable = entry.ordinal <= up_to && entry.change.touches(directory);
            if now_durable {
                apply(durable, &entry.change);
            }
            !now_durable
        });
    }

    /// Makes all names durable as they are.
    pub(super) fn all_durable(&mut self) {
        self.durable.clone_from(&self.names);
        self.journal.clear();
    }

    /// The power goes: keeps some first part of the changes that were not synced.
    pub(super) fn cut_power(&mut self, draws: &mut RandomStream) {
        let journal = std::mem::take(&mut self.journal);
        let kept = kept_of(journal.len(), draws);
        for entry in &journal[..kept] {
            apply(&mut self.durable, &entry.change);
        }
        drop_orphans(&mut self.durable);
        self.set_names(self.durable.clone());
    }

    /// The power of one writer goes: keeps some first part of what it changed, and all that others
    /// changed; folders in which others work stay.
    pub(super) fn cut_power_of(&mut self, writer: NodeId, draws: &mut RandomStream) {
        let changed = |entry: &&Entry| entry.writer == writer;
        let count = self.journal.iter().filter(changed).count();
        if count == 0 {
            return;
        }
        let kept = kept_of(count, draws);
        let mut seen = 0;
        let journal = std::mem::take(&mut self.journal);
        let theirs: Vec<String> = journal
            .iter()
            .filter(|entry| entry.writer != writer)
            .map(|entry| entry.change.path().to_owned())
            .collect();
        for entry in journal {
            let hurt = entry.writer == writer;
            seen += usize::from(hurt);
            if !hurt || seen <= kept || entry.change.makes_folder_of(&theirs) {
                self.journal.push(entry);
            }
        }
        let mut names = self.durable.clone();
        for entry in &self.journal {
            apply(&mut names, &entry.change);
        }
        drop_orphans(&mut names);
        self.set_names(names);
    }

    /// These are the names that a power cut has left.
    fn set_names(&mut self, names: BTreeMap<String, Name>) {
        let before = std::mem::replace(&mut self.names, names);
        let Some(touched) = &mut self.touched else {
            return;
        };
        let all = before.keys().chain(self.names.keys());
        let changed = all.filter(|path| before.get(*path) != self.names.get(*path));
        touched.extend(changed.cloned());
    }

    /// The names in a folder, in byte order.
    pub(super) fn list(&self, directory: &str) -> Vec<String> {
        let inside = self.names.keys().filter(|path| parent(path) == directory);
        let inside = inside.map(|path| path.rsplit('/').next().unwrap_or(path));
        let mut names: Vec<String> = inside.map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Inode)> {
        self.names.iter().filter_map(|(path, name)| match name {
            Name::File(inode) => Some((path.as_str(), *inode)),
            Name::Directory => None,
        })
    }

    /// The files that the names of now or the durable ones reach.
    pub(super) fn reachable(&self) -> impl Iterator<Item = Inode> {
        let all = self.names.values().chain(self.durable.values());
        all.filter_map(|name| match name {
            Name::File(inode) => Some(*inode),
            Name::Directory => None,
        })
    }
}

fn kept_of(count: usize, draws: &mut RandomStream) -> usize {
    let kept = draws.between(0, count as u64);
    usize::try_from(kept).unwrap_or(count)
}

/// A name whose folder was lost is out of reach.
fn drop_orphans(names: &mut BTreeMap<String, Name>) {
    let mut folders = BTreeSet::new();
    // Folders come before what is in them.
    names.retain(|path, name| {
        let above = parent(path);
        let reached = above.is_empty() || folders.contains(above);
        if reached && *name == Name::Directory {
            folders.insert(path.clone());
        }
        reached
    });
}

fn apply(names: &mut BTreeMap<String, Name>, change: &Change) {
    match change {
        Change::Bind(path, name) => {
            names.insert(path.clone(), *name);
        }
        Change::Remove(path) => {
            names.remove(path);
        }
        Change::Rename(from, to) => {
            if let Some(name) = names.remove(from) {
                names.insert(to.clone(), name);
            }
        }
    }
}

/// The folder of a path; the working directory is the empty path.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}
