//! The store of files keeps what every store promises on a simulated disk, power cuts included.
//!
//! Reading order: here the conformance suite → [`cuts`] (a power cut at every instant of a create)
//! → [`chaos`] (random operations of several nodes that crash).
//!
//! Invariant: every seed may keep, drop or tear whatever was not synced.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod chaos;
mod cuts;

use std::path::Path;
use std::sync::Arc;

use sameriver_runtime::World;
use sameriver_sim::{Finding, Limits, SimWorld, run_seed};
use sameriver_storage::{FileBlobs, testing};

const SEEDS: u64 = 40;

fn store(world: &World) -> Arc<FileBlobs> {
    Arc::new(FileBlobs::at(world, Path::new("data/checkpoints")))
}

#[test]
fn a_store_of_files_keeps_every_promise_in_simulation() {
    for case in testing::cases() {
        let scenario = move |sim: SimWorld| async move {
            (case.run)(store(&sim.node("node"))).await;
            Ok::<_, Finding>(())
        };
        for seed in 0..SEEDS {
            let ran = run_seed(seed, &Limits::default(), scenario);
            assert!(
                ran.verdict.is_ok(),
                "{} seed {seed}: {:?}",
                case.name,
                ran.verdict
            );
        }
    }
}

#[test]
fn a_store_of_files_keeps_its_promises_through_power_cuts() {
    for cut in testing::power_cuts() {
        let scenario = move |sim: SimWorld| async move {
            (cut.before)(store(&sim.node("node"))).await;
            sim.restart("node");
            (cut.after)(store(&sim.node("node"))).await;
            Ok::<_, Finding>(())
        };
        for seed in 0..SEEDS {
            let ran = run_seed(seed, &Limits::default(), scenario);
            assert!(
                ran.verdict.is_ok(),
                "{} seed {seed}: {:?}",
                cut.name,
                ran.verdict
            );
        }
    }
}
