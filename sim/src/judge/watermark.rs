//! I10: watermarks never go back and are legal.
//!
//! Invariant: one attempt of one subtask of one operator is one clock. Legal is what the scenario's
//! own strategy allows, and a record is judged late only when the clock had passed it.

use std::collections::BTreeMap;

use sameriver_model::{AttemptNumber, EventTime, SubtaskId, Watermark};

use super::history::{Fact, History};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// What a scenario's input and strategy let its watermarks be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Legal {
    /// No watermark but the last one is above this.
    pub highest: Option<EventTime>,
    /// Whether a record may be late at all.
    pub none_late: bool,
}

/// Looks at every clock.
///
/// # Errors
/// [`Finding`] with the first step back, illegal watermark or wrong verdict on a record.
pub fn watermark(history: &History, legal: Legal) -> Result<Compared, Finding> {
    let mut clocks: BTreeMap<(&str, SubtaskId, AttemptNumber), Watermark> = BTreeMap::new();
    let mut items = 0;
    for (_, fact) in history.facts() {
        match fact {
            Fact::Said(Seen::Watermark {
                operator,
                subtask,
                attempt,
                watermark,
            }) => {
                let place = (&**operator, *subtask, *attempt);
                if let Some(before) = clocks.insert(place, *watermark)
                    && *watermark < before
                {
                    return Err(breach(format!(
                        "the clock of {operator} in {subtask} of {attempt} went back from \
                         {before} to {watermark}"
                    )));
                }
                if let Some(highest) = legal.highest
                    && *watermark != Watermark::MAX
                    && watermark.time() > highest
                {
                    return Err(breach(format!(
                        "the clock of {operator} in {subtask} of {attempt} shows {watermark}, but \
                         no record lets it be above {highest}"
                    )));
                }
                items += 1;
            }
            Fact::Said(Seen::Late {
                operator,
                subtask,
                attempt,
                time,
                watermark,
            }) => {
                let place = format!("{operator} in {subtask} of {attempt}");
                if legal.none_late {
                    return Err(breach(format!(
                        "{place} judged a record of {time} late at {watermark}, but the strategy \
                         lets no record be late"
                    )));
                }
                if *time > watermark.time() {
                    return Err(breach(format!(
                        "{place} judged a record of {time} late, but its clock was at {watermark}"
                    )));
                }
                items += 1;
            }
            Fact::Said(_) | Fact::Published(_) => {}
        }
    }
    Ok(Compared {
        invariant: Invariant::Watermark,
        items,
    })
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Watermark, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::{attempt, history, subtask};
    use super::*;

    fn at(ordinal: u32, millis: i64) -> Fact {
        Fact::Said(Seen::Watermark {
            operator: "totals".into(),
            subtask: subtask(1, 0),
            attempt: attempt(1, ordinal),
            watermark: Watermark::at(EventTime::from_millis(millis)),
        })
    }

    fn late(time: i64, watermark: i64) -> Fact {
        Fact::Said(Seen::Late {
            operator: "totals".into(),
            subtask: subtask(1, 0),
            attempt: attempt(1, 1),
            time: EventTime::from_millis(time),
            watermark: Watermark::at(EventTime::from_millis(watermark)),
        })
    }

    fn judged(facts: Vec<Fact>, legal: Legal) -> Result<u64, String> {
        let judged = watermark(&history(facts), legal);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    fn bounded() -> Legal {
        Legal {
            highest: Some(EventTime::from_millis(100)),
            none_late: true,
        }
    }

    #[test]
    fn clocks_that_go_on_pass_and_a_new_attempt_begins_anew() {
        let facts = vec![at(1, 5), at(1, 5), at(1, 100), at(2, 7), at(2, i64::MAX)];
        assert_eq!(judged(facts, bounded()), Ok(5));
        assert_eq!(judged(vec![late(5, 9)], Legal::default()), Ok(1));
    }

    #[test]
    fn a_clock_that_goes_back_is_found() {
        assert!(judged(vec![at(1, 5), at(1, 4)], Legal::default()).is_err());
    }

    #[test]
    fn a_clock_beyond_every_record_is_found() {
        assert!(judged(vec![at(1, 101)], bounded()).is_err_and(|e| e.contains("no record")));
    }

    #[test]
    fn a_record_that_is_late_without_reason_is_found() {
        assert!(judged(vec![late(10, 9)], Legal::default()).is_err());
        assert!(judged(vec![late(5, 9)], bounded()).is_err());
    }
}
