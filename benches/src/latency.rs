//! Latency of a socket job, from the instant at which a line was to arrive until the sink has it.
//!
//! Invariant: latency counts from the schedule, not from when a line was really sent, so a job that
//! holds up the server is charged for all lines that wait meanwhile (no coordinated omission).
#![expect(
    clippy::disallowed_types,
    reason = "what is measured here is the real world"
)]

use std::fmt;
use std::time::{Duration, Instant};

use sameriver::connectors::SocketSource;
use sameriver::prelude::*;

use crate::arrivals::{Arrival, Arrivals};
use crate::check::BenchError;
use crate::feed::{Feed, Schedule};

/// How many keys the records are counted by.
const KEYS: u64 = 1024;
/// Lines a second of the slow run.
const SLOW: f64 = 10.0;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// Seconds at ten lines a second.
    pub slow_seconds: u64,
    /// Lines sent to find the highest rate.
    pub lines_at_once: u64,
    /// Seconds at half the highest rate.
    pub half_seconds: u64,
}

impl Spans {
    /// Those of the published figures.
    pub const FULL: Self = Self {
        slow_seconds: 30,
        lines_at_once: 10_000_000,
        half_seconds: 10,
    };
    /// Short enough for every run of the gate.
    pub const QUICK: Self = Self {
        slow_seconds: 3,
        lines_at_once: 1_000_000,
        half_seconds: 2,
    };
}

/// What part of the records came within which time.
#[derive(Clone, Copy, Debug)]
pub struct Percentiles {
    rate: f64,
    records: usize,
    p50: Duration,
    p99: Duration,
    p999: Duration,
    max: Duration,
}

impl Percentiles {
    fn of(mut latencies: Vec<Duration>, rate: f64) -> Self {
        latencies.sort_unstable();
        // The nearest rank: the least latency that at least this part does not exceed.
        let rank = |per_mille: usize| {
            let rank = (latencies.len() * per_mille).div_ceil(1000).max(1);
            latencies.get(rank - 1).copied().unwrap_or_default()
        };
        Self {
            rate,
            records: latencies.len(),
            p50: rank(500),
            p99: rank(990),
            p999: rank(999),
            max: rank(1000),
        }
    }
}

/// Measured latencies.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    max_rate: f64,
    bound: Duration,
    slow: Percentiles,
    half: Percentiles,
}

impl Latency {
    /// Measures at ten lines a second, then at half of the highest rate.
    ///
    /// # Errors
    /// [`BenchError`] when a job fails or loses lines.
    pub fn measure(spans: Spans) -> Result<Self, BenchError> {
        let slow = at_rate(SLOW, spans.slow_seconds)?;
        let max_rate = max_rate(spans.lines_at_once)?;
        let half = at_rate(max_rate / 2.0, spans.half_seconds)?;
        let bound = Settings::default().batch_timeout + Duration::from_millis(10);
        Ok(Self {
            max_rate,
            bound,
            slow,
            half,
        })
    }

    /// What does not hold.
    pub fn missed(&self) -> Vec<String> {
        if self.slow.p99 < self.bound {
            return Vec::new();
        }
        vec![format!(
            "p99 at {SLOW} lines a second is {:?}, not below {:?}",
            self.slow.p99, self.bound
        )]
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "highest rate: {:.2} M lines/s", self.max_rate / 1e6)?;
        writeln!(f)?;
        writeln!(
            f,
            "| lines/s | lines | p50, ms | p99, ms | p99.9, ms | highest, ms |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for run in [self.slow, self.half] {
            let [p50, p99, p999, max] =
                [run.p50, run.p99, run.p999, run.max].map(|latency| latency.as_secs_f64() * 1e3);
            let (rate, records) = (run.rate, run.records);
            writeln!(
                f,
                "| {rate:.0} | {records} | {p50:.2} | {p99:.2} | {p999:.2} | {max:.2} |"
            )?;
        }
        Ok(())
    }
}

fn at_rate(rate: f64, seconds: u64) -> Result<Percentiles, BenchError> {
    let lines = (rate * seconds as f64) as u64;
    let schedule = Schedule {
        rate: Some(rate),
        lines,
    };
    let (start, arrivals) = run(schedule)?;
    let latencies = arrivals.iter().flat_map(|arrival| {
        let since = arrival.at.saturating_duration_since(start);
        let late = move |record: &u64| since.saturating_sub(schedule.instant(*record));
        arrival.records.iter().map(late)
    });
    Ok(Percentiles::of(latencies.collect(), rate))
}

/// Lines a second when the server sends as fast as the job takes them.
fn max_rate(lines: u64) -> Result<f64, BenchError> {
    let (start, arrivals) = run(Schedule { rate: None, lines })?;
    let last = arrivals.iter().map(|arrival| arrival.at).max();
    let spent = last.unwrap_or(start).saturating_duration_since(start);
    Ok(lines as f64 / spent.as_secs_f64())
}

/// Runs the job over all lines; gives the start of the schedule and what the sink saw.
fn run(schedule: Schedule) -> Result<(Instant, Vec<Arrival>), BenchError> {
    let (feed, sink) = (Feed::start(schedule)?, Arrivals::default());
    let (address, arrivals) = (feed.address().to_owned(), sink.clone());
    let job = move |env: &mut Environment| {
        env.source("lines", SocketSource::lines(&address))
            .try_map(|line: String| Ok(line.parse::<u64>()?))
            .key_by(|record| record % KEYS)
            .process("count", Count)
            .sink("arrivals", arrivals.clone())
    };
    sameriver::run_blocking(job, &Settings::default())?;
    let start = feed.join().map_err(BenchError::Feed)?;
    let arrivals = sink.take();
    let found: usize = arrivals.iter().map(|arrival| arrival.records.len()).sum();
    BenchError::unless_equal("latency", &schedule.lines, &(found as u64))?;
    Ok((start, arrivals))
}

/// Gives each record the number of records of its key so far.
#[derive(Clone, Copy, Debug)]
struct Count;

impl KeyedProcess<u64, u64> for Count {
    type Out = (u64, u64);
    type States = ValueState<u64>;

    fn states(&self, declare: &mut Declare<'_, u64>) -> Result<Self::States, DeclareError> {
        declare.value("count")
    }

    fn record(
        &self,
        count: &Self::States,
        record: u64,
        at: &mut At<'_, u64>,
        out: &mut Out<'_, (u64, u64)>,
    ) -> Result<(), UserError> {
        let count = count.update(at, |count| {
            let count = count.get_or_insert(0);
            *count += 1;
            *count
        })?;
        out.emit((record, count));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let latencies = (1..=200).map(Duration::from_millis).collect();
        let percentiles = Percentiles::of(latencies, 1.0);
        assert_eq!(percentiles.p50, Duration::from_millis(100));
        assert_eq!(percentiles.p99, Duration::from_millis(198));
        assert_eq!(percentiles.p999, Duration::from_millis(200));
    }
}
