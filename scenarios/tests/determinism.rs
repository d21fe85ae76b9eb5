//! A seed fixes a run: alone, in a batch, in reverse order, in another process.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use sameriver_scenarios::simulate;
use sameriver_sim::{Batch, Limits, TraceHash};

const SEEDS: std::ops::Range<u64> = 0..100;

fn hashes(seeds: impl IntoIterator<Item = u64>, jobs: usize) -> BTreeMap<u64, TraceHash> {
    let mut hashes = BTreeMap::new();
    let limits = Limits::default();
    let play = |seed| simulate::play(simulate::drawn_trial(seed), seed, &limits);
    Batch::of(seeds).jobs(jobs).run(play, |outcome| {
        hashes.insert(outcome.seed, outcome.trace_hash);
        true
    });
    hashes
}

#[expect(clippy::disallowed_methods, reason = "a process outside of any world")]
fn in_another_process() -> BTreeMap<u64, TraceHash> {
    let range = format!("{}..{}", SEEDS.start, SEEDS.end);
    let output = Command::new(env!("CARGO_BIN_EXE_sameriver"))
        .args(["sim", "all", "--seeds", &range, "--hashes"])
        .output()
        .expect("the binary starts");
    let text = String::from_utf8(output.stdout).expect("the binary prints text");
    let line = |line: &str| {
        let (seed, hash) = line.split_once(' ')?;
        let hash = u64::from_str_radix(hash, 16)
            .ok()
            .filter(|_| hash.len() == 16)?;
        Some((seed.parse().ok()?, TraceHash::from_u64(hash)))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn a_hundred_seeds_give_a_hundred_hashes_wherever_they_run() {
    let batch = hashes(SEEDS, 2);
    assert_eq!(batch.len(), 100);
    assert_eq!(
        batch.values().collect::<BTreeSet<_>>().len(),
        100,
        "different seeds differ"
    );
    assert_eq!(hashes(SEEDS.rev(), 2), batch, "in reverse order");
    let alone: BTreeMap<_, _> = SEEDS.flat_map(|seed| hashes([seed], 1)).collect();
    assert_eq!(alone, batch, "each alone");
    assert_eq!(in_another_process(), batch, "in another process");
}
