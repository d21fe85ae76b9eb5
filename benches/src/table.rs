//! The table of throughput: engine against loop, and the bounds that must hold.
//!
//! Invariant: a row names everything that its figures depend on but the commit and the machine,
//! which stand above the table.

use std::fmt;
use std::path::Path;

use crate::check::BenchError;
use crate::pairs::Pairs;
use crate::plain::{self, Rows};
use crate::row::Checksum;
use crate::{jobs, text_file};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Records of the keyed counter.
    pub records: u64,
    /// Lines of the word-count text, ten words each.
    pub lines: u64,
    /// How many pairs of runs.
    pub pairs: usize,
}

impl Size {
    /// The sizes of the published figures.
    pub const FULL: Self = Self {
        records: 10_000_000,
        lines: 1_000_000,
        pairs: 5,
    };
    /// Small enough for every run of the gate; the bounds are not judged.
    pub const QUICK: Self = Self {
        records: 1_000_000,
        lines: 100_000,
        pairs: 3,
    };
}

/// The least ratio to the loop at parallelism 1, by stream.
const RATIO_MIN: [(&str, f64); 3] = [("kc", 0.5), ("wc", 0.25), ("wc by ref", 0.4)];
/// The most CPU a record at parallelism 2, as a multiple of that at 1.
const CPU_GROWTH_MAX: f64 = 1.25;

struct Line {
    stream: &'static str,
    size: String,
    parallelism: u32,
    pairs: Pairs,
}

/// A measured table.
pub struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Measures every stream at parallelism 1 and 2.
    ///
    /// # Errors
    /// [`BenchError`] when a job fails or gives another number of rows than the loop.
    pub fn measure(size: Size) -> Result<Self, BenchError> {
        let text = text_file::path(size.lines)?;
        let mut lines = Vec::new();
        for parallelism in [1, 2] {
            lines.push(Line {
                stream: "kc",
                size: format!("N = {}", size.records),
                parallelism,
                pairs: keyed_counter(size, parallelism)?,
            });
        }
        let owned: Job = jobs::word_count;
        for (stream, job) in [("wc", owned), ("wc by ref", jobs::word_count_by_ref)] {
            for parallelism in [1, 2] {
                lines.push(Line {
                    stream,
                    size: format!("L = {}", size.lines),
                    parallelism,
                    pairs: word_count(size, &text, |text| job(text, parallelism, Rows::Timed))?,
                });
            }
        }
        Ok(Self { lines })
    }

    /// What does not hold, a sentence each.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        for line in &self.lines {
            let Some((_, least)) = RATIO_MIN.iter().find(|(stream, _)| *stream == line.stream)
            else {
                continue;
            };
            let ratio = line.pairs.ratio();
            if line.parallelism == 1 && ratio < *least {
                missed.push(format!(
                    "{}: ratio {ratio:.2} is below {least}",
                    line.stream
                ));
            }
            let growth = self.cpu_growth(line);
            if growth > CPU_GROWTH_MAX {
                missed.push(format!(
                    "{} at parallelism {}: CPU per record is {growth:.2} times that at 1, above \
                     {CPU_GROWTH_MAX}",
                    line.stream, line.parallelism
                ));
            }
        }
        missed
    }

    fn cpu_growth(&self, line: &Line) -> f64 {
        let same = |other: &&Line| other.stream == line.stream && other.parallelism == 1;
        let at_one = self.lines.iter().find(same);
        at_one.map_or(f64::NAN, |one| {
            line.pairs.engine_cpu_nanos() / one.pairs.engine_cpu_nanos()
        })
    }
}

type Job = fn(&Path, u32, Rows) -> Result<Checksum, sameriver::JobError>;

fn keyed_counter(size: Size, parallelism: u32) -> Result<Pairs, BenchError> {
    let records = size.records;
    Pairs::run(
        size.pairs,
        records,
        || {
            let rows = jobs::keyed_counter(records, parallelism, Rows::Timed)?.rows;
            BenchError::unless_equal("kc", &records, &rows)
        },
        || {
            BenchError::unless_equal(
                "kc",
                &records,
                &plain::keyed_counter(records, Rows::Timed).rows,
            )
        },
    )
}

fn word_count(
    size: Size,
    text: &Path,
    engine: impl Fn(&Path) -> Result<Checksum, sameriver::JobError>,
) -> Result<Pairs, BenchError> {
    let words = size.lines * 10;
    Pairs::run(
        size.pairs,
        words,
        || BenchError::unless_equal("wc", &words, &engine(text)?.rows),
        || {
            let rows = plain::word_count(text_file::reader(text)?, Rows::Timed)?.rows;
            BenchError::unless_equal("wc", &words, &rows)
        },
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
        for line in &self.lines {
            let pairs = &line.pairs;
            writeln!(
                f,
                "| {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.2} |",
                line.stream,
                line.size,
                line.parallelism,
                pairs.engine_rate() / 1e6,
                pairs.plain_rate() / 1e6,
                pairs.ratio(),
                pairs.engine_cpu_nanos(),
                pairs.plain_cpu_nanos(),
                self.cpu_growth(line),
            )?;
        }
        Ok(())
    }
}
