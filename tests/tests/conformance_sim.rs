//! The simulated world keeps what every world promises, under many seeds.
//!
//! Invariant: each case runs in a world of its own for each seed, so what it promises does not
//! hang on one order of events.

use std::path::PathBuf;
use std::sync::Arc;

use sameriver_runtime::World;
use sameriver_sim::{Limits, SimWorld, run_seed};
use sameriver_tests::conformance::{Case, Nodes, services};
use sameriver_tests::conformance_tests;

const SEEDS: u64 = 20;
const DIRECTORY: &str = "suite";
/// Parts of the names of the cases whose tasks panic.
const PANICKING: [&str; 2] = ["panicking_task", "group_has_ended"];

struct Simulated(SimWorld);

impl Nodes for Simulated {
    fn world(&self, node: &str) -> World {
        self.0.node(node)
    }

    fn directory(&self) -> PathBuf {
        PathBuf::from(DIRECTORY)
    }
}

fn under_many_seeds(case: Case) {
    for seed in 0..SEEDS {
        let outcome = run_seed(seed, &Limits::default(), move |sim| async move {
            sim.try_offer(services::SCHEME, |site| {
                services::greeter(site.url(), &site.world())
            });
            sim.files("a").preload_directory(DIRECTORY);
            if PANICKING.iter().any(|name| case.name.contains(name)) {
                sim.tolerate_panics();
            }
            // A connection to a node needs the node to be there.
            sim.node("b");
            (case.run)(Arc::new(Simulated(sim))).await;
            Ok(())
        });
        assert_eq!(outcome.verdict, Ok(()), "seed {seed} of {}", case.name);
    }
}

conformance_tests!(under_many_seeds);
