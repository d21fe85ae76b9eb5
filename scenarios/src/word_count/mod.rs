//! `word_count`: a real text in, counts out.
//!
//! A word is a maximal run of ASCII letters, digits or `_`, lower-cased. Each word is counted in
//! state under its own key; a timer at the end of time gives the total when the input has ended.

mod reference;
#[cfg(feature = "sim")]
mod trial;
mod workload;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sameriver::JobResult;
use sameriver::connectors::{CollectedResults, FileSink, FileSource};
use sameriver::prelude::*;
use sameriver_cli::summary::grouped;
use sameriver_cli::{JobArguments, JobFunction, MakeJob, NamedJob};
use serde::{Deserialize, Serialize};

use crate::story::{Rows, Story};

#[cfg(feature = "sim")]
pub use self::trial::TRIAL;

/// The scenario.
pub const STORY: Story = Story {
    job: NamedJob {
        name: "word_count",
        about: "counts the words of text files (--input, default LICENSE-APACHE)",
        make: MakeJob::Given(make),
        show,
    },
    draw: workload::draw,
    reference: reference::rows,
    collected,
};

/// How often a word stands in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordTotal {
    /// The word, lower-cased.
    pub word: String,
    /// How often it stands there.
    pub count: u64,
}

impl fmt::Display for WordTotal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.word, self.count)
    }
}

/// Describes the job: text files in, totals out.
///
/// # Errors
/// [`BuildError`] when the settings do not fit.
pub fn word_count(env: &mut Environment, arguments: &JobArguments) -> Result<(), BuildError> {
    env.name("word_count");
    let totals = env
        .source("text", text(arguments))
        .flat_map(words)
        .name("words")
        .key_by_ref(String::as_str)
        .process("totals", CountToTheEnd);
    match &arguments.output {
        Some(folder) => totals.sink("files", FileSink::lines(folder)),
        None => totals.collect("totals"),
    }
}

fn text(arguments: &JobArguments) -> FileSource {
    let mut files = arguments.input.iter();
    let first = files
        .next()
        .map_or("LICENSE-APACHE".as_ref(), PathBuf::as_path);
    let source = files.fold(FileSource::lines(first), FileSource::and);
    match arguments.split_bytes {
        Some(bytes) => source.split_bytes(bytes),
        None => source,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "`flat_map` hands the record over"
)]
fn words(line: String, out: &mut Out<'_, String>) {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    for word in line.split(|letter: char| !letter.is_ascii() || !is_word(letter as u8)) {
        if !word.is_empty() {
            out.emit(word.to_ascii_lowercase());
        }
    }
}

/// Counts a key's records and gives the total when the input has ended.
#[derive(Clone, Copy, Debug)]
struct CountToTheEnd;

impl KeyedProcess<String, String> for CountToTheEnd {
    type Out = WordTotal;
    type States = ValueState<u64>;

    fn states(&self, declare: &mut Declare<'_, String>) -> Result<Self::States, DeclareError> {
        declare.value("count")
    }

    fn record(
        &self,
        count: &Self::States,
        _word: String,
        at: &mut At<'_, String>,
        _out: &mut Out<'_, WordTotal>,
    ) -> Result<(), UserError> {
        let is_first = count.update(at, |count| {
            let count = count.get_or_insert(0);
            *count += 1;
            *count == 1
        })?;
        if is_first {
            at.timer_at(EventTime::MAX)?;
        }
        Ok(())
    }

    fn timer(
        &self,
        count: &Self::States,
        _timer: Timer,
        at: &mut At<'_, String>,
        out: &mut Out<'_, WordTotal>,
    ) -> Result<(), UserError> {
        if let Some(count) = count.update(at, Option::take)? {
            out.emit(WordTotal {
                word: at.key().clone(),
                count,
            });
        }
        Ok(())
    }
}

fn make(arguments: &JobArguments) -> Result<JobFunction, String> {
    let generator = [("--records", arguments.records), ("--seed", arguments.seed)];
    if let Some((option, value)) = generator.iter().find_map(|(o, v)| v.map(|v| (o, v))) {
        return Err(format!(
            "{option} {value} is for generated input, but word_count reads files: leave it out"
        ));
    }
    arguments.refuse("word_count", &["--rate", "--keys", "--window"])?;
    let arguments = arguments.clone();
    Ok(Arc::new(move |env| word_count(env, &arguments)))
}

const SHOWN: usize = 10;

fn show(arguments: &JobArguments, result: &JobResult) -> Result<String, String> {
    if arguments.output.is_some() {
        return Ok(String::new());
    }
    let collected = result.collected::<WordTotal>("totals");
    let mut totals = collected.map_err(|error| error.to_string())?;
    totals.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word)));
    let words: u64 = totals.iter().map(|total| total.count).sum();
    if words == 0 {
        return Ok("no words".to_owned());
    }
    let different = grouped(totals.len() as u64);
    totals.truncate(SHOWN);
    let width = totals.iter().map(|total| total.word.len()).max();
    let width = width.unwrap_or(0);
    let counts = grouped(totals[0].count).len();
    let words = grouped(words);
    let head = format!("{words} words, {different} different; the most frequent:");
    let line = |WordTotal { word, count }| format!("  {word:width$}  {:>counts$}", grouped(count));
    let lines: Vec<String> = std::iter::once(head)
        .chain(totals.into_iter().map(line))
        .collect();
    Ok(lines.join("\n"))
}

fn collected(results: &CollectedResults) -> Result<Rows, String> {
    let totals = results
        .take::<WordTotal>("totals")
        .map_err(|error| error.to_string())?;
    Ok(Rows::new(totals.iter().map(ToString::to_string)))
}
