//! What sources count of what they read, and when they tell it: checkpoints may be due by it.
//!
//! Invariant: counts only rise between two barriers and begin anew behind each; who adds them up
//! sees a repeated report as nothing new. Knows nothing of who decides.

use serde::{Deserialize, Serialize};

/// What a source has read since its last barrier, or since it began.
///
/// ```
/// use sameriver_model::ReadCounts;
/// let mut counts = ReadCounts { records: 2, bytes: 20, markers: 0 };
/// counts.add(ReadCounts { records: 1, bytes: 5, markers: 1 });
/// let seen = ReadCounts { records: 2, bytes: 20, markers: 0 };
/// assert_eq!(counts.beyond(seen), ReadCounts { records: 1, bytes: 5, markers: 1 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadCounts {
    /// Records.
    pub records: u64,
    /// Bytes of input behind them, if the source counts bytes.
    pub bytes: u64,
    /// Markers among them that ask for a checkpoint.
    pub markers: u64,
}

impl ReadCounts {
    /// Adds more; stops at the highest number.
    pub const fn add(&mut self, more: Self) {
        self.records = self.records.saturating_add(more.records);
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.markers = self.markers.saturating_add(more.markers);
    }

    /// What is counted here and not in `seen`.
    #[must_use]
    pub const fn beyond(self, seen: Self) -> Self {
        Self {
            records: self.records.saturating_sub(seen.records),
            bytes: self.bytes.saturating_sub(seen.bytes),
            markers: self.markers.saturating_sub(seen.markers),
        }
    }

    /// The higher of two counts, each by itself.
    #[must_use]
    pub fn highest(self, other: Self) -> Self {
        Self {
            records: self.records.max(other.records),
            bytes: self.bytes.max(other.bytes),
            markers: self.markers.max(other.markers),
        }
    }
}

/// After how much more a source tells what it has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSteps {
    /// So much that was not told is told at once; at least 1.
    pub step: u64,
    /// Once so much was told since the last barrier, the rest is of no interest before the next.
    pub enough: u64,
}

impl ReadSteps {
    /// Steps by which so many sources together are known to have reached `enough`, before they
    /// have twice as much.
    pub fn shared(enough: u64, sources: u64) -> Self {
        let step = (enough / sources.max(1)).max(1);
        Self { step, enough }
    }

    /// Whether news beyond what was told are of interest at all, and whether at once.
    fn urgency(self, count: u64, told: u64) -> Option<Urgency> {
        let news = count.saturating_sub(told);
        if news == 0 || told >= self.enough {
            return None;
        }
        Some(if news >= self.step {
            Urgency::Now
        } else {
            Urgency::Sometime
        })
    }
}

/// How soon what was counted is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// With the next occasion.
    Sometime,
    /// At once.
    Now,
}

/// What the sources of a job tell of what they read, because checkpoints may be due by it.
///
/// ```
/// use sameriver_model::{ReadCounts, ReadReports, ReadSteps, Urgency};
/// let records = Some(ReadSteps::shared(100, 4));
/// let rule = ReadReports { records, bytes: None, markers: true };
/// let read = |records, markers| ReadCounts { records, bytes: 0, markers };
/// let told = ReadCounts::default();
/// assert_eq!(rule.urgency(read(24, 0), told), Some(Urgency::Sometime));
/// assert_eq!(rule.urgency(read(25, 0), told), Some(Urgency::Now));
/// assert_eq!(rule.urgency(read(1, 1), told), Some(Urgency::Now), "a marker is told at once");
/// assert_eq!(rule.urgency(read(500, 0), read(100, 0)), None, "a checkpoint is due by it");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReports {
    /// Told when so many more records were read; `None`: of no interest.
    pub records: Option<ReadSteps>,
    /// Told when so many more bytes were read; `None`: of no interest.
    pub bytes: Option<ReadSteps>,
    /// Whether a marker is told; one since the last barrier says it all.
    pub markers: bool,
}

impl ReadReports {
    /// Whether and how soon `counts` are to be told, after `told` was.
    pub fn urgency(&self, counts: ReadCounts, told: ReadCounts) -> Option<Urgency> {
        let of = |steps: Option<ReadSteps>, count, told| steps?.urgency(count, told);
        let markers = self.markers.then_some(ReadSteps { step: 1, enough: 1 });
        let records = of(self.records, counts.records, told.records);
        let bytes = of(self.bytes, counts.bytes, told.bytes);
        let markers = of(markers, counts.markers, told.markers);
        records.max(bytes).max(markers)
    }
}
