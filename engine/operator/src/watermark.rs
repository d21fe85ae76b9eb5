//! Makes event times and watermarks from records.
//!
//! Invariant: the watermark is the highest event time seen, less the bound, less one millisecond;
//! the arithmetic saturates, so a time near the beginning of time never wraps to its end. Knows
//! nothing of channels: the minimum over channels is the task's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sameriver_model::{Batch, EventTime, Watermark};

/// How far event times may be out of order; [`event_time`](Self::event_time) makes a strategy.
///
/// ```
/// use sameriver_operator::watermark::Watermarks;
/// use std::time::Duration;
/// struct Click { at: i64 }
/// let strategy = Watermarks::bounded(Duration::from_secs(5)).event_time(|click: &Click| click.at);
/// assert_eq!(strategy.bound(), Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    bound: Duration,
}

impl Watermarks {
    /// Records are at most `bound` behind the latest one before them; what is further behind may be
    /// late for its window.
    pub const fn bounded(bound: Duration) -> Self {
        Self { bound }
    }

    /// Event times never go back.
    pub const fn ascending() -> Self {
        Self::bounded(Duration::ZERO)
    }

    /// Says how to read the event time of a record: an [`EventTime`], or an `i64` of milliseconds
    /// since the epoch.
    pub fn event_time<T, I, F>(self, event_time: F) -> WatermarkStrategy<T>
    where
        I: Into<EventTime>,
        F: Fn(&T) -> I + Send + Sync + 'static,
        T: 'static,
    {
        WatermarkStrategy {
            bound: self.bound,
            stamp: Arc::new(move |records: &[T], times: &mut Vec<EventTime>| {
                times.extend(records.iter().map(|record| event_time(record).into()));
            }),
        }
    }
}

/// Appends the event times of a slice: the user's function runs inside the loop.
type Stamp<T> = dyn Fn(&[T], &mut Vec<EventTime>) + Send + Sync;

/// How to read the event time of a record, and how far records may be out of order.
///
/// ```
/// use sameriver_operator::watermark::Watermarks;
/// let strategy = Watermarks::ascending().event_time(|at: &i64| *at);
/// let _same = strategy.clone();
/// ```
pub struct WatermarkStrategy<T> {
    bound: Duration,
    stamp: Arc<Stamp<T>>,
}

impl<T> Clone for WatermarkStrategy<T> {
    fn clone(&self) -> Self {
        Self {
            bound: self.bound,
            stamp: Arc::clone(&self.stamp),
        }
    }
}

impl<T> fmt::Debug for WatermarkStrategy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watermarks bounded by {:?}", self.bound)
    }
}

impl<T> WatermarkStrategy<T> {
    /// How far records may be behind the latest one before them.
    pub fn bound(&self) -> Duration {
        self.bound
    }

    /// Replaces the event times of `batch` and returns the highest.
    pub(crate) fn stamp(&self, batch: &mut Batch<T>) -> Option<EventTime> {
        let (records, times) = batch.parts_mut();
        let times = times.get_or_insert_default();
        times.clear();
        (self.stamp)(records, times);
        times.iter().copied().max()
    }

    /// A generator that has seen nothing.
    pub(crate) fn generator(&self) -> WatermarkGenerator {
        WatermarkGenerator {
            bound: self.bound,
            highest: None,
        }
    }
}

/// Makes the watermarks of one split, or of one link of a chain.
#[derive(Clone, Debug)]
pub(crate) struct WatermarkGenerator {
    bound: Duration,
    highest: Option<EventTime>,
}

impl WatermarkGenerator {
    /// Takes the highest event time of a slice; `None` if the slice was empty.
    pub(crate) fn observe(&mut self, highest: Option<EventTime>) {
        self.highest = self.highest.max(highest);
    }

    /// The highest event time so far.
    pub(crate) fn highest(&self) -> Option<EventTime> {
        self.highest
    }

