//! What `bank_transfer` must give, by one pass over all transfers; shares nothing with the job.

use std::collections::BTreeMap;

use super::workload;
use crate::story::{Rows, Workload};

/// The balances of a workload, as rows.
pub(super) fn rows(workload: &Workload) -> Rows {
    let mut accounts: BTreeMap<u32, (u64, i64)> = BTreeMap::new();
    for transfer in workload::transfers(workload).concat() {
        for (account, cents) in [
            (transfer.from, -transfer.cents),
            (transfer.to, transfer.cents),
        ] {
            let account = accounts.entry(account).or_default();
            account.0 += 1;
            account.1 += cents;
        }
    }
    let row =
        |(account, (bookings, cents)): (&u32, &(u64, i64))| format!("{account} {bookings} {cents}");
    Rows::new(accounts.iter().map(row))
}
