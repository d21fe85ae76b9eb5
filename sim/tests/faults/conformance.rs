//! The simulated blob store keeps what every store promises.

use std::sync::Arc;

use sameriver_runtime::BlobStore;
use sameriver_sim::{Limits, SimWorld, run_seed};
use sameriver_storage::testing::{self, Store};

fn store(sim: &SimWorld) -> Store {
    let store = sim.node("a").service::<dyn BlobStore>("blob://promises");
    Arc::clone(&store.unwrap())
}

#[test]
fn the_simulated_store_keeps_every_promise_of_a_store() {
    for case in testing::cases() {
        for seed in 0..4 {
            let scenario = move |sim: SimWorld| async move {
                (case.run)(store(&sim)).await;
                Ok(())
            };
            let verdict = run_seed(seed, &Limits::default(), scenario).verdict;
            assert_eq!(verdict, Ok(()), "{} under seed {seed}", case.name);
        }
    }
}

#[test]
fn the_simulated_store_outlives_the_power_cut_of_who_asks() {
    for case in testing::power_cuts() {
        for seed in 0..8 {
            let scenario = move |sim: SimWorld| async move {
                (case.before)(store(&sim)).await;
                sim.restart("a");
                (case.after)(store(&sim)).await;
                Ok(())
            };
            let verdict = run_seed(seed, &Limits::default(), scenario).verdict;
            assert_eq!(verdict, Ok(()), "{} under seed {seed}", case.name);
        }
    }
}
