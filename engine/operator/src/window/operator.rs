//! The tumbling window with an incremental aggregate.
//!
//! Invariant: results come in the order (window end, ordered key bytes), each once, before the
//! watermark that closed its window; the state of a window is gone when it has fired.

use std::borrow::Borrow;
use std::sync::Arc;

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Barrier, Batch, CheckpointId, Element, KeyHash, SectionWriter, Watermark};
use sameriver_state::{HeapTable, StateError, TimerStore};
use thiserror::Error;

use super::late::Late;
use super::panes::Panes;
use super::{Aggregate, TimeWindow, Tumbling, WindowResult};
use crate::branch::{Branch, join, join_walks};
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::{OperatorError, UserError};
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::out::drain_each;

/// A record without event time met a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a record has no event time: give the stream `watermarks` before the window")]
pub struct NoEventTime;

/// Why a record was not added.
enum Cause {
    NoEventTime,
    Key(OrderedError),
    State(StateError),
}

/// The window of the last record, since the next one is mostly in it too.
#[derive(Clone, Copy)]
struct Current {
    window: TimeWindow,
    late: bool,
}

struct WindowOperator<T: Element, S: SelectKey<T>, A: Aggregate<T>> {
    name: Arc<str>,
    selector: S,
    assigner: Tumbling,
    aggregate: A,
    panes: HeapTable<S::Key, Panes<A::Acc>>,
    /// One timer a key and window, at the window's last instant.
    timers: TimerStore<S::Key>,
    /// Holds the `ordered` bytes of one key.
    scratch: Vec<u8>,
    clock: Watermark,
    current: Option<Current>,
    /// A watermark whose windows have not all fired.
    firing: Option<Watermark>,
    out: Batch<WindowResult<S::Key, A::Out>>,
    next: Branch<WindowResult<S::Key, A::Out>>,
    late: Late<T>,
}

/// Whether a record of `window` is late: [`Watermark::MIN`] has promised nothing.
fn is_late(window: TimeWindow, clock: Watermark) -> bool {
    clock > Watermark::MIN && window.last_instant() <= clock.time()
}

impl<T: Element, S: SelectKey<T>, A: Aggregate<T>> WindowOperator<T, S, A> {
    fn new(
        name: &str,
        selector: S,
        assigner: Tumbling,
        aggregate: A,
        late: Option<Box<dyn Consumer<T>>>,
        args: &OpenArgs,
        next: Box<dyn Consumer<WindowResult<S::Key, A::Out>>>,
    ) -> Self {
        let size = assigner.check();
        size.expect("the window size was checked when the job was built");
        Self {
            name: name.into(),
            selector,
            assigner,
            aggregate,
            panes: HeapTable::new(args.key_groups(), args.max_parallelism),
            timers: TimerStore::new(),
            scratch: Vec::new(),
            clock: Watermark::MIN,
            current: None,
            firing: None,
            out: Batch::new(),
            next: Branch::new(next),
            late: Late::new(late),
        }
    }

    fn records(&mut self, batch: &mut Batch<T>) -> Result<(), Cause> {
        drain_each(batch, |record: T, time| {
            let time = time.ok_or(Cause::NoEventTime)?;
            let current = match self.current {
                Some(current) if current.window.contains(time) => current,
                Some(_) | None => {
                    let window = self.assigner.assign(time);
                    let late = is_late(window, self.clock);
                    *self.current.insert(Current { window, late })
                }
            };
            if current.late {
                self.late.take(record, time);
                return Ok(());
            }
            let (window, aggregate) = (current.window, &self.aggregate);
            let (panes, timers, scratch) = (&mut self.panes, &mut self.timers, &mut self.scratch);
            self.selector.select(&record, |key| {
                let hash = KeyHash::of(key, scratch).map_err(Cause::Key)?;
                let panes = panes.entry(hash, key, Panes::new);
                let (acc, new) = panes.open(window, || aggregate.create());
                aggregate.add(acc, &record);
                if new {
                    let registered = timers.register(window.last_instant(), key, hash, ());
                    registered.map_err(Cause::State)?;
                }
                Ok(())
            })
        })
    }

