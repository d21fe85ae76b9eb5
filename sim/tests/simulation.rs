//! A user's job under faults, by the front door of the simulator.

use std::collections::BTreeMap;

use sameriver::prelude::*;
use sameriver_sim::Simulation;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Click {
    user: u32,
    at: i64,
}

fn clicks(count: u32) -> Vec<Click> {
    let click = |n: u32| Click {
        user: n % 7,
        at: i64::from(n) * 10,
    };
    (0..count).map(click).collect()
}

/// Totals per user, in state and with a timer at the end.
fn clicks_per_user(env: &mut Environment) -> Result<(), BuildError> {
    env.source("clicks", Elements::of(Vec::<Click>::new()))
        .key_by(|click| click.user)
        .sum("totals", |_| 1_u64)
        .collect("totals")
}

fn running_totals(clicks: &[Click]) -> Vec<(u32, u64)> {
    let mut totals: BTreeMap<u32, u64> = BTreeMap::new();
    let row = |click: &Click| {
        let total = totals.entry(click.user).or_default();
        *total += 1;
        (click.user, *total)
    };
    clicks.iter().map(row).collect()
}

#[test]
fn a_right_job_survives_faults() {
    let tally = Simulation::of(clicks_per_user)
        .source("clicks", clicks(300))
        .sink::<(u32, u64)>("totals")
        .exactly_once_against(running_totals)
        .seeds(0..100)
        .try_run();
    let tally = tally.unwrap_or_else(|report| panic!("{report}"));
    assert!(tally.checkpoints > 20 && tally.effects() > 0, "{tally:?}");
}
