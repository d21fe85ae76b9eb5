//! The keyed process operator: a user's function with keyed state and event-time timers.
//!
//! Invariant: the order of records and watermarks is kept; a timer fires when the watermark of the
//! operator's own clock reaches its time, in the order (time, ordered key bytes), and until all due
//! ones have fired no input is taken and the watermark goes no further.

use std::marker::PhantomData;
use std::sync::Arc;

use sameriver_model::{Batch, Element, EventTime, Key, SectionWriter, Uid, Watermark};
use sameriver_state::{At, Declare, DeclareError, KeyedState, WalkBudget};

use super::keys_ahead::KeysAhead;
use crate::consumer::{Consumer, Progress, Walk};
use crate::context::{Context, Position};
use crate::drained::Drained;
use crate::error::{OperatorError, UserError};
use crate::event_clock::EventClock;
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::out::Out;
use crate::pass_on::pass_on;

/// A timer that fires.
///
/// ```
/// use sameriver_model::EventTime;
/// let timer = sameriver_operator::Timer::at(EventTime::from_millis(5));
/// assert_eq!(timer.time().as_millis(), 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    time: EventTime,
}

impl Timer {
    /// A timer of this event time.
    pub const fn at(time: EventTime) -> Self {
        Self { time }
    }

    /// The event time that it was set for.
    pub const fn time(self) -> EventTime {
        self.time
    }
}

/// A function over the records of one key, with state and timers.
///
/// The function itself is shared and has no plain fields to change: what it remembers is in the
/// declared states, reached through `at`.
///
/// ```
/// use sameriver_operator::{KeyedProcess, Out, UserError};
/// use sameriver_state::{At, Declare, DeclareError, ValueState};
///
/// /// Numbers the records of each key.
/// #[derive(Clone)]
/// struct Number;
///
/// impl KeyedProcess<String, u64> for Number {
///     type Out = (u64, u64);
///     type States = ValueState<u64>;
///
///     fn states(&self, declare: &mut Declare<'_, String>) -> Result<Self::States, DeclareError> {
///         declare.value("count")
///     }
///
///     fn record(
///         &self,
///         count: &ValueState<u64>,
///         record: u64,
///         at: &mut At<'_, String>,
///         out: &mut Out<'_, (u64, u64)>,
///     ) -> Result<(), UserError> {
///         let number = count.update(at, |count| {
///             let count = count.get_or_insert(0);
///             *count += 1;
///             *count
///         })?;
///         out.emit((number, record));
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a keyed process over records `{T}` with key `{K}`",
    label = "not a `KeyedProcess<{K}, {T}>`",
    note = "implement `KeyedProcess<{K}, {T}>` for a type that is `Clone + Send + Sync + 'static`, or use `process_fn`"
)]
pub trait KeyedProcess<K: Key, T: Element>: Clone + Send + Sync + 'static {
    /// What it emits.
    type Out: Element;
    /// Its state handles, and nothing else.
    type States: Copy + Send + Sync + 'static;

    /// Declares the states; runs when the job is built and at each start of a subtask, and must
    /// declare the same each time.
    ///
    /// # Errors
    /// [`DeclareError`] when a declaration is refused.
    fn states(&self, declare: &mut Declare<'_, K>) -> Result<Self::States, DeclareError>;

    /// Takes one record.
    ///
    /// # Errors
    /// Whatever fails the job.
    fn record(
        &self,
        states: &Self::States,
        record: T,
        at: &mut At<'_, K>,
        out: &mut Out<'_, Self::Out>,
    ) -> Result<(), UserError>;

    /// Takes a timer that fires; what it emits has the timer's time.
    ///
    /// # Errors
    /// Whatever fails the job.
    fn timer(
        &self,
        states: &Self::States,
        timer: Timer,
        at: &mut At<'_, K>,
        out: &mut Out<'_, Self::Out>,
    ) -> Result<(), UserError> {
        let _ = (states, timer, at, out);
        Ok(())
    }
}

