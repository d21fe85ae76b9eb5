//! Stamps event times and makes watermarks in the middle of a chain.
//!
//! Invariant: the watermarks of the input are replaced, except the last one. Where a source stands
//! directly before it, the source driver does this instead, split by split.

use sameriver_model::{Batch, Element, Watermark};

use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::OperatorError;
use crate::pass_on::pass_on;
use crate::watermark::{WatermarkGenerator, WatermarkStrategy};

struct AssignWatermarks<T> {
    strategy: WatermarkStrategy<T>,
    generator: WatermarkGenerator,
    sent: Watermark,
    next: Box<dyn Consumer<T>>,
}

impl<T: Element> Consumer<T> for AssignWatermarks<T> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.generator.observe(self.strategy.stamp(batch));
        self.next.slice(batch, cx)?;
        let watermark = self.generator.watermark();
        if watermark <= self.sent {
            return Ok(());
        }
        self.sent = watermark;
        let mut progress = self.next.watermark(watermark, cx)?;
        // Operators with timers are heads of their own chains, so nothing below fires or waits; if
        // that ever changes, what is due now is fired within this slice.
        while progress == Progress::More {
            progress = self.next.resume(cx)?;
        }
        assert_eq!(progress, Progress::Done, "only `finish` waits below a head");
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        if watermark < Watermark::MAX {
            return Ok(Progress::Done);
        }
        self.sent = watermark;
        self.next.watermark(watermark, cx)
    }

    pass_on!();
}

/// Gives each record the event time that `strategy` reads from it, and makes watermarks of them.
pub fn assign_watermarks<T: Element>(
    _name: &str,
    strategy: WatermarkStrategy<T>,
    next: Box<dyn Consumer<T>>,
) -> Box<dyn Consumer<T>> {
    Box::new(AssignWatermarks {
        generator: strategy.generator(),
        strategy,
        sent: Watermark::MIN,
        next,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{Collecting, Seen, run, timed, untimed};
    use crate::watermark::Watermarks;

    #[test]
    fn the_watermark_follows_the_records_and_only_when_it_advances() {
        let (end, seen) = Collecting::new();
        let strategy = Watermarks::bounded(Duration::from_millis(10)).event_time(|n: &i64| *n);
        let mut assign = assign_watermarks("assign", strategy, end);
        run(&mut *assign, untimed([100, 90]), None);
        run(&mut *assign, untimed([95]), None);
        assert_eq!(
            seen.take(),
            [
                Seen::Record(100, Some(100)),
                Seen::Record(90, Some(90)),
                Seen::Watermark(89),
                Seen::Record(95, Some(95)),
            ]
        );
    }

    #[test]
    fn watermarks_of_the_input_are_replaced_except_the_last() {
        let (end, seen) = Collecting::new();
        let strategy = Watermarks::ascending().event_time(|n: &i64| *n);
        let mut assign = assign_watermarks("assign", strategy, end);
        run(&mut *assign, timed([(5, 77)]), Some(70));
        run(&mut *assign, timed([]), Some(i64::MAX));
        assert_eq!(
            seen.take(),
            [
                Seen::Record(5, Some(5)),
                Seen::Watermark(4),
                Seen::Watermark(i64::MAX)
            ]
        );
    }
}
