//! I11: windows hold what the recorded watermarks let them hold.
//!
//! Lateness depends on timing, so the reference follows the recorded verdicts: records that the
//! job itself gave out as late are left out, all others must be in the windows; that the verdicts
//! were right is shown by the recorded clocks.
//!
//! Invariant: windows are made here by a division, not by the engine's assigner.

use std::collections::BTreeMap;
use std::fmt::Debug;

use sameriver_model::{EventTime, Watermark};

use super::history::{Fact, History};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// Tumbling windows of an operator and what came of them.
#[derive(Clone, Debug)]
pub struct Windowed<K> {
    /// The operator that has the windows.
    pub operator: String,
    /// The length of a window, in milliseconds of event time.
    pub length_millis: i64,
    /// How long a window waits for late records, in milliseconds of event time.
    pub lateness_millis: i64,
    /// All input: key, event time in milliseconds, amount.
    pub input: Vec<(K, i64, i128)>,
    /// The records that were given out as late, in committed output.
    pub late: Vec<(K, i64, i128)>,
    /// The last total of each window in committed output: key, start, total.
    pub panes: Vec<(K, i64, i128)>,
}

/// Compares the panes with the windows of all records that were not late.
///
/// # Errors
/// [`Finding`] with the first pane that is wrong, too early, missing or doubled, or the first
/// record whose lateness no clock bears out.
pub fn window<K: Ord + Clone + Debug>(
    history: &History,
    windowed: &Windowed<K>,
) -> Result<Compared, Finding> {
    let newest = newest_clock(history, &windowed.operator);
    let mut input = counted(&windowed.input);
    for record in &windowed.late {
        let (key, time, _) = record;
        let Some(count) = input.get_mut(record).filter(|count| **count > 0) else {
            return Err(breach(format!(
                "a late record of key {key:?} at {time} is more than the input has"
            )));
        };
        *count -= 1;
        let closes = last_instant(windowed, *time).saturating_add(windowed.lateness_millis);
        if newest.is_none_or(|clock| clock.time() < EventTime::from_millis(closes)) {
            return Err(breach(format!(
                "a record of key {key:?} at {time} was given out as late, but no clock of {} ever \
                 reached {closes}",
                windowed.operator
            )));
        }
    }
    let mut wanted: BTreeMap<(K, i64), i128> = BTreeMap::new();
    for ((key, time, amount), count) in input {
        if count > 0 {
            let start = time.div_euclid(windowed.length_millis) * windowed.length_millis;
            *wanted.entry((key, start)).or_default() += amount * i128::from(count);
        }
    }
    let items = windowed.panes.len() as u64;
    for (key, start, total) in &windowed.panes {
        let right = wanted.remove(&(key.clone(), *start));
        if right != Some(*total) {
            return Err(breach(format!(
                "the window of key {key:?} at {start} has the total {total}; right is {right:?}"
            )));
        }
        let last = EventTime::from_millis(last_instant(windowed, *start));
        if newest.is_none_or(|clock| clock.time() < last) {
            return Err(breach(format!(
                "the window of key {key:?} at {start} was given out, but no clock of {} reached \
                 its last instant {last}",
                windowed.operator
            )));
        }
    }
    if let Some(((key, start), total)) = wanted.into_iter().next() {
        return Err(breach(format!(
            "the window of key {key:?} at {start} is missing; its total is {total}"
        )));
    }
    Ok(Compared {
        invariant: Invariant::Window,
        items,
    })
}

fn last_instant<K>(windowed: &Windowed<K>, time: i64) -> i64 {
    let start = time.div_euclid(windowed.length_millis) * windowed.length_millis;
    start.saturating_add(windowed.length_millis - 1)
}

fn newest_clock(history: &History, of: &str) -> Option<Watermark> {
    let clocks = history.facts().filter_map(|(_, fact)| match fact {
        Fact::Said(Seen::Watermark {
            operator,
            watermark,
            ..
        }) if **operator == *of => Some(*watermark),
        Fact::Said(_) | Fact::Published(_) => None,
    });
    clocks.max()
}

fn counted<K: Ord + Clone>(records: &[(K, i64, i128)]) -> BTreeMap<(K, i64, i128), u32> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record.clone()).or_default() += 1;
    }
    counts
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Window, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::{attempt, history, subtask};
    use super::*;

    fn trace(millis: i64) -> History {
        history([Fact::Said(Seen::Watermark {
            operator: "totals".into(),
            subtask: subtask(1, 0),
            attempt: attempt(1, 1),
            watermark: Watermark::at(EventTime::from_millis(millis)),
        })])
    }

    fn windowed() -> Windowed<&'static str> {
        Windowed {
            operator: "totals".into(),
            length_millis: 10,
            lateness_millis: 0,
            input: vec![("a", 3, 1), ("a", 7, 2), ("a", 12, 4), ("a", 5, 8)],
            late: vec![("a", 5, 8)],
            panes: vec![("a", 0, 3), ("a", 10, 4)],
        }
    }

    fn judged(clock: i64, windowed: &Windowed<&'static str>) -> Result<u64, String> {
        let judged = window(&trace(clock), windowed);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn panes_of_all_records_that_were_not_late_pass() {
        assert_eq!(judged(i64::MAX, &windowed()), Ok(2));
    }

    #[test]
    fn a_wrong_missing_or_doubled_pane_is_found() {
        let mut wrong = windowed();
        wrong.panes[0].2 = 11;
        assert!(judged(i64::MAX, &wrong).is_err_and(|e| e.contains("right is Some(3)")));
        let mut missing = windowed();
        missing.panes.pop();
        assert!(judged(i64::MAX, &missing).is_err_and(|e| e.contains("is missing")));
        let mut doubled = windowed();
        doubled.panes.push(("a", 10, 4));
        assert!(judged(i64::MAX, &doubled).is_err_and(|e| e.contains("right is None")));
    }

    #[test]
    fn a_record_that_is_late_before_any_clock_has_passed_it_is_found() {
        assert!(judged(8, &windowed()).is_err_and(|e| e.contains("ever reached 9")));
    }

    #[test]
    fn a_late_record_out_of_nowhere_is_found() {
        let mut strange = windowed();
        strange.late.push(("a", 5, 8));
        assert!(judged(i64::MAX, &strange).is_err_and(|e| e.contains("more than the input")));
    }

    #[test]
    fn a_pane_before_its_window_has_ended_is_found() {
        assert!(judged(15, &windowed()).is_err_and(|e| e.contains("last instant")));
    }
}
