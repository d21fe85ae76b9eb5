//! `poison_pill` in the simulator: every text is a number or a letter, once.

use sameriver::Replacements;
use sameriver_sim::{Account, ArrivalSchedule, Arrivals, Compared, Finding, Invariant};

use super::workload;
use crate::simulate::{Judged, Trial, each_number_at_least_as_high, each_row_at_least_as_often};
use crate::story::{Rows, Workload};

/// The scenario in the simulator.
pub const TRIAL: Trial = Trial {
    judge,
    is_final: is_text,
    at_least_once: Some(at_least_once),
    without: &[Invariant::Watermark, Invariant::Timer],
    ..Trial::of(&super::STORY, replace)
};

fn replace(workload: &Workload, schedule: ArrivalSchedule) -> Replacements {
    let texts = Arrivals::new("texts", workload::texts(workload), schedule);
    Replacements::new().source("texts", texts)
}

/// Sums are rows of their own while they grow.
fn is_text(row: &str) -> bool {
    row.starts_with("number ") || row.starts_with("letter ")
}

/// Texts come at least as often, sums and their steps are at least as high.
fn at_least_once(rows: &Rows, right: &Rows) -> Result<Compared, Finding> {
    let split = |rows: &Rows| {
        let rows = rows.as_slice().iter().cloned();
        let (texts, sums): (Vec<_>, Vec<_>) = rows.partition(|row| is_text(row));
        (Rows::new(texts), Rows::new(sums))
    };
    let ((texts, sums), (right_texts, right_sums)) = (split(rows), split(right));
    let mut compared = each_row_at_least_as_often(&texts, &right_texts)?;
    compared.items += each_number_at_least_as_high(&sums, &right_sums)?.items;
    Ok(compared)
}

fn judge(seen: &Judged<'_>) -> Result<Vec<Compared>, Finding> {
    let texts = workload::texts(seen.workload).concat().len() as i128;
    let count = |kind: &str| {
        let rows = seen.rows.as_slice().iter();
        rows.filter(|row| row.starts_with(kind)).count() as i128
    };
    let account = Account::of("texts")
        .comes_in("source", texts)
        .goes_out("numbers", count("number "))
        .goes_out("letters", count("letter "));
    Ok(vec![account.judge()?])
}
