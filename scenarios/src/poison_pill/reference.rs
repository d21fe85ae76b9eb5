//! What `poison_pill` must give, by a look at every letter; shares nothing with the job.

use super::workload;
use crate::story::{Rows, Workload};

/// The numbers, the letters, and the sum of each remainder.
pub(super) fn rows(workload: &Workload) -> Rows {
    let (mut rows, mut sums, mut steps) = (Vec::new(), [None; 10], 0);
    for text in workload::texts(workload).concat() {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            rows.push(format!("letter {text}"));
            continue;
        }
        let digit = |sum: u64, byte: u8| sum * 10 + u64::from(byte - b'0');
        let number = text.bytes().fold(0, digit);
        *sums[(number % 10) as usize].get_or_insert(0) += number;
        rows.push(format!("number {number}"));
        steps += 1;
    }
    let present = (0..)
        .zip(sums)
        .filter_map(|(remainder, sum)| Some((remainder, sum?)));
    rows.extend(present.map(|(remainder, sum): (u64, u64)| format!("sum {remainder} {sum}")));
    rows.push(format!("steps {steps}"));
    Rows::new(rows)
}
