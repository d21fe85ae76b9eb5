//! A copy of the tree, in which mistakes are made.
//!
//! Invariant: after [`TreeCopy::plant`] the copy is the tree with the edits of one planted bug and
//! nothing else. A file whose text stays the same is not written, so that cargo builds anew only
//! what changed. Does not know what is built from it.
#![expect(
    clippy::disallowed_methods,
    reason = "it copies the files of the repository, outside of any world"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use super::planted_bug::{BugError, PlantedBug};

/// What decides how a planted bug runs, and what of that does not.
const INSIDE: [&str; 5] = ["engine/", "sim/", "scenarios/", "Cargo.", ".cargo/"];
const OUTSIDE: [&str; 4] = [
    "sim/planted/",
    "sim/src/planted/",
    "sim/src/bin/",
    "sim/tests/",
];

/// The copy of a tree.
#[derive(Debug)]
pub struct TreeCopy {
    copy: PathBuf,
    /// The files of the tree when it was read, by their paths from its top folder.
    files: BTreeMap<String, Vec<u8>>,
    /// Held while this copy is in use.
    _lock: Lock,
}

/// Why there is no copy, or no planted bug in it.
#[derive(Debug, Error)]
pub enum CopyError {
    /// A file or folder cannot be read, written or removed.
    #[error("cannot use {path}: {cause}")]
    File {
        /// The file or folder.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Git does not say which files there are.
    #[error("git does not list the files of {top}: {cause}: run this inside a clone")]
    List {
        /// The top folder.
        top: String,
        /// What git said.
        cause: String,
    },
    /// Another run uses the same copy.
    #[error("{path} is in use: wait for the other run to end")]
    InUse {
        /// The folder of the copy.
        path: String,
    },
    /// An edit cannot be made.
    #[error(transparent)]
    Bug(#[from] BugError),
    /// An edit names a file that the tree lacks.
    #[error("planted bug {id} edits {file}, which is no text file of the tree: name one that is")]
    Missing {
        /// The planted bug.
        id: String,
        /// The file.
        file: String,
    },
}

fn failed(path: &Path, cause: io::Error) -> CopyError {
    let path = path.display().to_string();
    CopyError::File { path, cause }
}

impl TreeCopy {
    /// Reads the tree below `top`: what git tracks, and what is new and not ignored. The copy is
    /// made in `folder` when a bug is planted; one that is there already is used again.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn of(top: &Path, folder: &Path) -> Result<Self, CopyError> {
        let copy = folder.join("tree");
        std::fs::create_dir_all(&copy).map_err(|cause| failed(&copy, cause))?;
        let lock = lock(folder)?;
        let mut files = BTreeMap::new();
        for path in listed(top)? {
            let file = top.join(&path);
            // What was removed and not committed is listed too.
            if file.is_file() {
                let bytes = std::fs::read(&file).map_err(|cause| failed(&file, cause))?;
                files.insert(path, bytes);
            }
        }
        Ok(Self {
            copy,
            files,
            _lock: lock,
        })
    }

    /// The top folder of the copy.
    pub fn top(&self) -> &Path {
        &self.copy
    }

    /// Makes the copy the tree with the edits of `bug`.
    ///
    /// # Errors
    /// [`CopyError`].
    pub fn plant(&self, bug: &PlantedBug) -> Result<(), CopyError> {
        let changed = bug.apply(|file| self.text(bug, file))?;
        let changed: BTreeMap<String, String> = changed.into_iter().collect();
        for path in self.strangers()? {
            std::fs::remove_file(&path).map_err(|cause| failed(&path, cause))?;
        }
        for (path, bytes) in &self.files {
            let edited = changed.get(path).map(String::as_bytes);
            self.write(path, edited.unwrap_or(bytes))?;
        }
        Ok(())
    }

    /// The hash of all that decides how a planted bug runs: engine, simulator and scenarios.
    pub fn engine_hash(&self) -> String {
        let decides = |path: &str| {
            let is_inside = INSIDE.iter().any(|inside| path.starts_with(inside));
            is_inside && !OUTSIDE.iter().any(|outside| path.starts_with(outside))
        };
        let mut hash = Xxh3::new();
        for (path, bytes) in self.files.iter().filter(|(path, _)| decides(path)) {
            hash.update(&(path.len() as u64).to_le_bytes());
            hash.update(path.as_bytes());
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        format!("{:032x}", hash.digest128())
    }

    fn text(&self, bug: &PlantedBug, file: &str) -> Result<String, CopyError> {
        let bytes = self.files.get(file);
        let text = bytes.and_then(|bytes| String::from_utf8(bytes.clone()).ok());
        text.ok_or_else(|| CopyError::Missing {
            id: bug.id.clone(),
            file: file.to_owned(),
        })
    }

    /// Writes a file, unless it says the same already: cargo goes by the time of the last write.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), CopyError> {
        let file = self.copy.join(path);
        if std::fs::read(&file).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(&self.copy);
        std::fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
        std::fs::write(&file, bytes).map_err(|cause| failed(&file, cause))
    }

    /// The files of an earlier copy that the tree does not have any more.
    fn strangers(&self) -> Result<Vec<PathBuf>, CopyError> {
        let mut strangers = Vec::new();
        let mut folders = vec![self.copy.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).map_err(|cause| failed(&folder, cause))?;
            for entry in entries {
                let path = entry.map_err(|cause| failed(&folder, cause))?.path();
                let inside = path.strip_prefix(&self.copy);
                let inside = inside
                    .expect("what a folder lists lies in it")
                    .to_string_lossy();
                if path.is_dir() {
                    folders.push(path);
                } else if !self.files.contains_key(&*inside) {
                    strangers.push(path);
                }
            }
        }
        Ok(strangers)
    }
}

