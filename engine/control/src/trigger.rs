//! When the next checkpoint is due.
//!
//! Invariant: a policy sees only what happened since the last trigger and answers the same to the
//! same; whether a checkpoint is *possible* (pauses, limits, failures) is the coordinator's matter.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sameriver_model::{ReadCounts, ReadReports, ReadSteps};

use crate::moment::Moment;

/// What happened since the last checkpoint was triggered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinceTrigger {
    /// When it was triggered; before the first one, when all subtasks ran.
    pub at: Moment,
    /// What sources have read.
    pub read: ReadCounts,
}

/// What a policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A checkpoint is due.
    Now,
    /// One is due at this instant, if nothing else makes it due before.
    At(Moment),
    /// None is due before something else happens.
    Later,
}

impl Due {
    /// The earlier of two answers.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(one), Self::At(two)) => Self::At(one.min(two)),
            (Self::At(at), Self::Later) | (Self::Later, Self::At(at)) => Self::At(at),
            (Self::Later, Self::Later) => Self::Later,
        }
    }
}

/// Decides when the next checkpoint is due: facts in, decision out.
///
/// ```
/// use sameriver_control::trigger::{AnyOf, Due, EveryInterval, EveryRecords, SinceTrigger};
/// use sameriver_control::{Moment, TriggerPolicy};
/// use std::sync::Arc;
/// use std::time::Duration;
/// let each_second = EveryInterval::new(Duration::from_secs(1));
/// let policy = AnyOf::new(vec![Arc::new(each_second), Arc::new(EveryRecords::new(100))]);
/// let mut since = SinceTrigger::default();
/// let second = Moment::from_origin(Duration::from_secs(1));
/// assert_eq!(policy.due(&since, Moment::default()), Due::At(second));
/// since.read.records = 100;
/// assert_eq!(policy.due(&since, Moment::default()), Due::Now);
/// ```
pub trait TriggerPolicy: fmt::Debug + Send + Sync {
    /// When a checkpoint is due, by what happened since the last trigger.
    fn due(&self, since: &SinceTrigger, now: Moment) -> Due;

    /// What has to be counted for it; the default is nothing.
    fn counts(&self) -> Counting {
        Counting::default()
    }
}

/// What a policy wants to have counted.
///
/// ```
/// use sameriver_control::trigger::{Counting, EveryRecords, TriggerPolicy};
/// let counting = EveryRecords::new(100).counts();
/// assert_eq!(counting.records, Some(100));
/// let steps = counting.reports(4).unwrap().records.unwrap();
/// assert_eq!((steps.step, steps.enough), (25, 100));
/// assert_eq!(Counting::default().reports(4), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counting {
    /// So many records make a checkpoint due.
    pub records: Option<u64>,
    /// So many bytes do.
    pub bytes: Option<u64>,
    /// A marker does.
    pub markers: bool,
}

impl Counting {
    /// What each of so many sources tells; `None` if nothing is to be counted.
    pub fn reports(self, sources: usize) -> Option<ReadReports> {
        let steps = |enough| ReadSteps::shared(enough, sources as u64);
        let reports = ReadReports {
            records: self.records.map(steps),
            bytes: self.bytes.map(steps),
            markers: self.markers,
        };
        (self != Self::default()).then_some(reports)
    }

    fn or(self, other: Self) -> Self {
        let sooner = |one: Option<u64>, two: Option<u64>| one.into_iter().chain(two).min();
        Self {
            records: sooner(self.records, other.records),
            bytes: sooner(self.bytes, other.bytes),
            markers: self.markers || other.markers,
        }
    }
}

/// A checkpoint each interval, from trigger to trigger.
///
/// ```
/// use sameriver_control::trigger::{Due, EveryInterval, SinceTrigger, TriggerPolicy};
/// use sameriver_control::Moment;
/// let always = EveryInterval::new(std::time::Duration::ZERO);
/// assert_eq!(always.due(&SinceTrigger::default(), Moment::default()), Due::Now);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EveryInterval(Duration);

impl EveryInterval {
    /// One checkpoint each `interval`.
    pub const fn new(interval: Duration) -> Self {
        Self(interval)
    }
}

impl TriggerPolicy for EveryInterval {
    fn due(&self, since: &SinceTrigger, now: Moment) -> Due {
        let at = since.at.saturating_add(self.0);
        if now >= at { Due::Now } else { Due::At(at) }
    }
}

/// A checkpoint once sources have read so many records since the last one.
///
/// ```
/// use sameriver_control::trigger::{Due, EveryRecords, SinceTrigger, TriggerPolicy};
/// use sameriver_control::Moment;
/// let mut since = SinceTrigger::default();
/// since.read.records = 9;
/// assert_eq!(EveryRecords::new(10).due(&since, Moment::default()), Due::Later);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EveryRecords(u64);

impl EveryRecords {
    /// One checkpoint every `records`; 0 counts as 1.
    pub fn new(records: u64) -> Self {
        Self(records.max(1))
    }
}

