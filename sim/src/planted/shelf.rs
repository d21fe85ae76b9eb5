//! All planted bugs of a tree, and which of them are to be tried.
//!
//! Invariant: bugs stand in the order of their ids; a sample depends on the commit alone, and
//! every bug has the same chance in it.
#![expect(
    clippy::disallowed_methods,
    reason = "it reads the files of the repository, outside of any world"
)]

use std::io;
use std::path::Path;

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::planted_bug::{BugError, PlantedBug};

/// Where the planted bugs lie, from the top folder of the repository.
pub const FOLDER: &str = "sim/planted";

/// The planted bugs of a tree.
///
/// ```
/// use sameriver_sim::planted::Shelf;
/// let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
/// let shelf = Shelf::read(&top)?;
/// assert_eq!(shelf.sample(1, "c0ffee").len(), 1);
/// # Ok::<(), sameriver_sim::planted::ShelfError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    bugs: Vec<PlantedBug>,
}

/// Why there are no planted bugs to try.
#[derive(Debug, Error)]
pub enum ShelfError {
    /// The folder or one of its files cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The folder or file.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// A file holds no planted bug.
    #[error(transparent)]
    Bug(#[from] BugError),
    /// The folder holds no file.
    #[error("{FOLDER} holds no planted bug: nothing would be tried")]
    None,
    /// No planted bug of that name.
    #[error("no planted bug {id}: there are {known}")]
    Unknown {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
}

/// Reads a file of the repository as text.
pub(super) fn read(path: &Path) -> Result<String, ShelfError> {
    std::fs::read_to_string(path).map_err(|cause| unreadable(path, cause))
}

fn unreadable(path: &Path, cause: io::Error) -> ShelfError {
    let path = path.display().to_string();
    ShelfError::Unreadable { path, cause }
}

impl Shelf {
    /// Reads `sim/planted/*.toml` below the top folder of a repository.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn read(top: &Path) -> Result<Self, ShelfError> {
        let folder = top.join(FOLDER);
        let mut bugs = Vec::new();
        let entries = std::fs::read_dir(&folder).map_err(|cause| unreadable(&folder, cause))?;
        for entry in entries {
            let path = entry.map_err(|cause| unreadable(&folder, cause))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let id = path.file_stem().unwrap_or_default().to_string_lossy();
                bugs.push(PlantedBug::parse(&id, &read(&path)?)?);
            }
        }
        if bugs.is_empty() {
            return Err(ShelfError::None);
        }
        bugs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { bugs })
    }

    /// All planted bugs.
    pub fn all(&self) -> &[PlantedBug] {
        &self.bugs
    }

    /// The planted bugs of these names, in the order of the ids.
    ///
    /// # Errors
    /// [`ShelfError::Unknown`].
    pub fn named(&self, ids: &[String]) -> Result<Vec<&PlantedBug>, ShelfError> {
        let is_known = |id: &str| self.bugs.iter().any(|bug| bug.id == id);
        if let Some(id) = ids.iter().find(|id| !is_known(id)) {
            let known: Vec<&str> = self.bugs.iter().map(|bug| bug.id.as_str()).collect();
            return Err(ShelfError::Unknown {
                id: id.clone(),
                known: known.join(", "),
            });
        }
        Ok(self
            .bugs
            .iter()
            .filter(|bug| ids.contains(&bug.id))
            .collect())
    }

    /// Up to `count` of the planted bugs, chosen by the hash of a commit.
    pub fn sample(&self, count: usize, commit: &str) -> Vec<&PlantedBug> {
        let lot = |bug: &PlantedBug| xxh3_64(format!("{commit} {}", bug.id).as_bytes());
        let mut drawn: Vec<&PlantedBug> = self.bugs.iter().collect();
        drawn.sort_by_key(|bug| lot(bug));
        drawn.truncate(count);
        drawn.sort_by(|a, b| a.id.cmp(&b.id));
        drawn
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;
    use crate::finding::FindingKind;
    use crate::planted::Oracle;

    fn top() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn shelf(ids: &[&str]) -> Shelf {
        let bug = |id: &&str| PlantedBug {
            id: (*id).to_owned(),
            title: String::new(),
            source: String::new(),
            why: String::new(),
            museum: false,
            expect: Oracle::Kind(FindingKind::Safety),
            unfound: None,
            command: Vec::new(),
            edits: Vec::new(),
        };
        Shelf {
            bugs: ids.iter().map(bug).collect(),
        }
    }

    fn ids(bugs: &[&PlantedBug]) -> Vec<String> {
        bugs.iter().map(|bug| bug.id.clone()).collect()
    }

    #[test]
    fn every_planted_bug_still_finds_its_text_exactly_once() {
        let shelf = Shelf::read(&top()).unwrap();
        let apply = |bug: &PlantedBug| bug.apply(|file| read(&top().join(file))).err();
        let lost: Vec<String> = shelf
            .all()
            .iter()
            .filter_map(apply)
            .map(|e| e.to_string())
            .collect();
        assert!(lost.is_empty(), "{}", lost.join("\n"));
    }

    #[test]
    fn a_sample_depends_on_the_commit_and_reaches_every_bug() {
        let shelf = shelf(&["a", "b", "c", "d"]);
        let drawn = |commit: u32| ids(&shelf.sample(2, &commit.to_string()));
        assert_eq!(drawn(1), drawn(1));
        let reached: BTreeSet<String> = (0..50).flat_map(drawn).collect();
        assert_eq!(reached.len(), 4);
    }

    #[test]
    fn a_sample_has_as_many_bugs_as_asked_for_and_there_are() {
        let shelf = shelf(&["a", "b", "c"]);
        let count = |count| shelf.sample(count, "c0ffee").len();
        assert_eq!([0, 2, 3, 9].map(count), [0, 2, 3, 3]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let shelf = shelf(&["a", "b"]);
        let refused = shelf.named(&["a".to_owned(), "x".to_owned()]).unwrap_err();
        assert_eq!(refused.to_string(), "no planted bug x: there are a, b");
        assert_eq!(ids(&shelf.named(&["b".to_owned()]).unwrap()), ["b"]);
    }

    #[test]
    fn a_folder_without_planted_bugs_is_an_error_and_not_a_pass() {
        let nowhere = Shelf::read(&top().join("nowhere"));
        assert!(matches!(nowhere, Err(ShelfError::Unreadable { .. })));
    }
}
