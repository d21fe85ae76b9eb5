//! What `session_cart` must give: all puts of a user in the order of time, cut at every gap; shares
//! nothing with the job.

use std::collections::BTreeMap;

use super::workload;
use crate::story::{Rows, Workload};

/// The carts of a workload, as rows.
pub(super) fn rows(workload: &Workload) -> Rows {
    let gap = super::GAP.as_millis() as i64;
    let mut users: BTreeMap<u32, Vec<(i64, u64)>> = BTreeMap::new();
    for put in workload::puts(workload).concat() {
        users.entry(put.user).or_default().push((put.at, put.cents));
    }
    let mut rows = Vec::new();
    for (user, mut puts) in users {
        puts.sort_unstable();
        for cart in puts.chunk_by(|earlier, later| later.0 - earlier.0 < gap) {
            let (first, last) = (cart[0].0, cart[cart.len() - 1].0);
            let cents: u64 = cart.iter().map(|(_, cents)| cents).sum();
            rows.push(format!("{user} {first} {last} {} {cents}", cart.len()));
        }
    }
    Rows::new(rows)
}
