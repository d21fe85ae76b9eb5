//! I12: a timer fires once, never early and never after it was deleted.
//!
//! Invariant: an attempt begins with exactly the timers that were pending in the checkpoint that it
//! starts from, subtask by subtask at the synchronous step of the snapshot; a timer that fired
//! after the checkpoint fires again in the next attempt, and only then.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_model::probe::TimerDeed;
use sameriver_model::{AttemptNumber, CheckpointId, EventTime, SubtaskId, Watermark};

use super::history::{Fact, History, Publications};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// A timer of an operator: setting it again changes nothing.
type Name<'a> = (&'a str, u64, EventTime);
/// The timers that are pending, each with the subtask that has it.
type Pending<'a> = BTreeMap<Name<'a>, SubtaskId>;

#[derive(Default)]
struct Lineages<'a> {
    pending: BTreeMap<AttemptNumber, Pending<'a>>,
    saved: BTreeMap<(AttemptNumber, CheckpointId), Pending<'a>>,
    clocks: BTreeMap<(&'a str, SubtaskId, AttemptNumber), Watermark>,
    /// Fired ahead of the clock that was last seen: the next one must have reached them.
    ahead: BTreeSet<(&'a str, SubtaskId, AttemptNumber, EventTime)>,
    fired: u64,
}

/// Follows every timer through every attempt; `finished` says that the job came to its end, so that
/// nothing may be pending any more.
///
/// # Errors
/// [`Finding`] with the first timer that fired wrongly, or never.
pub fn timer(history: &History, finished: bool) -> Result<Compared, Finding> {
    let published = history.publications();
    let mut lineages = Lineages::default();
    for (_, fact) in history.facts() {
        lineages.take(fact, &published)?;
    }
    if finished {
        lineages.nothing_is_pending()?;
    }
    Ok(Compared {
        invariant: Invariant::Timer,
        items: lineages.fired,
    })
}

impl<'a> Lineages<'a> {
    fn take(&mut self, fact: &'a Fact, published: &Publications) -> Result<(), Finding> {
        match fact {
            Fact::Said(Seen::AttemptStarted { attempt, from }) => {
                let taken_by = from.and_then(|from| Some((published.of(from)?.attempt, from)));
                let saved = taken_by.and_then(|of| self.saved.get(&of).cloned());
                self.pending.insert(*attempt, saved.unwrap_or_default());
                Ok(())
            }
            Fact::Said(Seen::Step {
                subtask,
                attempt,
                checkpoint,
                step: "synchronous",
            }) => {
                let pending = self.pending.entry(*attempt).or_default();
                let own = pending.iter().filter(|(_, of)| **of == *subtask);
                let own: Pending<'a> = own.map(|(name, of)| (*name, *of)).collect();
                self.saved
                    .entry((*attempt, *checkpoint))
                    .or_default()
                    .extend(own);
                Ok(())
            }
            Fact::Said(Seen::Watermark {
                operator,
                subtask,
                attempt,
                watermark,
            }) => self.clock((operator, *subtask, *attempt), *watermark),
            Fact::Said(Seen::Timer {
                operator,
                subtask,
                attempt,
                key,
                time,
                what,
            }) => {
                let name = (&**operator, key.get(), *time);
                match what {
                    TimerDeed::Set => {
                        self.pending
                            .entry(*attempt)
                            .or_default()
                            .insert(name, *subtask);
                    }
                    TimerDeed::Deleted => {
                        self.pending.entry(*attempt).or_default().remove(&name);
                    }
                    TimerDeed::Fired => self.fired(name, *subtask, *attempt)?,
                }
                Ok(())
            }
            Fact::Said(_) | Fact::Published(_) => Ok(()),
        }
    }

    fn fired(
        &mut self,
        name: Name<'a>,
        subtask: SubtaskId,
        attempt: AttemptNumber,
    ) -> Result<(), Finding> {
        let (operator, key, time) = name;
        let pending = self.pending.entry(attempt).or_default();
        if pending.remove(&name).is_none() {
            return Err(breach(format!(
                "a timer of {operator} in {subtask} of {attempt} for key {key:016x} fired at {time}, \
                 but it was not pending: it fired before, was deleted, or was never set"
            )));
        }
        let clock = self.clocks.get(&(operator, subtask, attempt));
        if clock.is_none_or(|clock| clock.time() < time) {
            self.ahead.insert((operator, subtask, attempt, time));
        }
        self.fired += 1;
        Ok(())
    }

    /// The clock may be told of after the timers that it lets fire.
    fn clock(
        &mut self,
        place: (&'a str, SubtaskId, AttemptNumber),
        watermark: Watermark,
    ) -> Result<(), Finding> {
        let (operator, subtask, attempt) = place;
        let first = (operator, subtask, attempt, EventTime::MIN);
        let last = (operator, subtask, attempt, EventTime::MAX);
        let ahead = self.ahead.range(first..=last).next_back();
        if let Some((.., time)) = ahead
            && *time > watermark.time()
        {
            return Err(breach(format!(
                "a timer of {operator} in {subtask} of {attempt} fired at {time}, but the clock \
                 was only at {watermark} afterwards"
            )));
        }
        self.ahead
            .retain(|early| (early.0, early.1, early.2) != place);
        self.clocks.insert(place, watermark);
        Ok(())
    }

    fn nothing_is_pending(&self) -> Result<(), Finding> {
        let last = self.pending.last_key_value();
        let left = last.and_then(|(attempt, pending)| Some((attempt, pending.first_key_value()?)));
        let Some((attempt, ((operator, key, time), subtask))) = left else {
            return Ok(());
        };
        Err(breach(format!(
            "a timer of {operator} in {subtask} of {attempt} for key {key:016x} at {time} has never \
             fired, and the job has finished"
        )))
    }
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Timer, evidence)
}

#[cfg(test)]
mod tests {
    use sameriver_model::KeyHash;

    use super::super::history::by_hand::{attempt, checkpoint, history, published, subtask};
    use super::*;

    fn timer_of(ordinal: u32, time: i64, what: TimerDeed) -> Fact {
        Fact::Said(Seen::Timer {
            operator: "carts".into(),
            subtask: subtask(1, 0),
            attempt: attempt(1, ordinal),
            key: KeyHash::of_bytes(b"key"),
            time: EventTime::from_millis(time),
            what,
        })
    }

    fn set(ordinal: u32, time: i64) -> Fact {
        timer_of(ordinal, time, TimerDeed::Set)
    }

    fn fired(ordinal: u32, time: i64) -> Fact {
        timer_of(ordinal, time, TimerDeed::Fired)
    }

    fn clock(ordinal: u32, millis: i64) -> Fact {
        Fact::Said(Seen::Watermark {
            operator: "carts".into(),
            subtask: subtask(1, 0),
            attempt: attempt(1, ordinal),
            watermark: Watermark::at(EventTime::from_millis(millis)),
        })
    }

    fn started(ordinal: u32, from: Option<u64>) -> Fact {
        Fact::Said(Seen::AttemptStarted {
            attempt: attempt(1, ordinal),
            from: from.map(checkpoint),
        })
    }

    /// Checkpoint 1 of attempt 1: the snapshot, and its publication.
    fn snapshot() -> [Fact; 2] {
        let step = Fact::Said(Seen::Step {
            subtask: subtask(1, 0),
            attempt: attempt(1, 1),
            checkpoint: checkpoint(1),
            step: "synchronous",
        });
        [step, published(1, 1, attempt(1, 1))]
    }

    fn judged(facts: Vec<Fact>) -> Result<u64, String> {
        let judged = timer(&history(facts), true);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn a_timer_of_a_checkpoint_fires_in_each_attempt_that_starts_from_it() {
        let [step, published] = snapshot();
        let facts = vec![
            started(1, None),
            set(1, 5),
            set(1, 5),
            step,
            published,
            clock(1, 9),
            fired(1, 5),
            started(2, Some(1)),
            fired(2, 5),
            clock(2, 9),
        ];
        assert_eq!(judged(facts), Ok(2));
    }

    #[test]
    fn a_timer_that_fires_twice_or_after_it_was_deleted_is_found() {
        let twice = vec![set(1, 5), clock(1, 9), fired(1, 5), fired(1, 5)];
        assert!(judged(twice).is_err_and(|e| e.contains("not pending")));
        let deleted = timer_of(1, 5, TimerDeed::Deleted);
        let deleted = vec![set(1, 5), deleted, clock(1, 9), fired(1, 5)];
        assert!(judged(deleted).is_err_and(|e| e.contains("not pending")));
    }

    #[test]
    fn a_timer_that_fired_before_the_checkpoint_and_fires_again_is_found() {
        let [step, published] = snapshot();
        let facts = vec![
            started(1, None),
            set(1, 5),
            clock(1, 9),
            fired(1, 5),
            step,
            published,
            started(2, Some(1)),
            clock(2, 9),
            fired(2, 5),
        ];
        assert!(judged(facts).is_err_and(|e| e.contains("not pending")));
    }

    #[test]
    fn a_timer_that_fires_before_its_time_is_found() {
        let facts = vec![set(1, 5), clock(1, 3), fired(1, 5), clock(1, 4)];
        assert!(judged(facts).is_err_and(|e| e.contains("only at")));
    }

    #[test]
    fn a_timer_that_a_restore_lost_is_found() {
        let [step, published] = snapshot();
        let facts = vec![
            started(1, None),
            set(1, 5),
            step,
            published,
            started(2, Some(1)),
            clock(2, i64::MAX),
        ];
        assert!(judged(facts).is_err_and(|e| e.contains("never fired")));
    }
}