    /// Fires up to `max` windows that are due; says whether there may be more.
    fn windows(&mut self, up_to: Watermark, max: usize) -> bool {
        for _ in 0..max {
            let Some(due) = self.timers.pop_due(up_to) else {
                return false;
            };
            let window = self.assigner.assign(due.time);
            let key: &S::View = due.key.borrow();
            let panes = self.panes.get_mut(due.hash, key);
            let panes = panes.expect("a key with a timer has an open window");
            let acc = panes.close(window);
            let acc = acc.expect("a timer stands for an open window");
            if panes.is_empty() {
                self.panes.remove(due.hash, key);
            }
            let result = WindowResult {
                key: due.key,
                window,
                value: self.aggregate.result(acc),
            };
            self.out.push(result, Some(window.last_instant()));
        }
        true
    }

    fn fire(&mut self, up_to: Watermark, cx: &mut Context) -> Result<Progress, OperatorError>
    where
        A::Out: Element,
    {
        let more = self.windows(up_to, cx.timers_max());
        if !self.out.is_empty() {
            self.next.next.slice(&mut self.out, cx)?;
        }
        if more {
            self.firing = Some(up_to);
            return Ok(Progress::More);
        }
        self.firing = None;
        let (next, late) = (&mut self.next, &mut self.late);
        Ok(join(next.watermark(up_to, cx)?, late.watermark(up_to, cx)?))
    }
}

impl<T: Element, S: SelectKey<T>, A: Aggregate<T>> Consumer<T> for WindowOperator<T, S, A>
where
    A::Out: Element,
{
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        let done = self.records(batch);
        done.map_err(|cause| match cause {
            Cause::NoEventTime => {
                OperatorError::user(&self.name, &cx.position, UserError::from(NoEventTime))
            }
            Cause::Key(cause) => OperatorError::key::<S::Key>(&self.name, &cx.position, cause),
            Cause::State(cause) => OperatorError::state(&self.name, &cx.position, cause),
        })?;
        self.late.hand_on(cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        self.clock = self.clock.max(watermark);
        self.current = None;
        self.fire(watermark, cx)
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        if let Some(up_to) = self.firing {
            return self.fire(up_to, cx);
        }
        Ok(join(self.next.resume(cx)?, self.late.resume(cx)?))
    }

    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        self.next.next.idle(idle, cx)?;
        self.late.idle(idle, cx)
    }

    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.next.next.flush(cx)?;
        self.late.flush(cx)
    }

    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        Ok(join(self.next.finish(cx)?, self.late.finish(cx)?))
    }

    fn has_room(&self) -> bool {
        self.next.next.has_room() && self.late.has_room()
    }

    fn barrier(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError> {
        self.next.next.barrier(barrier, cx)?;
        let late = self.late.below();
        late.map_or(Ok(()), |late| late.barrier(barrier, cx))
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.next.next.snapshot(sections)?;
        let late = self.late.below();
        late.map_or(Ok(()), |late| late.snapshot(sections))
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        let next = self.next.next.walk(bytes_max, sections)?;
        let late = self.late.below();
        let late = late.map_or(Ok(Walk::Done), |late| late.walk(bytes_max, sections));
        Ok(join_walks(next, late?))
    }

    fn drop_snapshot(&mut self) {
        self.next.next.drop_snapshot();
        if let Some(late) = self.late.below() {
            late.drop_snapshot();
        }
    }

    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        self.next.next.complete(checkpoint)?;
        let late = self.late.below();
        late.map_or(Ok(()), |late| late.complete(checkpoint))
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        let next = self.next.next.settle()?;
        let late = self.late.below();
        let late = late.map_or(Ok(Progress::Done), |late| late.settle());
        Ok(join(next, late?))
    }
}

/// Aggregates each key's records window by window.
///
/// Late records go to `late` if it is there; else they are dropped and counted in the context.
///
/// # Panics
/// If [`Tumbling::check`] refuses the assigner: the front door asks it when the job is built.
pub fn aggregate<T, S, A>(
    name: &str,
    selector: S,
    assigner: Tumbling,
    aggregate: A,
    late: Option<Box<dyn Consumer<T>>>,
    args: &OpenArgs,
    next: Box<dyn Consumer<WindowResult<S::Key, A::Out>>>,
) -> Box<dyn Consumer<T>>
where
    T: Element,
    S: SelectKey<T>,
    A: Aggregate<T>,
    A::Out: Element,
{
    Box::new(WindowOperator::new(
        name, selector, assigner, aggregate, late, args, next,
    ))
}

#[cfg(test)]
mod tests;
