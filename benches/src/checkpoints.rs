//! What checkpoints cost the keyed counter, and how long they keep its data threads.
//!
//! Invariant: runs with and without checkpoints take turns in one process and differ in nothing
//! else; quotients are taken pair by pair and their median counts. The longest stops come from runs
//! of their own, so that no clock is read between slices while throughput is measured. Of the
//! longest stops of all runs the median counts: a host that takes a core away for a while leaves
//! the other thread without input, and what it walks meanwhile looks like a stop; every run is
//! shown.

use std::fmt;
use std::time::Duration;

use sameriver::{JobResult, Settings};

use crate::check::BenchError;
use crate::jobs;
use crate::plain::Rows;
use crate::rounds::{PARALLELISMS, median};
use crate::row::Checksum;
use crate::row_sink::RowSink;
use crate::stops::{Stop, Stops};
use crate::stopwatch::{Spent, measure};
use crate::store::{Folder, Store};

/// The most that checkpoints may take of the throughput.
const COST_MAX: f64 = 0.15;
/// How long a data thread may work between two slices.
const STOP_MAX: Duration = Duration::from_millis(10);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Records of a run.
    pub records: u64,
    /// Pairs that count, behind one that does not.
    pub pairs: usize,
    /// Pairs whose stops are looked at.
    pub watched: usize,
    /// The time between two checkpoints.
    pub interval: Duration,
}

impl Extent {
    /// What the published figures are about.
    pub const FULL: Self = Self {
        records: 100_000_000,
        pairs: 5,
        watched: 5,
        interval: Duration::from_secs(1),
    };
    /// A minute; the bounds are not judged.
    pub const QUICK: Self = Self {
        records: 20_000_000,
        pairs: 2,
        watched: 1,
        interval: Duration::from_millis(250),
    };

    fn settings(self, parallelism: u32, checkpoints: String) -> Settings {
        Settings {
            checkpoints,
            checkpoint_interval: self.interval,
            ..jobs::settings(parallelism)
        }
    }
}

/// A run without checkpoints and the one with checkpoints beside it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    without: Spent,
    with: Spent,
    checkpoints: u64,
}

impl Pair {
    /// The part of the throughput that is gone.
    fn cost(self) -> f64 {
        1.0 - self.without.wall.as_secs_f64() / self.with.wall.as_secs_f64()
    }

    /// The CPU seconds of the process that come on top for each checkpoint.
    fn cpu(self) -> f64 {
        (self.with.cpu.as_secs_f64() - self.without.cpu.as_secs_f64()) / self.checkpoints as f64
    }
}

/// The longest stops of a run without checkpoints and of the one with checkpoints beside it.
#[derive(Clone, Copy, Debug)]
struct Watched {
    without: Stop,
    with: Stop,
    checkpoints: u64,
}

impl Watched {
    /// CPU time of the data threads that a checkpoint costs.
    fn cost(self) -> Duration {
        let on_top = self.with.worked.saturating_sub(self.without.worked);
        on_top.div_f64(self.checkpoints as f64)
    }
}

/// What one store and parallelism gave.
struct Row {
    store: Store,
    parallelism: u32,
    pairs: Vec<Pair>,
    /// The runs whose stops were looked at.
    watched: Vec<Watched>,
}

/// A measured table.
pub struct Checkpoints {
    extent: Extent,
    rows: Vec<Row>,
}

impl Checkpoints {
    /// Measures both stores at parallelism 1 and 2.
    ///
    /// # Errors
    /// [`BenchError`] when a job fails, loses rows, or takes no checkpoint where it should.
    pub fn measure(extent: Extent) -> Result<Self, BenchError> {
        let mut rows = Vec::new();
        for parallelism in PARALLELISMS {
            for store in [Store::Memory, Store::Files] {
                rows.push(Row::measure(extent, store, parallelism)?);
            }
        }
        Ok(Self { extent, rows })
    }

    /// What does not hold, a sentence each.
    pub fn missed(&self) -> Vec<String> {
        self.rows.iter().flat_map(Row::missed).collect()
    }
}

/// Runs the keyed counter once with checkpoints in memory.
///
/// # Errors
/// [`BenchError`] when the job fails.
pub fn once(extent: Extent, parallelism: u32) -> Result<Checksum, BenchError> {
    let settings = extent.settings(parallelism, "memory:once".to_owned());
    let sink = RowSink::new(Rows::Timed);
    jobs::run_keyed_counter(extent.records, &sink, &settings)?;
    Ok(sink.total())
}

impl Row {
    fn measure(extent: Extent, store: Store, parallelism: u32) -> Result<Self, BenchError> {
        let mut runs = Runs {
            extent,
            store,
            parallelism,
            count: 0,
        };
        let mut pairs = Vec::new();
        let mut watched = Vec::new();
        for number in 0..=extent.pairs + extent.watched {
            let watch = (number > extent.pairs).then(|| [(); 2].map(|()| Stops::default()));
            let [without, with] = runs.pair(watch.as_ref())?;
            let checkpoints = with.0.counts().checkpoints_completed;
            if let Some(watch) = watch {
                let [without, with] = watch.map(|stops| stops.longest());
                watched.push(Watched {
                    without,
                    with,
                    checkpoints,
                });
            } else if number > 0 {
                pairs.push(Pair {
                    without: without.1,
                    with: with.1,
                    checkpoints,
                });
            }
        }
        Ok(Self {
            store,
            parallelism,
            pairs,
            watched,
        })
    }