    /// [`Watermark::MIN`] before the first record.
    pub(crate) fn watermark(&self) -> Watermark {
        let Some(highest) = self.highest else {
            return Watermark::MIN;
        };
        let step = Duration::from_millis(1);
        Watermark::at(highest.saturating_sub(self.bound).saturating_sub(step))
    }
}

/// The generators of a source's splits, by the order in which the splits were assigned.
#[derive(Debug, Default)]
pub(crate) struct SplitWatermarks {
    /// Splits that go on, by the order of their assignment.
    active: BTreeMap<usize, WatermarkGenerator>,
    /// How many were assigned so far.
    assigned: usize,
}

impl SplitWatermarks {
    /// Adds the next split; without records it holds the watermark at [`Watermark::MIN`].
    pub(crate) fn add(&mut self, generator: WatermarkGenerator) {
        self.active.insert(self.assigned, generator);
        self.assigned += 1;
    }

    /// Takes the highest event time of a slice of one split.
    pub(crate) fn observe(&mut self, split: usize, highest: Option<EventTime>) {
        let generator = self.active.get_mut(&split);
        let generator = generator.expect("a reader reads splits that were assigned and go on");
        generator.observe(highest);
    }

    /// The highest event time of a split so far.
    pub(crate) fn highest(&self, split: usize) -> Option<EventTime> {
        self.active.get(&split)?.highest()
    }

    /// The split holds nothing back any more.
    pub(crate) fn end(&mut self, split: usize) {
        self.active.remove(&split);
    }

    /// The minimum over the splits that go on; `None` when there is none.
    pub(crate) fn watermark(&self) -> Option<Watermark> {
        self.active
            .values()
            .map(WatermarkGenerator::watermark)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(bound_ms: u64, times: &[i64]) -> WatermarkGenerator {
        let bound = Duration::from_millis(bound_ms);
        let strategy = Watermarks::bounded(bound).event_time(|time: &i64| *time);
        let mut generator = strategy.generator();
        for time in times {
            generator.observe(strategy.stamp(&mut Batch::from_parts(vec![*time], None)));
        }
        generator
    }

    fn check(bound_ms: u64, times: &[i64], expected: Watermark) {
        assert_eq!(generator(bound_ms, times).watermark(), expected);
    }

    fn at(millis: i64) -> Watermark {
        Watermark::at(EventTime::from_millis(millis))
    }

    #[test]
    fn ascending_times_leave_one_millisecond_for_equal_ones() {
        check(0, &[7, 9], at(8));
    }

    #[test]
    fn a_bound_is_subtracted_from_the_highest_time() {
        check(10, &[100, 90, 95], at(89));
    }

    #[test]
    fn without_a_record_nothing_is_promised() {
        check(10, &[], Watermark::MIN);
    }

    #[test]
    fn a_watermark_below_the_first_instant_saturates() {
        check(10, &[i64::MIN + 3], Watermark::MIN);
        check(u64::MAX, &[0], at(i64::MIN));
    }

    #[test]
    fn a_split_without_records_holds_the_watermark_until_it_ends() {
        let mut splits = SplitWatermarks::default();
        splits.add(generator(0, &[50]));
        splits.add(generator(0, &[]));
        assert_eq!(splits.watermark(), Some(Watermark::MIN));
        splits.end(1);
        assert_eq!(splits.watermark(), Some(at(49)));
    }

    #[test]
    fn the_slowest_split_decides() {
        let mut splits = SplitWatermarks::default();
        splits.add(generator(0, &[50]));
        splits.add(generator(0, &[30]));
        assert_eq!(splits.watermark(), Some(at(29)));
        splits.observe(1, Some(EventTime::from_millis(70)));
        assert_eq!(splits.watermark(), Some(at(49)));
    }

    #[test]
    fn no_split_is_no_watermark() {
        let mut splits = SplitWatermarks::default();
        splits.add(generator(0, &[50]));
        splits.end(0);
        assert_eq!(splits.watermark(), None);
    }
}
