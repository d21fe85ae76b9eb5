//! The names of a disk, and the journal of changes that are not durable yet.
//!
//! Invariant: the durable names plus the whole journal are the names as they are read now; a power
//! cut keeps a prefix of the journal.

use std::collections::BTreeMap;
use std::io;

use sameriver_runtime::RandomStream;

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
}

/// The names below the working directory, whose own path is empty.
#[derive(Default)]
pub(super) struct Directory {
    names: BTreeMap<String, Name>,
    durable: BTreeMap<String, Name>,
    journal: Vec<(u64, Change)>,
    changes: u64,
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

    pub(super) fn bind(&mut self, path: &str, name: Name) {
        self.change(Change::Bind(path.to_owned(), name));
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.change(Change::Remove(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes += 1;
        self.journal.push((self.changes, change));
    }

    /// The changes that a sync which begins now makes durable.
    pub(super) fn changed(&self) -> u64 {
        self.changes
    }

    /// A sync of a folder has ended: its changes up to this one are durable.
    pub(super) fn synced(&mut self, directory: &str, up_to: u64) {
        let durable = &mut self.durable;
        self.journal.retain(|(ordinal, change)| {
            let now_durable = *ordinal <= up_to && change.touches(directory);
            if now_durable {
                apply(durable, change);
            }
            !now_durable
        });
    }

    /// Makes all names durable as they are.
    pub(super) fn all_durable(&mut self) {
        self.durable.clone_from(&self.names);
        self.journal.clear();
    }

    /// Keeps some first part of the changes that were not synced.
    pub(super) fn cut_power(&mut self, draws: &mut RandomStream) {
        let journal = std::mem::take(&mut self.journal);
        let kept = draws.between(0, journal.len() as u64);
        let kept = usize::try_from(kept).unwrap_or(journal.len());
        for (_, change) in &journal[..kept] {
            apply(&mut self.durable, change);
        }
        // A name whose folder was lost is out of reach.
        let all = self.durable.clone();
        self.durable.retain(|path, _| {
            let above = parent(path);
            above.is_empty() || all.contains_key(above)
        });
        self.names.clone_from(&self.durable);
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
