//! What output promises where it need not equal the reference: of a job that counts records at
//! least once, and of one that has given up.
//!
//! Invariant: less is promised, never nothing: each comparison is shown to miss a row that lacks.

use std::collections::BTreeMap;

use sameriver_sim::{Compared, CutMode, Finding, Invariant};

use super::trial::Trial;
use crate::story::{Rows, Workload};

/// Compares rows with the reference's where records may count more than once.
pub(super) fn at_least_once(
    trial: &Trial,
    workload: &Workload,
    rows: &Rows,
) -> Result<Compared, Finding> {
    let Some(compare) = trial.at_least_once else {
        return Err(Finding::harness(
            "nothing is promised of this scenario with checkpoint_mode = \"at-least-once\"",
        ));
    };
    let right = (trial.story.reference)(workload);
    let compared = compare(rows, &right)?;
    if let Some((_, fewer)) = right.as_slice().split_first()
        && compare(&Rows::new(fewer.to_vec()), &right).is_ok()
    {
        return Err(Finding::harness(
            "the output is right at least once, and right without its first row too: nothing is \
             compared",
        ));
    }
    Ok(compared)
}

/// Compares what a job had put out when it gave up: each row is one of the reference's, and not
/// more often there.
pub(super) fn of_failed(
    trial: &Trial,
    cut: CutMode,
    workload: &Workload,
    rows: &Rows,
) -> Result<Compared, Finding> {
    let right = (trial.story.reference)(workload);
    let mut left = counted(&right);
    let mut items = 0;
    let promised = rows.as_slice().iter().filter(|row| (trial.is_final)(row));
    // Rows that may count too much promise nothing before the end.
    for row in promised.filter(|_| cut == CutMode::ExactlyOnce) {
        let count = left.get_mut(row.as_str()).filter(|count| **count > 0);
        let Some(count) = count else {
            return Err(Finding::breach(
                Invariant::Output,
                format!(
                    "the job has given up, and the row `{row}` is in its output more often than \
                     in the reference"
                ),
            ));
        };
        *count -= 1;
        items += 1;
    }
    Ok(Compared {
        invariant: Invariant::Output,
        items,
    })
}

/// Compares as a multiset: every row of the reference is there at least as often.
///
/// # Errors
/// [`Finding`] with the first row that is there less often.
pub fn each_row_at_least_as_often(rows: &Rows, right: &Rows) -> Result<Compared, Finding> {
    let got = counted(rows);
    for (row, wanted) in counted(right) {
        let count = got.get(row).copied().unwrap_or(0);
        if count < wanted {
            return Err(lacking(&format!(
                "the row `{row}` is there {count} times, the reference has it {wanted} times"
            )));
        }
    }
    Ok(compared(right))
}

/// Compares rows `key number`, with the key up to the last space: every key of the reference has a
/// number at least as high, and there is no other key.
///
/// # Errors
/// [`Finding`] with the first key that is missing, too low or not in the reference.
pub fn each_number_at_least_as_high(rows: &Rows, right: &Rows) -> Result<Compared, Finding> {
    let (got, wanted) = (highest(rows)?, highest(right)?);
    if let Some(key) = got.keys().find(|key| !wanted.contains_key(*key)) {
        return Err(lacking(&format!("`{key}` is not in the reference")));
    }
    for (key, least) in wanted {
        match got.get(key) {
            Some(number) if *number >= least => {}
            Some(number) => {
                return Err(lacking(&format!(
                    "`{key}` has {number}, the reference has {least}"
                )));
            }
            None => return Err(lacking(&format!("`{key}` is not there"))),
        }
    }
    Ok(compared(right))
}

fn highest(rows: &Rows) -> Result<BTreeMap<&str, u64>, Finding> {
    let mut numbers = BTreeMap::new();
    for row in rows.as_slice() {
        let cells = row.rsplit_once(' ');
        let read = cells.and_then(|(key, number)| Some((key, number.parse::<u64>().ok()?)));
        let (key, number) = read.ok_or_else(|| lacking(&format!("`{row}` has no number")))?;
        let highest = numbers.entry(key).or_insert(number);
        *highest = number.max(*highest);
    }
    Ok(numbers)
}

fn counted(rows: &Rows) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for row in rows.as_slice() {
        *counts.entry(row.as_str()).or_default() += 1;
    }
    counts
}

fn compared(right: &Rows) -> Compared {
    Compared {
        invariant: Invariant::Output,
        items: right.as_slice().len() as u64,
    }
}

fn lacking(what: &str) -> Finding {
    Finding::breach(
        Invariant::Output,
        format!("records count at least once, but {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Rows {
        Rows::new(text.split(',').map(str::to_owned))
    }

    #[test]
    fn rows_may_come_more_often_than_in_the_reference_and_never_less() {
        let right = rows("number 1,number 1,letter a");
        let more = rows("number 1,number 1,number 1,letter a");
        assert!(each_row_at_least_as_often(&more, &right).is_ok());
        let fewer = rows("number 1,letter a,letter a");
        assert!(each_row_at_least_as_often(&fewer, &right).is_err());
    }

    #[test]
    fn numbers_may_be_higher_than_in_the_reference_and_never_lower() {
        let right = rows("a 3,b 4");
        assert!(each_number_at_least_as_high(&rows("a 3,b 9"), &right).is_ok());
        for wrong in ["a 2,b 4", "a 3", "a 3,b 4,c 1", "a 3,b"] {
            assert!(
                each_number_at_least_as_high(&rows(wrong), &right).is_err(),
                "{wrong}"
            );
        }
    }
}
