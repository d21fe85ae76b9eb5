//! Reads the repository's own files, for the tests that hold its rules.
//!
//! Invariant: reads what git would track (no target folder), in ascending order of paths.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests judge the files of the repository itself"
)]

use std::path::{Path, PathBuf};

/// The top folder of the repository.
pub fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the crate lies in the top folder")
        .to_path_buf()
}

/// The text of a file below the top folder.
///
/// # Panics
/// If it cannot be read.
pub fn text(path: &str) -> String {
    let file = top().join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Whether a path below the top folder exists.
pub fn exists(path: &str) -> bool {
    top().join(path).exists()
}

/// The files below the top folder whose name ends with `ending`, as paths from there.
pub fn files(ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(&top(), "", ending, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, prefix: &str, ending: &str, found: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries {
        let entry = entry.expect("an entry of the repository can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}/{name}")
        };
        if entry.path().is_dir() {
            if !matches!(name.as_str(), "target" | ".git") {
                collect(&entry.path(), &path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// The manifests of the workspace: folder and parsed text.
///
/// # Panics
/// If one is not TOML.
pub fn manifests() -> Vec<(String, toml::Table)> {
    let root: toml::Table = text("Cargo.toml").parse().expect("a manifest is TOML");
    let members = root["workspace"]["members"].as_array();
    let members = members.expect("a workspace lists its members").iter();
    let members = members.filter_map(toml::Value::as_str);
    let members = members.map(|folder| format!("{folder}/Cargo.toml"));
    let parsed = members.filter_map(|path| {
        let manifest: toml::Table = text(&path)
            .parse()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let folder = path.trim_end_matches("/Cargo.toml").to_owned();
        manifest
            .contains_key("package")
            .then_some((folder, manifest))
    });
    parsed.collect()
}
