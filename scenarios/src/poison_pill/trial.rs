//! `poison_pill` in the simulator: every text is a number or a letter, once.

use sameriver::Replacements;
use sameriver_sim::{Account, ArrivalSchedule, Arrivals, Compared, Finding, Invariant};

use super::workload;
use crate::simulate::{Judged, Trial};
use crate::story::Workload;

/// The scenario in the simulator.
pub const TRIAL: Trial = Trial {
    judge,
    without: &[Invariant::Watermark, Invariant::Timer],
    ..Trial::of(&super::STORY, replace)
};

fn replace(workload: &Workload, schedule: ArrivalSchedule) -> Replacements {
    let texts = Arrivals::new("texts", workload::texts(workload), schedule);
    Replacements::new().source("texts", texts)
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
