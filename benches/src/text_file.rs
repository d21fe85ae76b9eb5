//! The word-count text as a file.
//!
//! Invariant: a file of the right name and length has the right bytes; the checksums of the check
//! would show it if not.
#![expect(
    clippy::disallowed_methods,
    reason = "the input is made before any world is there"
)]

use std::fs;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use crate::spec;

/// The path of the text of `lines` lines, which is written first if it is not there.
///
/// # Errors
/// Those of the operating system: the folder of temporary files is full or not writable.
pub fn path(lines: u64) -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join("sameriver-benches");
    let path = folder.join(format!("words-{lines}.txt"));
    let text = spec::text(lines);
    match fs::metadata(&path) {
        Ok(found) if found.len() == text.len() as u64 => return Ok(path),
        Ok(_) | Err(_) => {}
    }
    fs::create_dir_all(&folder)?;
    // Another bench may be reading: the file appears whole or not at all.
    let fresh = folder.join(format!("words-{lines}.{}", std::process::id()));
    fs::write(&fresh, text)?;
    fs::rename(&fresh, &path)?;
    Ok(path)
}

/// Opens a text for a plain loop.
///
/// # Errors
/// Those of the operating system.
pub fn reader(text: &Path) -> io::Result<BufReader<fs::File>> {
    Ok(BufReader::with_capacity(1 << 20, fs::File::open(text)?))
}
