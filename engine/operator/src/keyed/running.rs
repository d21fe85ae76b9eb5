//! Sum, least and greatest of a number of each key, emitted after each record.
//!
//! Invariant: a sum that is out of range is an error; it never wraps around.

use std::sync::Arc;

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Batch, Element};
use thiserror::Error;

use super::number::Number;
use super::slots::Slots;
use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::drained::Drained;
use crate::error::{OperatorError, UserError};
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::pass_on::pass_on;
use crate::spent::Spent;

/// A sum that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the sum of a key of type {key} is out of the range of {number}: extract a wider number, or \
     reset the sum with windows"
)]
pub struct SumOverflow {
    key: &'static str,
    number: &'static str,
}

/// Why a record was not added.
enum Cause {
    Key(OrderedError),
    Overflow,
}

struct Running<T, S: SelectKey<T>, N, X, J> {
    name: Arc<str>,
    slots: Slots<S, S::Key, N>,
    extract: X,
    /// What two numbers come to; `None` when that is out of range.
    join: J,
    out: Batch<(S::Key, N)>,
    next: Box<dyn Consumer<(S::Key, N)>>,
}

impl<T, S, N, X, J> Running<T, S, N, X, J>
where
    T: Element,
    S: SelectKey<T>,
    N: Element + Clone,
    X: Fn(&T) -> N,
    J: Fn(N, N) -> Option<N>,
{
    fn records(&mut self, batch: &mut Batch<T>, spent: &mut Spent) -> Result<(), Cause> {
        let mut left = Drained::of(batch);
        while !left.ahead().is_empty() {
            let slots = self.slots.of_slice(left.ahead(), spent);
            let (keys, table) = slots.map_err(Cause::Key)?;
            for (ordinal, (hash, key)) in keys.drain(..).enumerate() {
                let next = left.next();
                let (record, time) = next.expect("a key was made of each record");
                let number = (self.extract)(&record);
                let mut is_first = false;
                let held = table.entry_ahead(ordinal, hash, &key, || {
                    is_first = true;
                    number.clone()
                });
                if !is_first {
                    *held = (self.join)(held.clone(), number).ok_or(Cause::Overflow)?;
                }
                self.out.push((key, held.clone()), time);
                left.spend(record);
            }
        }
        Ok(())
    }
}

impl<T, S, N, X, J> Consumer<T> for Running<T, S, N, X, J>
where
    T: Element,
    S: SelectKey<T>,
    N: Element + Clone,
    X: Fn(&T) -> N + Send,
    J: Fn(N, N) -> Option<N> + Send,
{
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let done = self.records(batch, &mut cx.spent);
        done.map_err(|cause| match cause {
            Cause::Key(cause) => OperatorError::key::<S::Key>(&self.name, &cx.position, cause),
            Cause::Overflow => {
                let (key, number) = (std::any::type_name::<S::Key>(), std::any::type_name::<N>());
                let cause = UserError::from(SumOverflow { key, number });
                OperatorError::user(&self.name, &cx.position, cause)
            }
        })?;
        if self.out.is_empty() {
            return Ok(());
        }
        self.next.slice(&mut self.out, cx)
    }

    pass_on!(slots);
}

fn running<T: Element, S: SelectKey<T>, N: Element + Clone>(
    name: &str,
    selector: S,
    extract: impl Fn(&T) -> N + Send + 'static,
    join: impl Fn(N, N) -> Option<N> + Send + 'static,
    args: &OpenArgs,
    next: Box<dyn Consumer<(S::Key, N)>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    Ok(Box::new(Running {
        name: name.into(),
        slots: Slots::open(name, selector, args)?,
        extract,
        join,
        out: Batch::new(),
        next,
    }))
}

/// Emits the key and the sum of its numbers so far, after each record and with its event time.
///
/// A sum of integers that is out of range fails the job; floats follow IEEE 754.
///
/// # Errors
/// [`OperatorError::Restore`] when `args.restored` is not what it can start from.
pub fn sum<T: Element, S: SelectKey<T>, N: Element + Number>(
    name: &str,
    selector: S,
    extract: impl Fn(&T) -> N + Send + 'static,
    args: &OpenArgs,
    next: Box<dyn Consumer<(S::Key, N)>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    running(name, selector, extract, N::plus, args, next)
}

/// Emits the key and the least of its numbers so far, after each record and with its event time.
///
/// What cannot be compared with the value held (a NaN) does not replace it.
///
/// # Errors
/// [`OperatorError::Restore`] when `args.restored` is not what it can start from.
pub fn min<T: Element, S: SelectKey<T>, N: Element + Clone + PartialOrd>(
    name: &str,
    selector: S,
    extract: impl Fn(&T) -> N + Send + 'static,
    args: &OpenArgs,
    next: Box<dyn Consumer<(S::Key, N)>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    let least = |held: N, new: N| Some(if new < held { new } else { held });
    running(name, selector, extract, least, args, next)
}

/// Emits the key and the greatest of its numbers so far, after each record and with its event time.
///
/// What cannot be compared with the value held (a NaN) does not replace it.
///
/// # Errors
/// [`OperatorError::Restore`] when `args.restored` is not what it can start from.
pub fn max<T: Element, S: SelectKey<T>, N: Element + Clone + PartialOrd>(
    name: &str,
    selector: S,
    extract: impl Fn(&T) -> N + Send + 'static,
    args: &OpenArgs,
    next: Box<dyn Consumer<(S::Key, N)>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    let greatest = |held: N, new: N| Some(if new > held { new } else { held });
    running(name, selector, extract, greatest, args, next)
}
