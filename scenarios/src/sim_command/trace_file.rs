//! The file of `--trace`.
//!
//! Invariant: it is made before a seed runs: nobody should wait for seeds whose trace has no place.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(super) struct TraceFile {
    path: PathBuf,
    file: File,
}

impl TraceFile {
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of the user's, outside of any world"
    )]
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| unwritten(path, &error))?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    pub(super) fn write(self, lines: &[String]) -> Result<(), String> {
        let mut out = std::io::BufWriter::new(self.file);
        let written = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
        let written = written.and_then(|()| out.flush());
        written.map_err(|error| unwritten(&self.path, &error))
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    format!(
        "cannot write the trace to {path}: {error}: name a file in a folder that may be written"
    )
}
