//! The table of throughput: engine against loop, and the bounds that must hold.
//!
//! Invariant: a row names everything that its figures depend on but the commit and the machine,
//! which stand above the table.

use std::fmt;
use std::path::Path;

use sameriver::JobError;

use crate::check::BenchError;
use crate::plain::{self, Rows};
use crate::rounds::{PARALLELISMS, Rounds};
use crate::row::Checksum;
use crate::{jobs, text_file};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Records of the keyed counter.
    pub records: u64,
    /// Lines of the word-count text, ten words each.
    pub lines: u64,
    /// How many rounds.
    pub rounds: usize,
}

impl Size {
    /// The sizes of the published figures.
    pub const FULL: Self = Self {
        records: 10_000_000,
        lines: 1_000_000,
        rounds: 5,
    };
    /// Small enough for every run of the gate; the bounds are not judged.
    pub const QUICK: Self = Self {
        records: 1_000_000,
        lines: 100_000,
        rounds: 3,
    };
}

/// A job over the word-count text.
pub type WordCount = fn(&Path, u32, Rows) -> Result<Checksum, JobError>;

/// The word counts, by the name of their rows.
pub const WORD_COUNTS: [(&str, WordCount); 3] = [
    ("wc", jobs::word_count),
    ("wc by ref", jobs::word_count_by_ref),
    ("wc by ref, inline words", jobs::word_count_inline),
];

/// A part of what the table is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bounds {
    /// The rate against that of the plain loop, at parallelism 1.
    Ratios,
    /// CPU of a record at parallelism 2 against that at 1.
    Growth,
}

/// The least ratio to the loop at parallelism 1, by stream.
const RATIO_MIN: [(&str, f64); 3] = [("kc", 0.5), ("wc", 0.25), ("wc by ref", 0.4)];
/// The most CPU a record at parallelism 2, as a multiple of that at 1.
const CPU_GROWTH_MAX: f64 = 1.25;

struct Stream {
    name: &'static str,
    size: String,
    rounds: Rounds,
}

/// A measured table.
pub struct Table {
    streams: Vec<Stream>,
}

impl Table {
    /// Measures every stream at parallelism 1 and 2.
    ///
    /// # Errors
    /// [`BenchError`] when a job fails or gives another number of rows than the loop.
    pub fn measure(size: Size) -> Result<Self, BenchError> {
        let text = text_file::path(size.lines)?;
        let mut streams = vec![Stream {
            name: "kc",
            size: format!("N = {}", size.records),
            rounds: keyed_counter(size)?,
        }];
        for (name, job) in WORD_COUNTS {
            streams.push(Stream {
                name,
                size: format!("L = {}", size.lines),
                rounds: word_count(size, &text, job)?,
            });
        }
        Ok(Self { streams })
    }

    /// What of these bounds, or of all, does not hold, a sentence each.
    pub fn missed(&self, judged: Option<Bounds>) -> Vec<String> {
        let judges = |bounds| judged.is_none_or(|only| only == bounds);
        let mut missed = Vec::new();
        for Stream { name, rounds, .. } in &self.streams {
            let ratio = rounds.figures(0).ratio;
            let least = RATIO_MIN.iter().find(|(stream, _)| stream == name);
            if let Some((_, least)) = least
                && ratio < *least
                && judges(Bounds::Ratios)
            {
                missed.push(format!("{name}: ratio {ratio:.2} is below {least}"));
            }
            let growth = rounds.figures(1).cpu_growth;
            if growth > CPU_GROWTH_MAX && judges(Bounds::Growth) {
                missed.push(format!(
                    "{name}: CPU per record at parallelism 2 is {growth:.2} times that at 1, \
                     above {CPU_GROWTH_MAX}"
                ));
            }
        }
        missed
    }
}

fn keyed_counter(size: Size) -> Result<Rounds, BenchError> {
    let records = size.records;
    let same = |found: Checksum| BenchError::unless_equal("kc", &records, &found.rows);
    Rounds::run(
        size.rounds,
        records,
        |parallelism| same(jobs::keyed_counter(records, parallelism, Rows::Timed)?),
        || same(plain::keyed_counter(records, Rows::Timed)),
    )
}

fn word_count(size: Size, text: &Path, job: WordCount) -> Result<Rounds, BenchError> {
    let words = size.lines * 10;
    let same = |found: Checksum| BenchError::unless_equal("wc", &words, &found.rows);
    Rounds::run(
        size.rounds,
        words,
        |parallelism| same(job(text, parallelism, Rows::Timed)?),
        || same(plain::word_count(text_file::reader(text)?, Rows::Timed)?),
    )
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| stream | size | parallelism | engine, M records/s | loop, M records/s | ratio | \
             engine, CPU ns/record | loop, CPU ns/record | engine's CPU against parallelism 1 |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for Stream { name, size, rounds } in &self.streams {
            for (position, parallelism) in PARALLELISMS.iter().enumerate() {
                let figures = rounds.figures(position);
                writeln!(
                    f,
                    "| {name} | {size} | {parallelism} | {:.1} | {:.1} | {:.2} | {:.0} | {:.0} | \
                     {:.2} |",
                    figures.engine_rate / 1e6,
                    figures.plain_rate / 1e6,
                    figures.ratio,
                    figures.engine_cpu_nanos,
                    figures.plain_cpu_nanos,
                    figures.cpu_growth,
                )?;
            }
        }
        Ok(())
    }
}
