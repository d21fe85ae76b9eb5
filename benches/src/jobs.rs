//! The specified jobs, written with the public API as a user would write them.
//!
//! Invariant: the settings are the engine's defaults but for the parallelism; nothing in a job
//! knows whether its rows are hashed or timed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sameriver::Element;
use sameriver::connectors::{FileSource, Generator};
use sameriver::operator::sink::Sink;
use sameriver::prelude::*;
use smol_str::SmolStr;

use crate::plain::Rows;
use crate::row::Checksum;
use crate::row_sink::RowSink;
use crate::spec;

/// Runs the keyed counter over `records` records.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn keyed_counter(records: u64, parallelism: u32, rows: Rows) -> Result<Checksum, JobError> {
    let sink = RowSink::new(rows);
    run_keyed_counter(records, &sink, &settings(parallelism))?;
    Ok(sink.total())
}

/// Runs the keyed counter over `records` records into a sink, with these settings.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn run_keyed_counter(
    records: u64,
    sink: &RowSink,
    settings: &Settings,
) -> Result<JobResult, JobError> {
    let sink = sink.clone();
    let job = move |env: &mut Environment| counter(env, records, sink.clone());
    sameriver::run_blocking(job, settings)
}

/// The keyed counter over `records` records into a sink of its rows.
///
/// # Errors
/// [`BuildError`] when the sink does not fit the settings.
pub fn counter(
    env: &mut Environment,
    records: u64,
    sink: impl Sink<(u64, u64)>,
) -> Result<(), BuildError> {
    env.source("keys", Generator::sequence(records, spec::key))
        .key_by(|key| *key)
        .sum("count", |_| 1_u64)
        .sink("rows", sink)
}

/// As [`run_keyed_counter`], but at so many records a second, and a record fails, once, when a part
/// of the rows is committed.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn run_failing_counter(
    (records, rate): (u64, u64),
    sink: &RowSink,
    settings: &Settings,
) -> Result<JobResult, JobError> {
    let (sink, has_failed) = (sink.clone(), Arc::new(AtomicBool::new(false)));
    let job = move |env: &mut Environment| {
        let (fails, has_failed) = (sink.clone(), Arc::clone(&has_failed));
        let keys = Generator::sequence(records, spec::key).rate_per_second(rate);
        env.source("keys", keys)
            .try_map(move |key| {
                if fails.parts() > 0 && !has_failed.swap(true, Ordering::Relaxed) {
                    return Err(UserError::msg("the failure that the bench is about"));
                }
                Ok(key)
            })
            .key_by(|key| *key)
            .sum("count", |_| 1_u64)
            .sink("rows", sink.clone())
    };
    sameriver::run_blocking(job, settings)
}

/// Runs the word count over owned words; the key is a clone of each.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn word_count(text: &Path, parallelism: u32, rows: Rows) -> Result<Checksum, JobError> {
    let (sink, text) = (RowSink::new(rows), text.to_owned());
    let rows = sink.clone();
    let job = move |env: &mut Environment| {
        env.source("text", FileSource::lines(&text))
            .flat_map(words::<String>)
            .key_by(Clone::clone)
            .sum("count", |_| 1_u64)
            .sink("rows", rows.clone())
    };
    sameriver::run_blocking(job, &settings(parallelism))?;
    Ok(sink.total())
}

/// Runs the word count over owned words; the key stays inside the word, which moves into its row.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn word_count_by_ref(text: &Path, parallelism: u32, rows: Rows) -> Result<Checksum, JobError> {
    let (sink, text) = (RowSink::new(rows), text.to_owned());
    let rows = sink.clone();
    let job = move |env: &mut Environment| {
        env.source("text", FileSource::lines(&text))
            .flat_map(words::<String>)
            .key_by_ref(String::as_str)
            .process("count", Count)
            .sink("rows", rows.clone())
    };
    sameriver::run_blocking(job, &settings(parallelism))?;
    Ok(sink.total())
}

/// Runs the same over words that are kept without an allocation while they are short.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn word_count_inline(text: &Path, parallelism: u32, rows: Rows) -> Result<Checksum, JobError> {
    let (sink, text) = (RowSink::new(rows), text.to_owned());
    let rows = sink.clone();
    let job = move |env: &mut Environment| {
        env.source("text", FileSource::lines(&text))
            .flat_map(words::<SmolStr>)
            .key_by_ref(SmolStr::as_str)
            .process("count", Count)
            .sink("rows", rows.clone())
    };
    sameriver::run_blocking(job, &settings(parallelism))?;
    Ok(sink.total())
}

/// The defaults, at this parallelism.
pub fn settings(parallelism: u32) -> Settings {
    Settings {
        parallelism,
        ..Settings::default()
    }
}

fn words<W: for<'a> From<&'a str>>(mut line: String, out: &mut Out<'_, W>) {
    line.make_ascii_lowercase();
    for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        if !word.is_empty() {
            out.emit(W::from(word));
        }
    }
}

/// Gives each word the number of times that it has come.
#[derive(Clone, Copy, Debug)]
struct Count;

impl<W: Element> KeyedProcess<String, W> for Count {
    type Out = (W, u64);
    type States = ValueState<u64>;

    fn states(&self, declare: &mut Declare<'_, String>) -> Result<Self::States, DeclareError> {
        declare.value("count")
    }

    #[inline]
    fn record(
        &self,
        count: &Self::States,
        word: W,
        at: &mut At<'_, String>,
        out: &mut Out<'_, (W, u64)>,
    ) -> Result<(), UserError> {
        let count = count.update(at, |count| {
            let count = count.get_or_insert(0);
            *count += 1;
            *count
        })?;
        out.emit((word, count));
        Ok(())
    }
}
