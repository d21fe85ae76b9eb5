//! Verifies row counts and checksums, apart from any timing.
//!
//! Invariant: what is expected stands in `SPECIFICATION.md`; a test compares the two.

use std::io;

use sameriver::JobError;
use thiserror::Error;

use crate::plain::{self, Rows};
use crate::rounds::PARALLELISMS;
use crate::row::Checksum;
use crate::{jobs, table, text_file};

/// Why a bench gives no figure.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A job failed.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The text cannot be written or read.
    #[error("the word-count text: {0}: make room in the folder of temporary files, or set TMPDIR")]
    Text(#[from] io::Error),
    /// The server of the latency bench lost its reader.
    #[error("the server of the latency bench: {0}: look whether the job ended early")]
    Feed(io::Error),
    /// Other rows than specified came out.
    #[error("{what}: {found} instead of {expected}: the engine loses, repeats or changes records")]
    Rows {
        /// Which run.
        what: String,
        /// What the specification says.
        expected: String,
        /// What came out.
        found: String,
    },
}

impl BenchError {
    /// Compares what came out with what is expected.
    ///
    /// # Errors
    /// [`BenchError::Rows`] when they differ.
    pub fn unless_equal<T: PartialEq + ToString + ?Sized>(
        what: &str,
        expected: &T,
        found: &T,
    ) -> Result<(), Self> {
        if expected == found {
            return Ok(());
        }
        Err(Self::Rows {
            what: what.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }
}

/// The specified checksums of the keyed counter: records, rows and checksum.
pub const KEYED_COUNTER: [(u64, &str); 3] = [
    (1_000_000, "1000000 / 318b41a6ec9e86d3"),
    (10_000_000, "10000000 / 0629fee1d3bf6d46"),
    (20_000_000, "20000000 / 6d3e6c92523f0317"),
];
/// The specified checksum of the word count: lines, rows and checksum.
pub const WORD_COUNT: (u64, &str) = (1_000_000, "10000000 / bf052279a3321c96");

/// Runs loop and engine at the specified sizes and tells each result to `report`.
///
/// # Errors
/// [`BenchError`] at the first that is not as specified.
pub fn run(quick: bool, mut report: impl FnMut(&str, &Checksum)) -> Result<(), BenchError> {
    let mut verify = |what: &str, expected: &str, found: Checksum| {
        BenchError::unless_equal(what, expected, &found.to_string())?;
        report(what, &found);
        Ok::<_, BenchError>(())
    };
    let sizes = if quick { 1 } else { KEYED_COUNTER.len() };
    for (records, expected) in &KEYED_COUNTER[..sizes] {
        let what = format!("kc N = {records}");
        let found = plain::keyed_counter(*records, Rows::Hashed);
        verify(&format!("{what}, loop"), expected, found)?;
        for parallelism in PARALLELISMS {
            let found = jobs::keyed_counter(*records, parallelism, Rows::Hashed)?;
            verify(
                &format!("{what}, parallelism {parallelism}"),
                expected,
                found,
            )?;
        }
    }
    let (lines, expected) = WORD_COUNT;
    let text = text_file::path(lines)?;
    let what = format!("wc L = {lines}");
    let found = plain::word_count(text_file::reader(&text)?, Rows::Hashed)?;
    verify(&format!("{what}, loop"), expected, found)?;
    for (name, job) in table::WORD_COUNTS {
        for parallelism in PARALLELISMS {
            let what = format!("{name} L = {lines}, parallelism {parallelism}");
            verify(&what, expected, job(&text, parallelism, Rows::Hashed)?)?;
        }
    }
    Ok(())
}
