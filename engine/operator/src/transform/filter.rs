//! Keeps some of the records: sorted out inside the slice, nothing is copied to another buffer.

use std::sync::Arc;

use sameriver_model::{Batch, Element, Watermark};

use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::{OperatorError, UserError};
use crate::pass_on::pass_on;

struct Filter<F, T> {
    name: Arc<str>,
    keep: F,
    next: Box<dyn Consumer<T>>,
}

/// Drops the records that `keep` does not want; the others stay in order with their times.
#[inline]
fn retain<T>(
    batch: &mut Batch<T>,
    keep: impl Fn(&T) -> Result<bool, UserError>,
) -> Result<(), UserError> {
    let (records, times) = batch.parts_mut();
    let mut kept = 0;
    for position in 0..records.len() {
        if keep(&records[position])? {
            if kept < position {
                records.swap(kept, position);
                if let Some(times) = times {
                    times.swap(kept, position);
                }
            }
            kept += 1;
        }
    }
    records.truncate(kept);
    if let Some(times) = times {
        times.truncate(kept);
    }
    Ok(())
}

impl<T, F: Fn(&T) -> Result<bool, UserError> + Send> Consumer<T> for Filter<F, T> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let done = retain(batch, &self.keep);
        done.map_err(|cause| OperatorError::user(&self.name, &cx.position, cause))?;
        if batch.is_empty() {
            return Ok(());
        }
        self.next.slice(batch, cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.next.watermark(watermark, cx)
    }

    pass_on!();
}

/// Keeps the records for which `keep` is true.
pub fn filter<T: Element>(
    name: &str,
    keep: impl Fn(&T) -> bool + Send + 'static,
    next: Box<dyn Consumer<T>>,
) -> Box<dyn Consumer<T>> {
    try_filter(name, move |record: &T| Ok(keep(record)), next)
}

/// Keeps the records for which `keep` is true, or fails the job.
pub fn try_filter<T: Element>(
    name: &str,
    keep: impl Fn(&T) -> Result<bool, UserError> + Send + 'static,
    next: Box<dyn Consumer<T>>,
) -> Box<dyn Consumer<T>> {
    Box::new(Filter {
        name: name.into(),
        keep,
        next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Seen, context, failure_of, run, timed};

    #[test]
    fn a_filter_keeps_the_order_and_each_records_time() {
        let (end, seen) = Collecting::new();
        let mut odd = filter("odd", |n: &u64| n % 2 == 1, end);
        run(
            &mut *odd,
            timed([(2, 20), (1, 10), (4, 40), (3, 30)]),
            Some(1),
        );
        let records = [Seen::Record(1, Some(10)), Seen::Record(3, Some(30))];
        assert_eq!(seen.take(), [&records[..], &[Seen::Watermark(1)]].concat());
    }

    #[test]
    fn a_slice_of_which_nothing_is_left_goes_no_further() {
        let (end, seen) = Collecting::new();
        let mut none = filter("none", |_: &u64| false, end);
        run(&mut *none, timed([(1, 10)]), None);
        assert_eq!(seen.take(), []);
    }

    #[test]
    fn a_failing_filter_is_reported_with_its_name() {
        let (end, _seen) = Collecting::<u64>::new();
        let mut sick = try_filter("sick", |_: &u64| Err(UserError::msg("no")), end);
        let error = failure_of(&mut *sick, timed([(1, 10)]), &mut context());
        assert!(
            error.to_string().contains("operator sick failed at"),
            "{error}"
        );
    }
}
