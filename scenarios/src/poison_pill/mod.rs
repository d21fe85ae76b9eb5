//! `poison_pill`: texts in, of which some are no numbers; those are left out by one reader, and
//! kept apart with the reason by another.
//!
//! What becomes of a record on which a function fails happens exactly once, whatever else fails.

mod reference;
#[cfg(feature = "sim")]
mod trial;
mod workload;

use std::sync::Arc;

use sameriver::JobResult;
use sameriver::connectors::{CollectedResults, Draws, Generator};
use sameriver::operator::transform::DeadLetter;
use sameriver::prelude::*;
use sameriver_cli::summary::grouped;
use sameriver_cli::{JobArguments, JobFunction, MakeJob, NamedJob};

#[cfg(feature = "sim")]
pub use self::trial::TRIAL;
use crate::story::{Rows, Story};
pub use workload::PARTITIONS;

/// The scenario.
pub const STORY: Story = Story {
    job: NamedJob {
        name: "poison_pill",
        about: "adds up numbers among texts that are none: left out, or kept apart (generated: \
                --records, --seed)",
        make: MakeJob::Given(make),
        show,
    },
    draw: workload::draw,
    reference: reference::rows,
    collected,
};

const RECORDS: u64 = 100_000;
const SEED: u64 = 42;
/// Numbers are added up by their remainder.
const REMAINDERS: u64 = 10;

/// Describes the job: texts in, sums and dead letters out.
///
/// # Errors
/// [`BuildError`] when the settings do not fit.
pub fn poison_pill(env: &mut Environment, arguments: &JobArguments) -> Result<(), BuildError> {
    env.name("poison_pill");
    let seed = arguments.seed.unwrap_or(SEED);
    let each = arguments
        .records
        .unwrap_or(RECORDS)
        .div_ceil(u64::from(PARTITIONS));
    let make = move |partition, offset, _: &mut Draws| workload::text(seed, partition, offset);
    let texts = env.source("texts", Generator::new("texts", PARTITIONS, each, make));
    texts
        .clone()
        .try_map_or_skip(number)
        .name("numbers or nothing")
        .key_by(|number| number % REMAINDERS)
        .sum("sums", |number| *number)
        .collect("sums")?;
    let (numbers, letters) = texts.try_map_or_dead_letter(number);
    numbers.name("numbers or letters").collect("numbers")?;
    letters
        .map(|letter: DeadLetter<String>| letter.record)
        .collect("letters")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "`try_map` hands the record over"
)]
fn number(text: String) -> Result<u64, UserError> {
    Ok(text.parse()?)
}

fn make(arguments: &JobArguments) -> Result<JobFunction, String> {
    crate::story::generated_only("poison_pill", arguments)?;
    if let Some(folder) = &arguments.output {
        return Err(format!(
            "--output {} is no use to poison_pill: it only shows what it found",
            folder.display()
        ));
    }
    let arguments = arguments.clone();
    Ok(Arc::new(move |env| poison_pill(env, &arguments)))
}

fn show(_: &JobArguments, result: &JobResult) -> Result<String, String> {
    let numbers = result.collected::<u64>("numbers");
    let numbers = numbers.map_err(|error| error.to_string())?;
    let letters = result.collected::<String>("letters");
    let letters = letters.map_err(|error| error.to_string())?;
    Ok(format!(
        "{} numbers, {} texts that are none",
        grouped(numbers.len() as u64),
        grouped(letters.len() as u64)
    ))
}

/// The numbers, the letters, and the last sum of each remainder.
fn collected(results: &CollectedResults) -> Result<Rows, String> {
    let take = |name| results.take::<u64>(name).map_err(|error| error.to_string());
    let letters = results.take::<String>("letters");
    let letters = letters.map_err(|error| error.to_string())?;
    let sums = results.take::<(u64, u64)>("sums");
    let sums = sums.map_err(|error| error.to_string())?;
    let numbers = take("numbers")?.into_iter().map(|n| format!("number {n}"));
    let letters = letters.into_iter().map(|text| format!("letter {text}"));
    let mut last = std::collections::BTreeMap::new();
    for (remainder, sum) in &sums {
        let highest = last.entry(*remainder).or_insert(*sum);
        *highest = (*sum).max(*highest);
    }
    let counted = std::iter::once(format!("steps {}", sums.len()));
    let last = last
        .into_iter()
        .map(|(remainder, sum)| format!("sum {remainder} {sum}"));
    Ok(Rows::new(numbers.chain(letters).chain(last).chain(counted)))
}
