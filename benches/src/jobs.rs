//! The specified jobs, written with the public API as a user would write them.
//!
//! Invariant: the settings are the engine's defaults but for the parallelism; nothing in a job
//! knows whether its rows are hashed or timed.

use std::path::Path;

use sameriver::Element;
use sameriver::connectors::{FileSource, Generator};
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
    let rows = sink.clone();
    let job = move |env: &mut Environment| {
        env.source("keys", Generator::sequence(records, spec::key))
            .key_by(|key| *key)
            .sum("count", |_| 1_u64)
            .sink("rows", rows.clone())
    };
    sameriver::run_blocking(job, &settings(parallelism))?;
    Ok(sink.total())
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

fn settings(parallelism: u32) -> Settings {
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
