//! Transfers: drawn from a number.
//!
//! Invariant: a transfer is a pure function of (seed, partition, offset), and never from an account
//! to itself.

use std::path::PathBuf;

use sameriver::runtime::RandomStream;
use sameriver_cli::JobArguments;
use serde::{Deserialize, Serialize};

use crate::draw::{RecordDraws, generated};
use crate::story::Workload;

/// How many partitions the generator has, whatever the parallelism.
pub const PARTITIONS: u32 = 3;
const ACCOUNTS: u64 = 25;

/// Money that goes from one account to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its partition, and its offset there.
    pub id: (u32, u64),
    /// Who pays.
    pub from: u32,
    /// Who is paid.
    pub to: u32,
    /// How much, in cents.
    pub cents: i64,
}

pub(super) fn transfer(seed: u64, partition: u32, offset: u64) -> Transfer {
    let mut draws = RecordDraws::of(seed, partition, offset);
    let from = draws.below(ACCOUNTS);
    let to = (from + 1 + draws.below(ACCOUNTS - 1)) % ACCOUNTS;
    Transfer {
        id: (partition, offset),
        from: from as u32,
        to: to as u32,
        cents: draws.below(100_000) as i64,
    }
}

/// The transfers of each partition.
pub(super) fn transfers(workload: &Workload) -> Vec<Vec<Transfer>> {
    let arguments = &workload.arguments;
    let seed = arguments.seed.unwrap_or(super::SEED);
    let records = arguments.records.unwrap_or(super::RECORDS);
    generated(PARTITIONS, records, |partition, offset| {
        transfer(seed, partition, offset)
    })
}

pub(super) fn draw(random: &mut RandomStream) -> Workload {
    Workload {
        arguments: JobArguments {
            records: Some(random.between(1, 600)),
            seed: Some(random.next_u64()),
            output: random.chance(500).then(|| PathBuf::from("balances")),
            ..JobArguments::default()
        },
        files: Vec::new(),
    }
}
