//! The tumbling window with an incremental aggregate.
//!
//! Invariant: results come in the order (window end, ordered key bytes), each once, before the
//! watermark that closed its window; the state of a window is gone when it has fired.

use std::borrow::Borrow;
use std::sync::Arc;

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::probe::TimerDeed;
use sameriver_model::{Batch, Element, KeyHash, MaxParallelism, SectionWriter, Uid, Watermark};
use sameriver_state::{
    HeapTable, RestoreError, StateAddress, StateDescriptor, StateError, StateKind, TimerStore,
    WalkBudget, refuse_undeclared,
};
use thiserror::Error;

use super::panes::Panes;
use super::{Aggregate, TimeWindow, Tumbling, WindowResult};
use crate::branch::{Branch, join, join_walks};
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::{OperatorError, UserError};
use crate::event_clock::EventClock;
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::out::drain_each;
use crate::pass_on::pass_on_both;
use crate::side::Side;

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
    uid: Uid,
    descriptor: StateDescriptor,
    selector: S,
    assigner: Tumbling,
    aggregate: A,
    panes: HeapTable<S::Key, Panes<A::Acc>>,
    /// One timer a key and window, at the window's last instant.
    timers: TimerStore<S::Key>,
    /// Holds the `ordered` bytes of one key.
    scratch: Vec<u8>,
    clock: EventClock,
    /// Whether windows of the snapshot's last watermark may be due: before the first record.
    is_restored: bool,
    current: Option<Current>,
    late_dropped: u64,
    max: MaxParallelism,
    out: Batch<WindowResult<S::Key, A::Out>>,
    next: Branch<WindowResult<S::Key, A::Out>>,
    /// Late records.
    side: Side<T>,
}

/// Whether a record of `window` is late: [`Watermark::MIN`] has promised nothing.
fn is_late(window: TimeWindow, clock: Watermark) -> bool {
    clock > Watermark::MIN && window.last_instant() <= clock.time()
}

impl<T: Element, S: SelectKey<T>, A: Aggregate<T>> WindowOperator<T, S, A> {
    fn open(
        name: &str,
        selector: S,
        assigner: Tumbling,
        aggregate: A,
        late: Option<Box<dyn Consumer<T>>>,
        args: &OpenArgs,
        next: Box<dyn Consumer<WindowResult<S::Key, A::Out>>>,
    ) -> Result<Self, OperatorError> {
        let size = assigner.check();
        size.expect("the window size was checked when the job was built");
        let clock = EventClock::open(name, args)?;
        let mut operator = Self {
            name: name.into(),
            uid: Uid::new(name),
            descriptor: StateDescriptor::new::<(TimeWindow, A::Acc)>("windows", StateKind::Map),
            selector,
            assigner,
            aggregate,
            panes: HeapTable::new(args.key_groups(), args.max_parallelism),
            timers: TimerStore::new(),
            scratch: Vec::new(),
            is_restored: clock.firing.is_some(),
            clock,
            current: None,
            late_dropped: 0,
            max: args.max_parallelism,
            out: Batch::new(),
            next: Branch::new(next),
            side: Side::new(late),
        };
        let restored = operator.restore(args);
        restored.map_err(|cause| OperatorError::restore(name, cause))?;
        Ok(operator)
    }

    fn restore(&mut self, args: &OpenArgs) -> Result<(), RestoreError> {
        let Some(restored) = &args.restored else {
            return Ok(());
        };
        refuse_undeclared(restored, &self.uid, &[self.descriptor.name()], true)?;
        let of = StateAddress {
            operator: &self.uid,
            descriptor: &self.descriptor,
        };
        self.panes.restore(of, restored)?;
        let (range, max) = (args.key_groups(), args.max_parallelism);
        self.timers.restore(&self.uid, range, max, restored)
    }

