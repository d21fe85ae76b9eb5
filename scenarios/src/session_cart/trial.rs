//! `session_cart` in the simulator: every thing is in exactly one cart.

use sameriver::Replacements;
use sameriver::model::EventTime;
use sameriver_sim::{Account, ArrivalSchedule, Arrivals, Compared, Finding, Legal};

use super::{DISORDER, workload};
use crate::simulate::{Judged, Trial};
use crate::story::Workload;

/// The scenario in the simulator.
pub const TRIAL: Trial = Trial {
    settle: |settings| settings.checkpoint_markers = true,
    legal,
    judge,
    ..Trial::of(&super::STORY, replace)
};

/// A marker comes this often in simulation, where there are few puts.
const SIMULATED_HOUR: u64 = 40;

fn replace(workload: &Workload, schedule: ArrivalSchedule) -> Replacements {
    let puts = Arrivals::new("puts", workload::puts(workload), schedule);
    let puts = puts.marker_every(SIMULATED_HOUR);
    Replacements::new().source("puts", puts)
}

/// Disorder stays within the bound, so no clock passes the last put less the bound.
fn legal(workload: &Workload) -> Legal {
    let newest = workload::puts(workload)
        .concat()
        .iter()
        .map(|put| put.at)
        .max();
    let bound = DISORDER.as_millis() as i64;
    Legal {
        highest: newest.map(|newest| EventTime::from_millis(newest - bound)),
        none_late: true,
    }
}

fn judge(seen: &Judged<'_>) -> Result<Vec<Compared>, Finding> {
    let puts = workload::puts(seen.workload).concat();
    let things = seen.rows.as_slice().iter().map(|row| {
        let things = row
            .split(' ')
            .nth(3)
            .and_then(|things| things.parse::<i128>().ok());
        things.ok_or_else(|| Finding::safety(format!("`{row}` is no cart")))
    });
    let things = things.sum::<Result<i128, Finding>>()?;
    let account = Account::of("things").comes_in("puts", puts.len() as i128);
    Ok(vec![account.goes_out("carts", things).judge()?])
}
