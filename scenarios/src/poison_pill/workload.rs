//! Texts, most of which are numbers: drawn from a number.
//!
//! Invariant: a text is a pure function of (seed, partition, offset).

use sameriver::runtime::RandomStream;
use sameriver_cli::JobArguments;

use crate::draw::{RecordDraws, generated};
use crate::story::Workload;

/// How many partitions the generator has, whatever the parallelism.
pub const PARTITIONS: u32 = 2;

pub(super) fn text(seed: u64, partition: u32, offset: u64) -> String {
    let mut draws = RecordDraws::of(seed, partition, offset);
    let number = draws.below(1_000_000);
    match draws.below(12) {
        0 => format!("{number}x"),
        1 => format!("-{number} of {partition}"),
        _ => number.to_string(),
    }
}

/// The texts of each partition.
pub(super) fn texts(workload: &Workload) -> Vec<Vec<String>> {
    let arguments = &workload.arguments;
    let seed = arguments.seed.unwrap_or(super::SEED);
    let records = arguments.records.unwrap_or(super::RECORDS);
    generated(PARTITIONS, records, |partition, offset| {
        text(seed, partition, offset)
    })
}

pub(super) fn draw(random: &mut RandomStream) -> Workload {
    Workload {
        arguments: JobArguments {
            records: Some(random.between(1, 900)),
            seed: Some(random.next_u64()),
            ..JobArguments::default()
        },
        files: Vec::new(),
    }
}
