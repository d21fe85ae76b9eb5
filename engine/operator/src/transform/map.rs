//! Turns each record into another one; event times stay.

use sameriver_model::{Batch, Element};

use super::{Stateless, Transform};
use crate::consumer::Consumer;
use crate::error::UserError;
use crate::spent::Spent;

struct Map<F>(F);

impl<T, O, F: Fn(T) -> O + Send> Transform<T, O> for Map<F> {
    fn slice(
        &self,
        batch: &mut Batch<T>,
        out: &mut Batch<O>,
        spent: &mut Spent,
    ) -> Result<(), UserError> {
        let (records, times) = batch.parts_mut();
        let (results, result_times) = out.parts_mut();
        results.extend(records.drain(..).map(|record| {
            let result = (self.0)(record);
            spent.drop_one_for::<O>();
            result
        }));
        std::mem::swap(times, result_times);
        Ok(())
    }
}

struct TryMap<F>(F);

impl<T, O, F: Fn(T) -> Result<O, UserError> + Send> Transform<T, O> for TryMap<F> {
    fn slice(
        &self,
        batch: &mut Batch<T>,
        out: &mut Batch<O>,
        spent: &mut Spent,
    ) -> Result<(), UserError> {
        let (records, times) = batch.parts_mut();
        let (results, result_times) = out.parts_mut();
        results.reserve(records.len());
        for record in records.drain(..) {
            results.push((self.0)(record)?);
            spent.drop_one_for::<O>();
        }
        std::mem::swap(times, result_times);
        Ok(())
    }
}

/// Turns each record into another one.
pub fn map<T: Element, O: Element>(
    name: &str,
    f: impl Fn(T) -> O + Send + 'static,
    next: Box<dyn Consumer<O>>,
) -> Box<dyn Consumer<T>> {
    Box::new(Stateless::new(name, Map(f), next))
}

/// Turns each record into another one, or fails the job.
pub fn try_map<T: Element, O: Element>(
    name: &str,
    f: impl Fn(T) -> Result<O, UserError> + Send + 'static,
    next: Box<dyn Consumer<O>>,
) -> Box<dyn Consumer<T>> {
    Box::new(Stateless::new(name, TryMap(f), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Seen, context, failure_of, run, timed};

    #[test]
    fn a_map_keeps_order_event_times_and_the_place_of_watermarks() {
        let (end, seen) = Collecting::new();
        let mut map = map("double", |n: u64| n * 2, end);
        run(&mut *map, timed([(1, 10), (2, 20)]), Some(5));
        run(&mut *map, timed([(3, 30)]), None);
        assert_eq!(
            seen.take(),
            [
                Seen::Record(2, Some(10)),
                Seen::Record(4, Some(20)),
                Seen::Watermark(5),
                Seen::Record(6, Some(30))
            ]
        );
    }

    #[test]
    fn a_failing_function_is_reported_with_operator_position_and_cause() {
        let (end, _seen) = Collecting::<u64>::new();
        let parse = |n: u64| match n {
            13 => Err(UserError::msg("13 is unlucky")),
            n => Ok(n),
        };
        let mut map = try_map("parse", parse, end);
        let error = failure_of(&mut *map, timed([(1, 10), (13, 20)]), &mut context());
        assert_eq!(
            error.to_string(),
            "operator parse failed at words.txt, bytes 100..200: 13 is unlucky"
        );
    }
}
