//! `windowed_totals` in the simulator: what its windows and watermarks promise beside the totals.

use sameriver::Replacements;
use sameriver::model::EventTime;
use sameriver_sim::judge::{self, Windowed};
use sameriver_sim::{Account, ArrivalSchedule, Arrivals, Compared, Finding, Legal};

use super::{DISORDER, WINDOW, reference};
use crate::simulate::{Judged, Trial};
use crate::story::Workload;

/// The scenario in the simulator.
pub const TRIAL: Trial = Trial {
    legal,
    judge,
    ..Trial::of(&super::STORY, replace)
};

fn replace(workload: &Workload, schedule: ArrivalSchedule) -> Replacements {
    let events = Arrivals::new("events", reference::events(workload), schedule);
    Replacements::new().source("events", events)
}

/// Disorder stays within the bound, so no event is late and no clock passes the last event less
/// the bound.
fn legal(workload: &Workload) -> Legal {
    let newest = reference::events(workload)
        .concat()
        .iter()
        .map(|event| event.at)
        .max();
    let bound = DISORDER.as_millis() as i64;
    Legal {
        highest: newest.map(|newest| EventTime::from_millis(newest - bound)),
        none_late: true,
    }
}

fn judge(seen: &Judged<'_>) -> Result<Vec<Compared>, Finding> {
    let events = reference::events(seen.workload).concat();
    let panes: Result<Vec<_>, String> = seen.rows.as_slice().iter().map(|row| pane(row)).collect();
    let panes = panes.map_err(Finding::safety)?;
    let input = events.iter().map(|event| i128::from(event.amount)).sum();
    let output = panes.iter().map(|(_, _, total)| total).sum();
    let account = Account::of("amounts")
        .comes_in("events", input)
        .goes_out("windows", output);
    let windowed = Windowed {
        operator: "totals".to_owned(),
        length_millis: WINDOW.as_millis() as i64,
        lateness_millis: 0,
        input: events
            .iter()
            .map(|e| (e.key, e.at, i128::from(e.amount)))
            .collect(),
        late: Vec::new(),
        panes,
    };
    Ok(vec![
        account.judge()?,
        judge::window(&seen.ran.history, &windowed)?,
    ])
}

/// Reads `start key total`.
fn pane(row: &str) -> Result<(u32, i64, i128), String> {
    let strange = || format!("`{row}` is not `start key total`");
    let mut cells = row.split(' ');
    let mut next = || cells.next().ok_or_else(strange);
    let (start, key, total) = (next()?, next()?, next()?);
    let read = (key.parse().ok(), start.parse().ok(), total.parse().ok());
    match read {
        (Some(key), Some(start), Some(total)) => Ok((key, start, total)),
        _ => Err(strange()),
    }
}
