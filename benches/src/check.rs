//! Verifies row counts and checksums, apart from any timing.
//!
//! The engine runs plainly, and with checkpoints and a failure that one of them must mend.
//!
//! Invariant: what is expected stands in `SPECIFICATION.md`; a test compares the two.

use std::io;
use std::time::Duration;

use sameriver::{JobCounts, JobError, NodeError, Restart, Settings, StoreError};
use thiserror::Error;

use crate::plain::{self, Rows};
use crate::rounds::PARALLELISMS;
use crate::row::Checksum;
use crate::row_sink::RowSink;
use crate::store::Folder;
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
    /// The folder of a checkpoint store cannot be made.
    #[error("the store: {0}: make room in the folder of temporary files, or set TMPDIR")]
    Store(io::Error),
    /// A process of a cluster cannot be started or struck.
    #[error("a process of the bench: {0}: leave the binary where it was started")]
    Process(io::Error),
    /// A process of a cluster did not do what was waited for.
    #[error("nothing was heard of {what}: look at what was said last:\n{last}")]
    Silent {
        /// What was waited for.
        what: &'static str,
        /// The last lines of all processes.
        last: String,
    },
    /// A process of a cluster gave up.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The checkpoint store cannot be looked into.
    #[error(transparent)]
    Checkpoints(#[from] StoreError),
    /// What was to be measured did not happen.
    #[error("{0}: repeat it while the machine has less to do, and report it if it happens again")]
    Vacuous(&'static str),
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

/// A keyed counter that took checkpoints, failed and was restored.
struct Failed {
    found: Checksum,
    counts: JobCounts,
}

impl Failed {
    /// Takes about a second, so that there are checkpoints before the failure.
    fn run(records: u64, parallelism: u32) -> Result<Self, BenchError> {
        let folder = Folder::new(&format!("check-{parallelism}")).map_err(BenchError::Store)?;
        let settings = Settings {
            checkpoints: folder.path().display().to_string(),
            checkpoint_interval: Duration::from_millis(50),
            restart: Restart::FixedDelay,
            restart_delay: Duration::ZERO,
            ..jobs::settings(parallelism)
        };
        let sink = RowSink::new(Rows::Hashed);
        let ended = jobs::run_failing_counter((records, records), &sink, &settings)?;
        let counts = ended.counts();
        if counts.restored == 0 {
            return Err(BenchError::Vacuous("no checkpoint was restored"));
        }
        let found = sink.total();
        Ok(Self { found, counts })
    }

    fn what(&self, records: u64, parallelism: u32) -> String {
        let JobCounts {
            checkpoints_completed,
            restored,
            ..
        } = self.counts;
        format!(
            "kc N = {records}, parallelism {parallelism}, {checkpoints_completed} checkpoints, \
             {restored} restored"
        )
    }
}

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
    for parallelism in PARALLELISMS {
        let (records, expected) = KEYED_COUNTER[0];
        let failed = Failed::run(records, parallelism)?;
        verify(&failed.what(records, parallelism), expected, failed.found)?;
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
