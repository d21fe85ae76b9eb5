//! Which slots were told to stop an attempt and have not answered.
//!
//! Invariant: an attempt whose number another job master may use again is over only when every slot
//! has answered, however long that takes: what a slot does late would be done to the new attempt.
//! Of a job with a log no number ever comes again, so that a late slot harms nobody.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_control::Moment;
use sameriver_model::{AttemptNumber, SlotIndex};

/// An attempt whose slots were told to stop and have not all answered.
struct Told {
    until: Moment,
    slots: BTreeSet<SlotIndex>,
}

#[derive(Default)]
pub(super) struct StoppingSlots {
    told: BTreeMap<AttemptNumber, Told>,
    /// Those that were given up, and since when the first of them was.
    stuck: BTreeSet<(AttemptNumber, SlotIndex)>,
    stuck_since: Option<Moment>,
    /// Those that have ended.
    gone: BTreeSet<SlotIndex>,
}

impl StoppingSlots {
    /// These slots are told to stop an attempt; false if they were told before.
    pub(super) fn tell(
        &mut self,
        attempt: AttemptNumber,
        mut slots: BTreeSet<SlotIndex>,
        until: Moment,
    ) -> bool {
        if self.told.contains_key(&attempt) {
            return false;
        }
        slots.retain(|slot| !self.gone.contains(slot));
        if !slots.is_empty() {
            self.told.insert(attempt, Told { until, slots });
        }
        true
    }

    /// A slot has stopped an attempt.
    pub(super) fn answered(&mut self, slot: SlotIndex, attempt: AttemptNumber) {
        self.forget(|of, at| of == attempt && at == slot);
    }

    /// A slot has ended: nothing runs there any more.
    pub(super) fn ended(&mut self, slot: SlotIndex) {
        self.gone.insert(slot);
        self.forget(|_, at| at == slot);
    }

    fn forget(&mut self, is_over: impl Fn(AttemptNumber, SlotIndex) -> bool) {
        for (attempt, told) in &mut self.told {
            told.slots.retain(|slot| !is_over(*attempt, *slot));
        }
        self.told.retain(|_, told| !told.slots.is_empty());
        self.stuck
            .retain(|(attempt, slot)| !is_over(*attempt, *slot));
        if self.stuck.is_empty() {
            self.stuck_since = None;
        }
    }

    /// Whether nothing has to be stopped any more.
    pub(super) fn is_clear(&self) -> bool {
        self.told.is_empty() && self.stuck.is_empty()
    }

    /// When a slot must have answered.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.told.values().map(|told| told.until).min()
    }

    /// Gives up slots that have not answered in time, and answers which.
    pub(super) fn give_up(&mut self, now: Moment) -> Vec<(AttemptNumber, SlotIndex)> {
        let late = self.told.iter().filter(|(_, told)| told.until <= now);
        let late = late.flat_map(|(of, told)| told.slots.iter().map(|slot| (*of, *slot)));
        let late: Vec<_> = late.collect();
        self.told.retain(|_, told| told.until > now);
        let comes_again = late.iter().filter(|(attempt, _)| attempt.epoch() == 0);
        self.stuck.extend(comes_again);
        if !self.stuck.is_empty() {
            self.stuck_since.get_or_insert(now);
        }
        late
    }

    /// A slot that was given up and holds up everything, and since when one does.
    pub(super) fn stuck(&self) -> Option<(SlotIndex, Moment)> {
        let (_, slot) = self.stuck.first()?;
        Some((*slot, self.stuck_since?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    fn slots() -> [SlotIndex; 2] {
        [SlotIndex::new(0), SlotIndex::new(1)]
    }

    fn told(attempt: AttemptNumber) -> StoppingSlots {
        let mut stopping = StoppingSlots::default();
        assert!(stopping.tell(attempt, slots().into(), at(10)));
        assert!(!stopping.tell(attempt, slots().into(), at(20)));
        stopping.answered(slots()[0], attempt);
        stopping
    }

    #[test]
    fn a_late_slot_of_an_attempt_without_epoch_holds_everything_up_until_it_answers() {
        let attempt = AttemptNumber::new(1);
        let mut stopping = told(attempt);
        assert_eq!(stopping.give_up(at(9)), []);
        assert_eq!(stopping.give_up(at(10)), [(attempt, slots()[1])]);
        assert_eq!(stopping.deadline(), None);
        assert!(!stopping.is_clear());
        assert_eq!(stopping.stuck(), Some((slots()[1], at(10))));
        stopping.answered(slots()[1], attempt);
        assert!(stopping.is_clear());
        assert_eq!(stopping.stuck(), None);
    }

    #[test]
    fn a_late_slot_of_an_attempt_with_an_epoch_holds_nothing_up() {
        let attempt = AttemptNumber::of_epoch(3, 1);
        let mut stopping = told(attempt);
        assert_eq!(stopping.give_up(at(10)), [(attempt, slots()[1])]);
        assert!(stopping.is_clear());
    }

    #[test]
    fn a_slot_that_has_ended_holds_nothing_up() {
        let mut stopping = told(AttemptNumber::new(1));
        stopping.give_up(at(10));
        stopping.ended(slots()[1]);
        assert!(stopping.is_clear());
        assert!(stopping.tell(AttemptNumber::new(2), [slots()[1]].into(), at(20)));
        assert!(stopping.is_clear(), "nobody is there to answer");
    }
}