/// Says that a copy is in use, to other processes too.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A child of this process may hold the file open for a moment longer than we do. What
        // cannot be unlocked is unlocked when the process ends.
        let _ = self.0.unlock();
    }
}

fn lock(folder: &Path) -> Result<Lock, CopyError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|cause| failed(&path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(CopyError::InUse {
            path: folder.display().to_string(),
        }),
        Err(std::fs::TryLockError::Error(cause)) => Err(failed(&path, cause)),
    }
}

fn listed(top: &Path) -> Result<Vec<String>, CopyError> {
    let refused = |cause: String| CopyError::List {
        top: top.display().to_string(),
        cause,
    };
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(top)
        .output()
        .map_err(|cause| refused(cause.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(refused(said.trim().to_owned()));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = names.split('\0').filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with two files and an ignored one, and a folder for its copy.
    struct Rig {
        folder: PathBuf,
    }

    impl Rig {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir();
            let folder = folder.join(format!("sameriver-planted-{name}-{}", std::process::id()));
            let rig = Self { folder };
            std::fs::create_dir_all(rig.tree().join("src")).unwrap();
            let git = Command::new("git")
                .args(["init", "-q"])
                .current_dir(rig.tree())
                .status();
            assert!(git.unwrap().success());
            rig.put("src/a.rs", "one");
            rig.put("src/b.rs", "two");
            rig.put(".gitignore", "ignored");
            rig.put("ignored", "big");
            rig
        }

        fn tree(&self) -> PathBuf {
            self.folder.join("original")
        }

        fn put(&self, path: &str, text: &str) {
            std::fs::write(self.tree().join(path), text).unwrap();
        }

        fn copy(&self) -> TreeCopy {
            TreeCopy::of(&self.tree(), &self.folder.join("copies")).unwrap()
        }

        fn copied(&self, path: &str) -> Option<String> {
            std::fs::read_to_string(self.folder.join("copies/tree").join(path)).ok()
        }

        fn written(&self, path: &str) -> impl PartialEq + std::fmt::Debug {
            let file = self.folder.join("copies/tree").join(path);
            std::fs::metadata(file).unwrap().modified().unwrap()
        }
    }

    impl Drop for Rig {
        fn drop(&mut self) {
            // A folder that stays behind does no harm.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    fn bug(file: &str, find: &str) -> PlantedBug {
        let text = format!(
            "id = 'x'\ntitle = 't'\nsource = 's'\nwhy = 'w'\nexpect = 'safety'\n\
             [[edit]]\nfile = '{file}'\nfind = '{find}'\nreplace = 'bug'"
        );
        PlantedBug::parse("x", &text).unwrap()
    }

    #[test]
    fn the_copy_is_the_tree_with_the_edits_and_without_ignored_files() {
        let rig = Rig::new("edits");
        rig.copy().plant(&bug("src/a.rs", "one")).unwrap();
        let copied = ["src/a.rs", "src/b.rs", "ignored"].map(|path| rig.copied(path));
        assert_eq!(
            copied,
            [Some("bug".to_owned()), Some("two".to_owned()), None]
        );
        assert_eq!(
            std::fs::read_to_string(rig.tree().join("src/a.rs")).unwrap(),
            "one"
        );
    }

    #[test]
    fn the_next_bug_takes_back_the_one_before() {
        let rig = Rig::new("back");
        let copy = rig.copy();
        copy.plant(&bug("src/a.rs", "one")).unwrap();
        copy.plant(&bug("src/b.rs", "two")).unwrap();
        let copied = ["src/a.rs", "src/b.rs"].map(|path| rig.copied(path).unwrap());
        assert_eq!(copied, ["one", "bug"]);
    }

    #[test]
    fn what_stays_the_same_is_not_written_again() {
        let rig = Rig::new("same");
        let copy = rig.copy();
        copy.plant(&bug("src/a.rs", "one")).unwrap();
        let before = rig.written("src/b.rs");
        copy.plant(&bug("src/a.rs", "one")).unwrap();
        assert_eq!(rig.written("src/b.rs"), before);
    }

    #[test]
    fn a_file_that_left_the_tree_leaves_the_copy() {
        let rig = Rig::new("left");
        rig.copy().plant(&bug("src/a.rs", "one")).unwrap();
        std::fs::remove_file(rig.tree().join("src/b.rs")).unwrap();
        rig.copy().plant(&bug("src/a.rs", "one")).unwrap();
        assert_eq!(rig.copied("src/b.rs"), None);
    }

    #[test]
    fn the_hash_is_of_what_decides_a_run_alone() {
        let rig = Rig::new("hash");
        let hash_after = |path: &str, text: &str| {
            rig.put(path, text);
            rig.copy().engine_hash()
        };
        let first = hash_after("Cargo.toml", "one");
        assert_eq!(hash_after("src/a.rs", "other"), first);
        assert_ne!(hash_after("Cargo.toml", "two"), first);
        assert_eq!(hash_after("Cargo.toml", "one"), first);
    }

    #[test]
    fn a_second_run_does_not_touch_a_copy_in_use() {
        let rig = Rig::new("lock");
        let first = rig.copy();
        let second = TreeCopy::of(&rig.tree(), &rig.folder.join("copies"));
        assert!(matches!(second, Err(CopyError::InUse { .. })));
        drop(first);
        rig.copy();
    }

    #[test]
    fn a_text_or_file_that_is_gone_is_an_error_with_the_id_and_the_file() {
        let rig = Rig::new("gone");
        let copy = rig.copy();
        for (file, find) in [("src/a.rs", "two"), ("src/c.rs", "one")] {
            let error = copy.plant(&bug(file, find)).unwrap_err().to_string();
            assert!(error.contains(" x") && error.contains(file), "{error}");
        }
    }
}