impl TriggerPolicy for EveryRecords {
    fn due(&self, since: &SinceTrigger, _: Moment) -> Due {
        reached(since.read.records, self.0)
    }

    fn counts(&self) -> Counting {
        Counting {
            records: Some(self.0),
            ..Counting::default()
        }
    }
}

/// A checkpoint once sources have read so many bytes since the last one.
///
/// ```
/// use sameriver_control::trigger::{Due, EveryBytes, SinceTrigger, TriggerPolicy};
/// use sameriver_control::Moment;
/// let mut since = SinceTrigger::default();
/// since.read.bytes = 10;
/// assert_eq!(EveryBytes::new(10).due(&since, Moment::default()), Due::Now);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EveryBytes(u64);

impl EveryBytes {
    /// One checkpoint every `bytes`; 0 counts as 1.
    pub fn new(bytes: u64) -> Self {
        Self(bytes.max(1))
    }
}

impl TriggerPolicy for EveryBytes {
    fn due(&self, since: &SinceTrigger, _: Moment) -> Due {
        reached(since.read.bytes, self.0)
    }

    fn counts(&self) -> Counting {
        Counting {
            bytes: Some(self.0),
            ..Counting::default()
        }
    }
}

/// A checkpoint when a source meets a marker among its records.
///
/// ```
/// use sameriver_control::trigger::{Due, OnMarker, SinceTrigger, TriggerPolicy};
/// use sameriver_control::Moment;
/// let mut since = SinceTrigger::default();
/// since.read.markers = 1;
/// assert_eq!(OnMarker.due(&since, Moment::default()), Due::Now);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OnMarker;

impl TriggerPolicy for OnMarker {
    fn due(&self, since: &SinceTrigger, _: Moment) -> Due {
        reached(since.read.markers, 1)
    }

    fn counts(&self) -> Counting {
        Counting {
            markers: true,
            ..Counting::default()
        }
    }
}

/// A checkpoint when any of some policies wants one; never, if there are none.
///
/// ```
/// use sameriver_control::trigger::{AnyOf, Due, SinceTrigger, TriggerPolicy};
/// use sameriver_control::Moment;
/// let only_by_hand = AnyOf::new(Vec::new());
/// assert_eq!(only_by_hand.due(&SinceTrigger::default(), Moment::default()), Due::Later);
/// ```
#[derive(Clone, Debug)]
pub struct AnyOf(Vec<Arc<dyn TriggerPolicy>>);

impl AnyOf {
    /// Asks each of `policies`.
    pub fn new(policies: Vec<Arc<dyn TriggerPolicy>>) -> Self {
        Self(policies)
    }
}

impl TriggerPolicy for AnyOf {
    fn due(&self, since: &SinceTrigger, now: Moment) -> Due {
        let answers = self.0.iter().map(|policy| policy.due(since, now));
        answers.fold(Due::Later, Due::sooner)
    }

    fn counts(&self) -> Counting {
        let counts = self.0.iter().map(|policy| policy.counts());
        counts.fold(Counting::default(), Counting::or)
    }
}

fn reached(count: u64, wanted: u64) -> Due {
    if count >= wanted {
        Due::Now
    } else {
        Due::Later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn an_interval_is_counted_from_the_last_trigger() {
        let policy = EveryInterval::new(Duration::from_secs(10));
        let since = SinceTrigger {
            at: at(5),
            ..SinceTrigger::default()
        };
        assert_eq!(policy.due(&since, at(14)), Due::At(at(15)));
        assert_eq!(policy.due(&since, at(15)), Due::Now);
        let never = EveryInterval::new(Duration::MAX).due(&since, at(15));
        assert_eq!(never, Due::At(Moment::from_origin(Duration::MAX)));
    }

    #[test]
    fn the_soonest_of_several_policies_decides() {
        let each = |seconds| -> Arc<dyn TriggerPolicy> {
            Arc::new(EveryInterval::new(Duration::from_secs(seconds)))
        };
        let policy = AnyOf::new(vec![each(9), Arc::new(OnMarker), each(7)]);
        let mut since = SinceTrigger::default();
        assert_eq!(policy.due(&since, at(0)), Due::At(at(7)));
        since.read.markers = 1;
        assert_eq!(policy.due(&since, at(0)), Due::Now);
    }

    #[test]
    fn of_several_policies_the_lowest_count_is_told_in_shares() {
        let records = |count| -> Arc<dyn TriggerPolicy> { Arc::new(EveryRecords::new(count)) };
        let bytes = Arc::new(EveryBytes::new(7));
        let policy = AnyOf::new(vec![records(90), records(30), bytes]);
        let reports = policy
            .counts()
            .reports(3)
            .expect("records and bytes are counted");
        assert_eq!(
            reports.records,
            Some(ReadSteps {
                step: 10,
                enough: 30
            })
        );
        assert_eq!(reports.bytes, Some(ReadSteps { step: 2, enough: 7 }));
        assert!(!reports.markers);
    }
}