    fn median(&self, figure: impl Fn(&Pair) -> f64) -> f64 {
        median(self.pairs.iter().map(figure))
    }

    /// The median of a figure of the watched runs, in milliseconds.
    fn watched(&self, figure: impl Fn(&Watched) -> Duration) -> f64 {
        median(self.watched.iter().map(|watched| millis(figure(watched))))
    }

    fn missed(&self) -> Vec<String> {
        let name = format!("{}, parallelism {}", self.store.name(), self.parallelism);
        let mut missed = Vec::new();
        let cost = self.median(|pair| pair.cost());
        if cost > COST_MAX {
            missed.push(format!(
                "{name}: checkpoints cost {:.1} % of the throughput, above {:.0} %",
                cost * 100.0,
                COST_MAX * 100.0
            ));
        }
        let stop = self.watched(|watched| watched.with.cpu);
        if stop >= millis(STOP_MAX) {
            missed.push(format!(
                "{name}: {stop:.2} ms of CPU between two slices, not below {STOP_MAX:?}"
            ));
        }
        missed
    }
}

/// The runs of one row.
struct Runs {
    extent: Extent,
    store: Store,
    parallelism: u32,
    /// How many there were: each has a store of its own.
    count: u32,
}

impl Runs {
    /// One without checkpoints, then one with.
    fn pair(&mut self, watch: Option<&[Stops; 2]>) -> Result<[(JobResult, Spent); 2], BenchError> {
        let [off, on] = watch.map_or([None, None], |[off, on]| [Some(off), Some(on)]);
        let without = self.run(&jobs::settings(self.parallelism), off)?;
        self.count += 1;
        let name = format!("{}-{}-{}", self.store.name(), self.parallelism, self.count);
        let (folder, store) = match self.store {
            Store::Memory => (None, format!("memory:{name}")),
            Store::Files => {
                let folder = Folder::new(&name).map_err(BenchError::Store)?;
                let path = folder.path().display().to_string();
                (Some(folder), path)
            }
        };
        let with = self.run(&self.extent.settings(self.parallelism, store), on)?;
        drop(folder);
        let is_vacuous = with.0.counts().checkpoints_completed == 0;
        if is_vacuous {
            return Err(BenchError::Vacuous("no checkpoint was taken"));
        }
        Ok([without, with])
    }

    fn run(
        &self,
        settings: &Settings,
        stops: Option<&Stops>,
    ) -> Result<(JobResult, Spent), BenchError> {
        let sink = RowSink::new(Rows::Timed);
        let sink = match stops {
            Some(stops) => sink.watched(stops),
            None => sink,
        };
        let records = self.extent.records;
        let (ended, spent) = measure(|| jobs::run_keyed_counter(records, &sink, settings));
        let result = ended?;
        BenchError::unless_equal("kc", &records, &sink.total().rows)?;
        Ok((result, spent))
    }
}

impl fmt::Display for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent {
            records, interval, ..
        } = self.extent;
        writeln!(f, "kc, N = {records}, a checkpoint each {interval:?}")?;
        writeln!(
            f,
            "| store | parallelism | without, M records/s | with, M records/s | cost | cost of \
             each pair, % | checkpoints in a run | CPU of a checkpoint, ms | of it in data \
             threads, ms | longest stop, CPU ms | of each run | on the clock, ms | without \
             checkpoints, CPU ms | of each run | on the clock, ms |"
        )?;
        writeln!(
            f,
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        )?;
        for row in &self.rows {
            row.write(records, f)?;
        }
        Ok(())
    }
}

impl Row {
    fn write(&self, records: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |spent: Spent| spent.rate(records) / 1e6;
        let costs: Vec<String> = self
            .pairs
            .iter()
            .map(|pair| format!("{:.0}", pair.cost() * 100.0))
            .collect();
        let each = |figure: fn(&Watched) -> Duration| -> String {
            let each = self.watched.iter().map(figure);
            let each: Vec<String> = each.map(|time| format!("{:.1}", millis(time))).collect();
            each.join(" ")
        };
        writeln!(
            f,
            "| {} | {} | {:.1} | {:.1} | {:.1} % | {} | {:.0} | {:.0} | {:.0} | {:.2} | {} | \
             {:.1} | {:.2} | {} | {:.1} |",
            self.store.name(),
            self.parallelism,
            self.median(|pair| rate(pair.without)),
            self.median(|pair| rate(pair.with)),
            self.median(|pair| pair.cost()) * 100.0,
            costs.join(" "),
            self.median(|pair| pair.checkpoints as f64),
            self.median(|pair| pair.cpu() * 1e3),
            self.watched(|watched| watched.cost()),
            self.watched(|watched| watched.with.cpu),
            each(|watched| watched.with.cpu),
            self.watched(|watched| watched.with.wall),
            self.watched(|watched| watched.without.cpu),
            each(|watched| watched.without.cpu),
            self.watched(|watched| watched.without.wall),
        )
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
