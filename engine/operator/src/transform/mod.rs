//! Operators without state: each takes slices, and holds nothing between them but its buffer.
//!
//! Invariant: the user's function is monomorphised inside the loop over a slice; the call to the
//! next link is the only virtual one, once a slice. The buffer is reused from slice to slice.

mod assign_watermarks;
mod fan_out;
mod filter;
mod flat_map;
mod map;
mod poison;

use std::marker::PhantomData;
use std::sync::Arc;

use sameriver_model::{Batch, Watermark};

use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::{OperatorError, UserError};
use crate::pass_on::pass_on;
use crate::spent::Spent;

pub use assign_watermarks::assign_watermarks;
pub use fan_out::fan_out;
pub use filter::{filter, try_filter};
pub use flat_map::{flat_map, try_flat_map};
pub use map::{map, try_map};
pub use poison::{DeadLetter, OnError, try_filter_or, try_flat_map_or, try_map_or};

/// The loop over a slice.
trait Transform<T, O>: Send {
    /// Takes all records out of `batch` and appends what comes of them to `out` (which is empty).
    /// It drops one of the `spent` records for each that it makes.
    fn slice(
        &self,
        batch: &mut Batch<T>,
        out: &mut Batch<O>,
        spent: &mut Spent,
    ) -> Result<(), UserError>;
}

/// The link around a [`Transform`].
struct Stateless<X, T, O> {
    name: Arc<str>,
    transform: X,
    out: Batch<O>,
    next: Box<dyn Consumer<O>>,
    input: PhantomData<fn(T)>,
}

impl<X, T, O> Stateless<X, T, O> {
    fn new(name: &str, transform: X, next: Box<dyn Consumer<O>>) -> Self {
        Self {
            name: name.into(),
            transform,
            out: Batch::new(),
            next,
            input: PhantomData,
        }
    }
}

impl<T, O: Send, X: Transform<T, O>> Consumer<T> for Stateless<X, T, O> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let done = self.transform.slice(batch, &mut self.out, &mut cx.spent);
        done.map_err(|cause| OperatorError::user(&self.name, &cx.position, cause))?;
        if self.out.is_empty() {
            return Ok(());
        }
        self.next.slice(&mut self.out, cx)
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
