//! The specified jobs, written with the public API as a user would write them.
//!
//! Invariant: the settings are the engine's defaults but for the parallelism; nothing in a job
//! knows whether its rows are hashed or timed.

use std::path::Path;

use sameriver::connectors::{FileSource, Generator};
use sameriver::prelude::*;

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

/// Runs the word count; the key is a clone of each word.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn word_count(text: &Path, parallelism: u32, rows: Rows) -> Result<Checksum, JobError> {
    let (sink, text) = (RowSink::new(rows), text.to_owned());
    let rows = sink.clone();
    let job = move |env: &mut Environment| {
        env.source("text", FileSource::lines(&text))
            .flat_map(words)
            .key_by(Clone::clone)
            .sum("count", |_| 1_u64)
            .sink("rows", rows.clone())
    };
    sameriver::run_blocking(job, &settings(parallelism))?;
    Ok(sink.total())
}

/// Runs the word count; the key stays inside the word, and the word moves on into its row.
///
/// # Errors
/// [`JobError`] when the job fails.
pub fn word_count_by_ref(text: &Path, parallelism: u32, rows: Rows) -> Result<Checksum, JobError> {
    let (sink, text) = (RowSink::new(rows), text.to_owned());
    let rows = sink.clone();
    let job = move |env: &mut Environment| {
        env.source("text", FileSource::lines(&text))
            .flat_map(words)
            .key_by_ref(String::as_str)
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

fn words(mut line: String, out: &mut Out<'_, String>) {
    line.make_ascii_lowercase();
    for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        if !word.is_empty() {
            out.emit(word.to_owned());
        }
    }
}

/// Gives each word the number of times that it has come.
#[derive(Clone, Copy, Debug)]
struct Count;

impl KeyedProcess<String, String> for Count {
    type Out = (String, u64);
    type States = ValueState<u64>;

    fn states(&self, declare: &mut Declare<'_, String>) -> Result<Self::States, DeclareError> {
        declare.value("count")
    }

    #[inline]
    fn record(
        &self,
        count: &Self::States,
        word: String,
        at: &mut At<'_, String>,
        out: &mut Out<'_, (String, u64)>,
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
