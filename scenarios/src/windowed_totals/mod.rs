//! `windowed_totals`: out-of-order events, tumbling event-time windows, a total per key and window.
//!
//! Disorder stays within the bound in each split, so no event is late and the totals do not depend
//! on who read which split when.

mod event;
mod reference;
#[cfg(feature = "sim")]
mod trial;
mod workload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sameriver::JobResult;
use sameriver::connectors::{CollectedResults, Draws, FileSink, FileSource, Generator};
use sameriver::prelude::*;
use sameriver_cli::summary::grouped;
use sameriver_cli::{JobArguments, JobFunction, MakeJob, NamedJob};
use serde::{Deserialize, Serialize};

use self::event::Events;
pub use self::event::{Event, PARTITIONS};
#[cfg(feature = "sim")]
pub use self::trial::TRIAL;
use crate::story::{Rows, Story};

/// The scenario.
pub const STORY: Story = Story {
    job: NamedJob {
        name: "windowed_totals",
        about: "totals out-of-order events per key and second (--input lines `time,key,amount`, \
                or generated: --records, --seed, --rate, --keys; --window)",
        make: MakeJob::Given(make),
        show,
    },
    draw: workload::draw,
    reference: reference::rows,
    collected,
};

/// The length of a window when the user does not say.
pub const WINDOW: Duration = Duration::from_secs(1);
/// How far behind the newest event of its split an event may be.
pub const DISORDER: Duration = Duration::from_millis(250);
/// How many events are generated when the user does not say.
const RECORDS: u64 = 100_000;

/// The total of one key in one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowTotal {
    /// The first instant of the window, in milliseconds of event time.
    pub start: i64,
    /// The key.
    pub key: u32,
    /// The sum of the events' amounts.
    pub total: u64,
}

impl fmt::Display for WindowTotal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.start, self.key, self.total)
    }
}

/// Adds up amounts.
#[derive(Clone, Copy, Debug)]
struct Total;

impl Aggregate<Event> for Total {
    type Acc = u64;
    type Out = u64;

    fn create(&self) -> u64 {
        0
    }

    fn add(&self, total: &mut u64, event: &Event) {
        *total = total.saturating_add(event.amount);
    }

    fn result(&self, total: u64) -> u64 {
        total
    }

    fn merge(&self, into: &mut u64, other: u64) {
        *into = into.saturating_add(other);
    }
}

/// Describes the job: events from files or a generator in, totals out.
///
/// # Errors
/// [`BuildError`] when the settings do not fit.
pub fn windowed_totals(env: &mut Environment, arguments: &JobArguments) -> Result<(), BuildError> {
    env.name("windowed_totals");
    let watermarks = Watermarks::bounded(DISORDER).event_time(|event: &Event| event.at);
    let events = if let Some((first, more)) = arguments.input.split_first() {
        let lines = more.iter().fold(FileSource::lines(first), FileSource::and);
        let lines = match arguments.split_bytes {
            Some(bytes) => lines.split_bytes(bytes),
            None => lines,
        };
        env.source("events", lines.parse(event::parse))
            .watermarks(watermarks)
    } else {
        let records = arguments.records.unwrap_or(RECORDS);
        let each = records.div_ceil(u64::from(PARTITIONS));
        let events = Events::of(arguments);
        let make = move |partition, offset, _: &mut Draws| events.event(partition, offset);
        let events = Generator::new("events", PARTITIONS, each, make);
        let events = events.rate_per_second(arguments.rate.unwrap_or(0));
        env.source("events", events).watermarks(watermarks)
    };
    let totals = events
        .key_by(|event| event.key)
        .window(Tumbling::of(arguments.window.unwrap_or(WINDOW)))
        .aggregate("totals", Total)
        .map(|total| WindowTotal {
            start: total.window.start.as_millis(),
            key: total.key,
            total: total.value,
        });
    match &arguments.output {
        Some(folder) => totals.sink("files", FileSink::lines(folder)),
        None => totals.collect("totals"),
    }
}

fn make(arguments: &JobArguments) -> Result<JobFunction, String> {
    let of_generator = [
        ("--records", arguments.records),
        ("--seed", arguments.seed),
        ("--rate", arguments.rate),
        ("--keys", arguments.keys.map(u64::from)),
    ];
    let of_files = [("--split-bytes", arguments.split_bytes)];
    let (without_use, remedy): (&[_], _) = if arguments.input.is_empty() {
        (
            &of_files,
            "is for files: name one with --input, or leave it out",
        )
    } else {
        (
            &of_generator,
            "is for generated input: leave it or --input out",
        )
    };
    if let Some((option, value)) = without_use.iter().find_map(|(o, v)| v.map(|v| (o, v))) {
        return Err(format!("{option} {value} {remedy}"));
    }
    let arguments = arguments.clone();
    Ok(Arc::new(move |env| windowed_totals(env, &arguments)))
}

const SHOWN: usize = 10;

fn show(arguments: &JobArguments, result: &JobResult) -> Result<String, String> {
    if arguments.output.is_some() {
        return Ok(String::new());
    }
    let collected = result.collected::<WindowTotal>("totals");
    let mut totals = collected.map_err(|error| error.to_string())?;
    if totals.is_empty() {
        return Ok("no totals".to_owned());
    }
    totals.sort_by_key(|total| (total.start, total.key));
    let heads = [
        format!("{} totals; the first:", grouped(totals.len() as u64)),
        "  start ms        key     total".to_owned(),
    ];
    let line = |WindowTotal { start, key, total }: &WindowTotal| {
        format!("  {start:<13} {key:>5} {total:>9}")
    };
    let lines: Vec<String> = heads
        .into_iter()
        .chain(totals.iter().take(SHOWN).map(line))
        .collect();
    Ok(lines.join("\n"))
}

fn collected(results: &CollectedResults) -> Result<Rows, String> {
    let totals = results
        .take::<WindowTotal>("totals")
        .map_err(|error| error.to_string())?;
    Ok(Rows::new(totals.iter().map(ToString::to_string)))
}
