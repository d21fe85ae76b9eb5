//! Joins the records of each key into one, and emits it after each.

use std::sync::Arc;

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Batch, Element};

use super::slots::Slots;
use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::drained::Drained;
use crate::error::OperatorError;
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::pass_on::pass_on;
use crate::spent::Spent;

struct Reduce<T, S: SelectKey<T>, F> {
    name: Arc<str>,
    slots: Slots<S, S::Key, Option<T>>,
    join: F,
    out: Batch<T>,
    next: Box<dyn Consumer<T>>,
}

impl<T, S, F> Reduce<T, S, F>
where
    T: Element + Clone,
    S: SelectKey<T>,
    F: Fn(T, T) -> T,
{
    fn records(&mut self, batch: &mut Batch<T>, spent: &mut Spent) -> Result<(), OrderedError> {
        let mut left = Drained::of(batch);
        while !left.ahead().is_empty() {
            let (keys, table) = self.slots.of_slice(left.ahead(), spent)?;
            let keys = keys.iter().enumerate();
            for ((ordinal, (hash, key)), (record, time)) in keys.zip(&mut left) {
                let held = table.entry_ahead(ordinal, *hash, key, || None);
                let joined = match held.take() {
                    Some(before) => (self.join)(before, record),
                    None => record,
                };
                self.out.push(joined.clone(), time);
                *held = Some(joined);
            }
        }
        Ok(())
    }
}

impl<T, S, F> Consumer<T> for Reduce<T, S, F>
where
    T: Element + Clone,
    S: SelectKey<T>,
    F: Fn(T, T) -> T + Send,
{
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let done = self.records(batch, &mut cx.spent);
        done.map_err(|cause| OperatorError::key::<S::Key>(&self.name, &cx.position, cause))?;
        if self.out.is_empty() {
            return Ok(());
        }
        self.next.slice(&mut self.out, cx)
    }

    pass_on!(slots);
}

/// Joins the records of each key by `join(before, record)`; emits what they come to after each
/// record, with the event time of that record. Goes on from `args.restored`, by its uid `name`.
///
/// # Errors
/// [`OperatorError::Restore`] when the snapshot is not one that it can start from.
pub fn reduce<T, S>(
    name: &str,
    selector: S,
    join: impl Fn(T, T) -> T + Send + 'static,
    args: &OpenArgs,
    next: Box<dyn Consumer<T>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError>
where
    T: Element + Clone,
    S: SelectKey<T>,
{
    Ok(Box::new(Reduce {
        name: name.into(),
        slots: Slots::open(name, selector, args)?,
        join,
        out: Batch::new(),
        next,
    }))
}
