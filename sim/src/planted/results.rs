//! What came of planted bugs before, so that a run that was ended goes on where it was.
//!
//! Invariant: a result is used again only for the same engine, the same edits and command, and the
//! same number of seeds. A result that cannot be read or written is no result, and no error.
#![expect(
    clippy::disallowed_methods,
    reason = "it keeps files below the target folder, outside of any world"
)]

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::catch::Catch;
use super::planted_bug::PlantedBug;

/// The results of one tree.
#[derive(Debug)]
pub(super) struct Results {
    folder: PathBuf,
}

impl Results {
    /// The results of the tree with that hash, below `folder`.
    pub(super) fn of(folder: &Path, tree: &str) -> Self {
        let folder = folder.join(tree);
        Self { folder }
    }

    pub(super) fn find(&self, bug: &PlantedBug, seeds: u64) -> Option<Catch> {
        let text = text(&self.path(bug, seeds))?;
        toml::from_str(&text).ok()
    }

    pub(super) fn put(&self, bug: &PlantedBug, seeds: u64, catch: &Catch) {
        if let Ok(text) = toml::to_string(catch) {
            let _ = std::fs::create_dir_all(&self.folder);
            let _ = std::fs::write(self.path(bug, seeds), text);
        }
    }

    /// Takes back what came of a bug, whatever the number of seeds.
    pub(super) fn forget(&self, bug: &PlantedBug) {
        let prefix = format!("{}.", bug.id);
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten() {
            let of_bug = entry.map(|entry| entry.path()).ok().filter(|path| {
                let name = path.file_name().unwrap_or_default();
                name.to_string_lossy().starts_with(&prefix)
            });
            if let Some(path) = of_bug {
                clear(&path);
            }
        }
    }

    fn path(&self, bug: &PlantedBug, seeds: u64) -> PathBuf {
        let (edits, command, kind) = (&bug.edits, &bug.command, bug.expect.kind());
        let what = format!("{edits:?} {command:?} {kind}");
        let hash = xxh3_64(what.as_bytes());
        self.folder.join(format!("{}.{hash:016x}.{seeds}", bug.id))
    }
}

/// Removes a file, if it is there.
pub(super) fn clear(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// The text of a file, if it is there.
pub(super) fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bug(find: &str) -> PlantedBug {
        let text = format!(
            "id = 'x'\ntitle = 't'\nsource = 's'\nwhy = 'w'\nexpect = 'I1'\n\
             [[edit]]\nfile = 'a.rs'\nfind = '{find}'\nreplace = 'bug'"
        );
        PlantedBug::parse("x", &text).unwrap()
    }

    #[test]
    fn a_result_is_found_for_the_same_tree_edits_and_seeds_alone() {
        let name = format!("sameriver-results-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let results = Results::of(&folder, "one");
        let catch = Catch {
            seeds: Some(7),
            caught_by: "I8".parse().ok(),
            ..Catch::default()
        };
        results.put(&bug("a"), 100, &catch);
        let found = [
            results.find(&bug("a"), 100),
            results.find(&bug("b"), 100),
            results.find(&bug("a"), 300),
            Results::of(&folder, "two").find(&bug("a"), 100),
        ];
        results.forget(&bug("a"));
        let forgotten = results.find(&bug("a"), 100);
        // A folder that stays behind does no harm.
        let _ = std::fs::remove_dir_all(folder);
        assert_eq!(found, [Some(catch), None, None, None]);
        assert_eq!(forgotten, None);
    }
}
