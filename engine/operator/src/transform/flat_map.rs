//! Turns each record into any number of others.

use sameriver_model::{Batch, Element};

use super::{Stateless, Transform};
use crate::consumer::Consumer;
use crate::error::UserError;
use crate::out::{Out, drain_each};
use crate::spent::Spent;

struct FlatMap<F>(F);

impl<T, O, F> Transform<T, O> for FlatMap<F>
where
    F: Fn(T, &mut Out<'_, O>) -> Result<(), UserError> + Send,
{
    fn slice(
        &self,
        batch: &mut Batch<T>,
        out: &mut Batch<O>,
        spent: &mut Spent,
    ) -> Result<(), UserError> {
        let mut out = Out::paced(out, spent);
        drain_each(batch, |record, time| {
            out.set_time(time);
            (self.0)(record, &mut out)
        })?;
        out.finish()
    }
}

/// Turns each record into those that `f` emits.
pub fn flat_map<T: Element, O: Element>(
    name: &str,
    f: impl Fn(T, &mut Out<'_, O>) + Send + 'static,
    next: Box<dyn Consumer<O>>,
) -> Box<dyn Consumer<T>> {
    let f = move |record: T, out: &mut Out<'_, O>| {
        f(record, out);
        Ok(())
    };
    try_flat_map(name, f, next)
}

/// Turns each record into those that `f` emits, or fails the job.
pub fn try_flat_map<T: Element, O: Element>(
    name: &str,
    f: impl Fn(T, &mut Out<'_, O>) -> Result<(), UserError> + Send + 'static,
    next: Box<dyn Consumer<O>>,
) -> Box<dyn Consumer<T>> {
    Box::new(Stateless::new(name, FlatMap(f), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Seen, context, failure_of, run, timed, untimed};

    #[test]
    fn results_have_the_time_of_their_input_unless_they_bring_their_own() {
        let (end, seen) = Collecting::new();
        let both = |n: u64, out: &mut Out<'_, u64>| {
            out.emit(n);
            out.emit_at(n + 1, 99);
        };
        let mut both = flat_map("both", both, end);
        run(&mut *both, timed([(1, 10), (5, 50)]), None);
        assert_eq!(
            seen.take(),
            [(1, 10), (2, 99), (5, 50), (6, 99)].map(|(n, t)| Seen::Record(n, Some(t)))
        );
    }

    #[test]
    fn mixing_results_with_and_without_time_fails_the_job() {
        let (end, _seen) = Collecting::<u64>::new();
        let mixed = |n: u64, out: &mut Out<'_, u64>| {
            out.emit(n);
            out.emit_at(n, 1);
        };
        let mut mixed = flat_map("mixed", mixed, end);
        let error = failure_of(&mut *mixed, untimed([1]), &mut context());
        assert!(error.to_string().contains("operator mixed"), "{error}");
    }
}
