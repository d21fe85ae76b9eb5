//! How often a plan still breaks its promise, over several schedules.
//!
//! Invariant: the first schedule is the plan's own; the others follow from it, so that a replay is
//! itself repeatable.

use std::fmt;

use super::run_plan::Plan;
use crate::finding::Finding;
use crate::supervisor::Outcome;
use crate::trace::TraceHash;

/// What the schedules of a replay came to.
///
/// ```
/// use sameriver_sim::Replay;
/// assert_eq!(Replay::schedules(7, 2).collect::<Vec<_>>(), [7, 8, 9]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Replay {
    runs: u32,
    met: u32,
    same_events: Option<bool>,
    first: Option<Finding>,
    hash: TraceHash,
}

impl Replay {
    /// The plan's own schedule seed and so many further ones.
    pub fn schedules(own: u64, further: u32) -> impl Iterator<Item = u64> {
        (0..=u64::from(further)).map(move |step| own.wrapping_add(step))
    }

    /// Runs a plan under its own schedule and so many further ones.
    pub fn run<T>(plan: &Plan, further: u32, play: impl Fn(&Plan) -> Outcome<T>) -> Self {
        let mut replay = Self::default();
        for schedule_seed in Self::schedules(plan.schedule_seed, further) {
            let outcome = play(&Plan {
                schedule_seed,
                ..plan.clone()
            });
            replay.take(plan, outcome);
        }
        replay
    }

    fn take<T>(&mut self, plan: &Plan, outcome: Outcome<T>) {
        let finding = outcome.verdict.err();
        if self.runs == 0 {
            self.hash = outcome.trace_hash;
            let expected = plan.expectation.as_ref();
            self.same_events = expected.map(|expected| expected.is_hash(outcome.trace_hash));
        }
        self.runs += 1;
        let Some(finding) = finding else {
            return;
        };
        let is_met = plan
            .expectation
            .as_ref()
            .is_none_or(|expected| expected.is_met_by(&finding));
        self.met += u32::from(is_met);
        self.first.get_or_insert(finding);
    }

    /// How many runs broke the promise that the plan expects to be broken (any, if it expects
    /// nothing).
    pub fn met(&self) -> u32 {
        self.met
    }

    /// How many runs there were.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// The first finding, whatever it is.
    pub fn first(&self) -> Option<&Finding> {
        self.first.as_ref()
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = match self.same_events {
            Some(true) => ", with the very events of the plan",
            Some(false) => ", with other events than the plan's (another commit?)",
            None => "",
        };
        let (met, runs, hash) = (self.met, self.runs, self.hash);
        write!(
            f,
            "{met} of {runs} schedules broke the promise; trace {hash}{events}"
        )
    }
}
