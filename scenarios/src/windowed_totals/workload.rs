//! Events to add up: generated in partitions, or lines of one file.
//!
//! A file is read in splits, in order; its disorder stays within the bound over the whole file, so
//! it does within each split.

use std::path::PathBuf;

use sameriver::runtime::RandomStream;
use sameriver_cli::JobArguments;

use super::event::{Event, Events};
use crate::story::Workload;

/// Draws a generator's seed and length, or a file.
pub(super) fn draw(random: &mut RandomStream) -> Workload {
    let output = random.chance(500).then(|| PathBuf::from("totals"));
    let arguments = JobArguments {
        output,
        ..JobArguments::default()
    };
    if random.chance(600) {
        let (records, seed) = (Some(random.between(0, 1_500)), Some(random.next_u64()));
        let arguments = JobArguments {
            records,
            seed,
            ..arguments
        };
        return Workload {
            arguments,
            files: Vec::new(),
        };
    }
    let (path, seed) = (PathBuf::from("events.csv"), random.next_u64());
    let lines: Vec<String> = (0..random.between(1, 400))
        .map(|offset| Events::seeded(seed).event(0, offset))
        .map(|Event { at, key, amount }| format!("{at},{key},{amount}"))
        .collect();
    let split_bytes = random.chance(700).then(|| random.between(10, 2_000));
    let arguments = JobArguments {
        input: vec![path.clone()],
        split_bytes,
        ..arguments
    };
    Workload {
        arguments,
        files: vec![(path, lines.join("\n").into_bytes())],
    }
}
