//! Stamps event times and makes watermarks in the middle of a chain.
//!
//! Invariant: the watermarks of the input are replaced, except the last one. Where a source stands
//! directly before it, the source driver does this instead, split by split. After a restore, the
//! last watermark is sent again before anything else.

use sameriver_model::{
    Batch, Element, EventTime, SectionId, SectionKind, SectionWriter, Watermark,
};
use serde::{Deserialize, Serialize};

use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::pass_on::pass_on;
use crate::saved;
use crate::watermark::{WatermarkGenerator, WatermarkStrategy};

struct AssignWatermarks<T> {
    section: SectionId,
    strategy: WatermarkStrategy<T>,
    generator: WatermarkGenerator,
    sent: Watermark,
    /// The watermark that was sent before the snapshot, until it is sent again.
    again: Option<Watermark>,
    next: Box<dyn Consumer<T>>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    sent: Watermark,
    highest: Option<EventTime>,
}

impl<T: Element> AssignWatermarks<T> {
    fn send(&mut self, watermark: Watermark, cx: &mut Context) -> Result<(), OperatorError> {
        let mut progress = self.next.watermark(watermark, cx)?;
        // Operators with timers are heads of their own chains, so nothing below fires or waits; if
        // that ever changes, what is due now is fired within this slice.
        while progress == Progress::More {
            progress = self.next.resume(cx)?;
        }
        assert_eq!(progress, Progress::Done, "only `finish` waits below a head");
        Ok(())
    }

    fn send_again(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let again = self.again.take();
        again.map_or(Ok(()), |watermark| self.send(watermark, cx))
    }
}

impl<T: Element> Consumer<T> for AssignWatermarks<T> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        self.send_again(cx)?;
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
        self.send(watermark, cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.send_again(cx)?;
        if watermark < Watermark::MAX {
            return Ok(Progress::Done);
        }
        self.sent = watermark;
        self.next.watermark(watermark, cx)
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.send_again(cx)?;
        self.next.resume(cx)
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        let (sent, highest) = (self.sent, self.generator.highest());
        saved::write(self.section.clone(), &Saved { sent, highest }, sections)?;
        self.next.snapshot(sections)
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        self.next.walk(bytes_max, sections)
    }

    fn drop_snapshot(&mut self) {
        self.next.drop_snapshot();
    }

    pass_on!(stateful except resume);
}

/// Gives each record the event time that `strategy` reads from it, and makes watermarks of them.
/// Goes on from `args.restored`, by `uid`, which no other operator of the job may have.
///
/// # Errors
/// [`OperatorError::Restore`] when the snapshot is not one that it can start from.
pub fn assign_watermarks<T: Element>(
    uid: &str,
    strategy: WatermarkStrategy<T>,
    args: &OpenArgs,
    next: Box<dyn Consumer<T>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    let section = saved::section(uid, "watermarks", SectionKind::Operator);
    let all: Vec<Saved> = saved::read(&section, args)?;
    let mut generator = strategy.generator();
    // Of several old subtasks the one that is behind decides.
    generator.observe(all.iter().filter_map(|saved| saved.highest).min());
    let sent = all.iter().map(|saved| saved.sent).min();
    let sent = sent.unwrap_or(Watermark::MIN);
    Ok(Box::new(AssignWatermarks {
        section,
        generator,
        strategy,
        sent,
        again: (sent > Watermark::MIN && sent < Watermark::MAX).then_some(sent),
        next,
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{Collecting, Seen, args, context, reopened, run, timed, untimed};
    use crate::watermark::Watermarks;

    #[test]
    fn the_watermark_follows_the_records_and_only_when_it_advances() {
        let (end, seen) = Collecting::new();
        let strategy = Watermarks::bounded(Duration::from_millis(10)).event_time(|n: &i64| *n);
        let mut assign = assign_watermarks("assign", strategy, &args(8), end).expect("opens");
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
        let mut assign = assign_watermarks("assign", strategy, &args(8), end).expect("opens");
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

    #[test]
    fn a_restored_generator_sends_its_watermark_again_and_goes_on_from_there() {
        let (end, seen) = Collecting::new();
        let strategy = || Watermarks::ascending().event_time(|n: &i64| *n);
        let open = |args: &OpenArgs, end| assign_watermarks("assign", strategy(), args, end);
        let mut assign = open(&args(8), end).expect("opens");
        run(&mut *assign, untimed([100]), None);
        seen.take();
        let (end, seen) = Collecting::new();
        let mut assign = reopened(&mut *assign, &args(8), |args| open(args, end));
        assert_eq!(
            assign.resume(&mut context()).expect("sends"),
            Progress::Done
        );
        run(&mut *assign, untimed([90, 102]), None);
        assert_eq!(
            seen.take(),
            [
                Seen::Watermark(99),
                Seen::Resume,
                Seen::Record(90, Some(90)),
                Seen::Record(102, Some(102)),
                Seen::Watermark(101),
            ]
        );
    }
}