    fn records(&mut self, batch: &mut Batch<T>) -> Result<(), Cause> {
        drain_each(batch, |record: T, time| {
            let time = time.ok_or(Cause::NoEventTime)?;
            let current = match self.current {
                Some(current) if current.window.contains(time) => current,
                Some(_) | None => {
                    let window = self.assigner.assign(time);
                    let late = is_late(window, self.clock.now());
                    *self.current.insert(Current { window, late })
                }
            };
            if current.late {
                self.clock.owner.late(time, self.clock.now());
                if self.side.is_wanted() {
                    self.side.push(record, Some(time));
                } else {
                    self.late_dropped += 1;
                }
                return Ok(());
            }
            let (window, aggregate) = (current.window, &self.aggregate);
            let (panes, timers, scratch) = (&mut self.panes, &mut self.timers, &mut self.scratch);
            let owner = &self.clock.owner;
            self.selector.select(&record, |key| {
                let hash = KeyHash::of(key, scratch).map_err(Cause::Key)?;
                let panes = panes.entry(hash, key, Panes::new);
                let (acc, new) = panes.open(window, || aggregate.create());
                aggregate.add(acc, &record);
                if new {
                    let registered = timers.register(window.last_instant(), key, hash, ());
                    registered.map_err(Cause::State)?;
                    owner.timer(TimerDeed::Set, hash, window.last_instant());
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
            self.clock.owner.timer(TimerDeed::Fired, due.hash, due.time);
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
            return Ok(Progress::More);
        }
        self.clock.firing = None;
        let (next, side) = (&mut self.next, &mut self.side);
        Ok(join(next.watermark(up_to, cx)?, side.watermark(up_to, cx)?))
    }

    /// Goes through the watermark that the snapshot has cut between two windows, as the task does
    /// where nothing was interrupted: before the next record.
    #[cold]
    fn fire_what_is_left(&mut self, cx: &mut Context) -> Result<(), OperatorError>
    where
        A::Out: Element,
    {
        self.is_restored = false;
        while let Some(up_to) = self.clock.firing {
            let mut progress = self.fire(up_to, cx)?;
            while self.clock.firing.is_none() && progress == Progress::More {
                progress = join(self.next.resume(cx)?, self.side.resume(cx)?);
            }
        }
        Ok(())
    }
}

impl<T: Element, S: SelectKey<T>, A: Aggregate<T>> Consumer<T> for WindowOperator<T, S, A>
where
    A::Out: Element,
{
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        if self.is_restored {
            self.fire_what_is_left(cx)?;
        }
        let done = self.records(batch);
        done.map_err(|cause| match cause {
            Cause::NoEventTime => {
                OperatorError::user(&self.name, &cx.position, UserError::from(NoEventTime))
            }
            Cause::Key(cause) => OperatorError::key::<S::Key>(&self.name, &cx.position, cause),
            Cause::State(cause) => OperatorError::state(&self.name, &cx.position, cause),
        })?;
        cx.late_dropped += std::mem::take(&mut self.late_dropped);
        self.side.hand_on(cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        if self.is_restored {
            self.fire_what_is_left(cx)?;
        }
        self.current = None;
        let up_to = self.clock.advance(watermark);
        self.fire(up_to, cx)
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        if let Some(up_to) = self.clock.firing {
            return self.fire(up_to, cx);
        }
        Ok(join(self.next.resume(cx)?, self.side.resume(cx)?))
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.clock.save(sections)?;
        self.panes.begin_snapshot();
        self.timers.begin_snapshot(self.max);
        self.next.next.snapshot(sections)?;
        self.side.snapshot(sections)
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        let of = StateAddress {
            operator: &self.uid,
            descriptor: &self.descriptor,
        };
        let mut budget = WalkBudget::of(bytes_max);
        let walked = self.panes.walk(of, &mut budget, sections);
        let walked = walked.map_err(|cause| OperatorError::snapshot(&self.name, cause))?;
        if !walked || !self.timers.walk(&self.uid, &mut budget, sections) {
            return Ok(Walk::More);
        }
        let next = self.next.next.walk(bytes_max, sections)?;
        Ok(join_walks(next, self.side.walk(bytes_max, sections)?))
    }

    fn drop_snapshot(&mut self) {
        self.panes.drop_snapshot();
        self.timers.drop_snapshot();
        self.next.next.drop_snapshot();
        self.side.drop_snapshot();
    }

    pass_on_both!();
}

/// Aggregates each key's records window by window.
///
/// Late records go to `late` if it is there; else they are dropped and counted in the context.
/// Goes on from `args.restored`, by its uid `name`.
///
/// # Errors
/// [`OperatorError::Restore`] when the snapshot is not one that it can start from.
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
) -> Result<Box<dyn Consumer<T>>, OperatorError>
where
    T: Element,
    S: SelectKey<T>,
    A: Aggregate<T>,
    A::Out: Element,
{
    let operator = WindowOperator::open(name, selector, assigner, aggregate, late, args, next)?;
    Ok(Box::new(operator))
}

#[cfg(test)]
mod tests;
