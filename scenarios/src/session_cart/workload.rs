//! Things that are put into carts: drawn from a number.
//!
//! Invariant: a put is a pure function of (seed, partition, offset); in one partition its time is
//! never more than the allowed disorder behind an earlier one's.

use std::path::PathBuf;

use sameriver::runtime::RandomStream;
use sameriver_cli::JobArguments;
use serde::{Deserialize, Serialize};

use crate::draw::{RecordDraws, generated};
use crate::story::Workload;

/// How many partitions the generator has, whatever the parallelism.
pub const PARTITIONS: u32 = 3;
const USERS: u64 = 12;
const START_MILLIS: i64 = 1_700_000_000_000;
/// Event time between two puts of a partition, in milliseconds.
const STEP_MILLIS: i64 = 60;

/// Something is put into a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// When, in milliseconds of event time.
    pub at: i64,
    /// Whose cart.
    pub user: u32,
    /// What it costs.
    pub cents: u64,
}

pub(super) fn put(seed: u64, partition: u32, offset: u64) -> Put {
    let mut draws = RecordDraws::of(seed, partition, offset);
    let disorder = super::DISORDER.as_millis() as u64;
    let ahead = if draws.below(10) < 4 {
        draws.below(disorder + 1)
    } else {
        0
    };
    Put {
        at: START_MILLIS + offset as i64 * STEP_MILLIS + ahead as i64,
        user: draws.below(USERS) as u32,
        cents: draws.below(10_000),
    }
}

/// The puts of each partition.
pub(super) fn puts(workload: &Workload) -> Vec<Vec<Put>> {
    let arguments = &workload.arguments;
    let seed = arguments.seed.unwrap_or(super::SEED);
    let records = arguments.records.unwrap_or(super::RECORDS);
    generated(PARTITIONS, records, |partition, offset| {
        put(seed, partition, offset)
    })
}

pub(super) fn draw(random: &mut RandomStream) -> Workload {
    Workload {
        arguments: JobArguments {
            records: Some(random.between(1, 900)),
            seed: Some(random.next_u64()),
            output: random.chance(500).then(|| PathBuf::from("carts")),
            ..JobArguments::default()
        },
        files: Vec::new(),
    }
}