/// The closure form of a [`KeyedProcess`]: the outer closure declares, the inner one takes records.
///
/// ```
/// use sameriver_operator::{FromFn, KeyedProcess, Out};
/// use sameriver_state::{At, Declare};
///
/// fn is_process<P: KeyedProcess<u32, u64, Out = u64>>(_: &P) {}
///
/// // Lets the first record of each key through.
/// let first = FromFn::new(|declare: &mut Declare<'_, u32>| {
///     let seen = declare.value::<bool>("seen")?;
///     Ok(move |n: u64, at: &mut At<'_, u32>, out: &mut Out<'_, u64>| {
///         if !seen.update(at, |seen| seen.replace(true).is_some())? {
///             out.emit(n);
///         }
///         Ok(())
///     })
/// });
/// is_process(&first);
/// ```
pub struct FromFn<D, O> {
    declare: D,
    out: PhantomData<fn() -> O>,
}

impl<D, O> FromFn<D, O> {
    /// Wraps the declaring closure.
    pub fn new<K, T, F>(declare: D) -> Self
    where
        K: Key,
        D: Fn(&mut Declare<'_, K>) -> Result<F, DeclareError>,
        F: Fn(T, &mut At<'_, K>, &mut Out<'_, O>) -> Result<(), UserError>,
    {
        Self {
            declare,
            out: PhantomData,
        }
    }
}

impl<D: Clone, O> Clone for FromFn<D, O> {
    fn clone(&self) -> Self {
        Self {
            declare: self.declare.clone(),
            out: PhantomData,
        }
    }
}

impl<K, T, O, D, F> KeyedProcess<K, T> for FromFn<D, O>
where
    K: Key,
    T: Element,
    O: Element,
    D: Fn(&mut Declare<'_, K>) -> Result<F, DeclareError> + Clone + Send + Sync + 'static,
    F: Fn(T, &mut At<'_, K>, &mut Out<'_, O>) -> Result<(), UserError>
        + Copy
        + Send
        + Sync
        + 'static,
{
    type Out = O;
    type States = F;

    fn states(&self, declare: &mut Declare<'_, K>) -> Result<F, DeclareError> {
        (self.declare)(declare)
    }

    #[inline]
    fn record(
        &self,
        take: &F,
        record: T,
        at: &mut At<'_, K>,
        out: &mut Out<'_, O>,
    ) -> Result<(), UserError> {
        take(record, at, out)
    }
}

struct Process<T: Element, S: SelectKey<T>, P: KeyedProcess<S::Key, T>> {
    name: Arc<str>,
    uid: Uid,
    selector: S,
    function: P,
    states: P::States,
    state: KeyedState<S::Key>,
    /// Reused, so that a borrowed key needs no allocation.
    ahead: KeysAhead<S::Key>,
    clock: EventClock,
    /// Whether timers of the snapshot's last watermark may be due: before the first record.
    is_restored: bool,
    out: Batch<P::Out>,
    next: Box<dyn Consumer<P::Out>>,
}

/// Why a record was not processed.
enum Cause {
    Key(sameriver_model::codec::ordered::OrderedError),
    User(UserError),
}

impl<T: Element, S: SelectKey<T>, P: KeyedProcess<S::Key, T>> Process<T, S, P> {
    fn records(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), Cause> {
        let (mut left, mut out) = (Drained::of(batch), Out::new(&mut self.out, None));
        while !left.ahead().is_empty() {
            let keys = self.ahead.read(&self.selector, left.ahead(), &mut cx.spent);
            let keys = keys.map_err(Cause::Key)?;
            self.state.look_ahead(keys);
            for ((ordinal, (hash, key)), (record, time)) in keys.iter().enumerate().zip(&mut left) {
                out.set_time(time);
                let mut at = self.state.at(key, *hash, time, self.clock.now(), cx.now());
                at.ahead(ordinal);
                let done = self
                    .function
                    .record(&self.states, record, &mut at, &mut out);
                done.map_err(Cause::User)?;
            }
        }
        out.finish().map_err(Cause::User)
    }

    /// Fires up to `max` timers that are due; says whether there may be more.
    fn timers(&mut self, up_to: Watermark, cx: &Context) -> Result<bool, UserError> {
        let mut out = Out::new(&mut self.out, None);
        for _ in 0..cx.timers_max() {
            let Some(due) = self.state.pop_timer(up_to) else {
                out.finish()?;
                return Ok(false);
            };
            out.set_time(Some(due.time));
            let time = Some(due.time);
            let mut at = self.state.at(&due.key, due.hash, time, up_to, cx.now());
            let timer = Timer::at(due.time);
            self.function
                .timer(&self.states, timer, &mut at, &mut out)?;
        }
        out.finish()?;
        Ok(true)
    }

    fn fire(&mut self, up_to: Watermark, cx: &mut Context) -> Result<Progress, OperatorError> {
        let more = self.timers(up_to, cx);
        // A timer has no record, so no position.
        let more = more.map_err(|cause| OperatorError::user(&self.name, &Position::None, cause))?;
        self.hand_on(cx)?;
        if more {
            return Ok(Progress::More);
        }
        self.clock.firing = None;
        self.next.watermark(up_to, cx)
    }

    /// Goes through the watermark that the snapshot has cut between two timers, as the task does
    /// where nothing was interrupted: before the next record.
    #[cold]
    fn fire_what_is_left(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.is_restored = false;
        while let Some(up_to) = self.clock.firing {
            let mut progress = self.fire(up_to, cx)?;
            while self.clock.firing.is_none() && progress == Progress::More {
                progress = self.next.resume(cx)?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.next.slice(&mut self.out, cx)
    }
}

impl<T: Element, S: SelectKey<T>, P: KeyedProcess<S::Key, T>> Consumer<T> for Process<T, S, P> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        if self.is_restored {
            self.fire_what_is_left(cx)?;
        }
        let done = self.records(batch, cx);
        done.map_err(|cause| match cause {
            Cause::Key(cause) => OperatorError::key::<S::Key>(&self.name, &cx.position, cause),
            Cause::User(cause) => OperatorError::user(&self.name, &cx.position, cause),
        })?;
        self.hand_on(cx)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        if self.is_restored {
            self.fire_what_is_left(cx)?;
        }
        let up_to = self.clock.advance(watermark);
        self.fire(up_to, cx)
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        match self.clock.firing {
            Some(up_to) => self.fire(up_to, cx),
            None => self.next.resume(cx),
        }
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.clock.save(sections)?;
        self.state.begin_snapshot();
        self.next.snapshot(sections)
    }

    fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        let mut budget = WalkBudget::of(bytes_max);
        let walked = self.state.walk(&self.uid, &mut budget, sections);
        if !walked.map_err(|cause| OperatorError::snapshot(&self.name, cause))? {
            return Ok(Walk::More);
        }
        self.next.walk(bytes_max, sections)
    }

    fn drop_snapshot(&mut self) {
        self.state.drop_snapshot();
        self.next.drop_snapshot();
    }

    pass_on!(stateful except resume);
}

/// Runs `process` for each key, with the states of the key groups of this subtask: those of
/// `args.restored`, found by its uid `name`, if there are any.
///
/// # Errors
/// [`OperatorError`] when a declaration of a state is refused, or the snapshot is not one that it
/// can start from.
pub fn process<T: Element, S: SelectKey<T>, P: KeyedProcess<S::Key, T>>(
    name: &str,
    selector: S,
    process: P,
    args: &OpenArgs,
    next: Box<dyn Consumer<P::Out>>,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    let (range, max) = (args.key_groups(), args.max_parallelism);
    let declared = KeyedState::declare(range, max, |declare| process.states(declare));
    let (state, states) = declared
        .map_err(|cause: DeclareError| OperatorError::state(name, &Position::None, cause))?;
    let (uid, clock) = (Uid::new(name), EventClock::open(name, args)?);
    let mut state = state.owned_by(clock.owner.clone());
    if let Some(restored) = &args.restored {
        let done = state.restore(&uid, restored);
        done.map_err(|cause| OperatorError::restore(name, cause))?;
    }
    Ok(Box::new(Process {
        name: name.into(),
        uid,
        selector,
        function: process,
        states,
        state,
        ahead: KeysAhead::new(),
        is_restored: clock.firing.is_some(),
        clock,
        out: Batch::new(),
        next,
    }))
}
