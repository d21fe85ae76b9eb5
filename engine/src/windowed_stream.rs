//! A keyed stream cut into windows of event time.
//!
//! Invariant: a window's result has the event time of the window's last instant, and comes once;
//! a record that is late for its window goes to the side output, or is dropped and counted.

use std::fmt;

use sameriver_graph::{Behaviour, Input, Operator, OperatorKind, Port};
use sameriver_model::Element;
use sameriver_operator::key_selector::SelectKey;
use sameriver_operator::window::{self, Aggregate, Tumbling, WindowResult};

use crate::build_error::BuildProblem;
use crate::data_stream::DataStream;
use crate::event_timed::Timed;
use crate::keyed_stream::KeyedStream;
use crate::typed;

/// A keyed stream cut into windows; [`aggregate`](Self::aggregate) makes results of them.
///
/// ```
/// use sameriver::prelude::*;
///
/// let mut env = Environment::new(Settings::default());
/// env.elements("clicks", [(1_u32, 5_i64), (1, 70_000)])
///     .watermarks(Watermarks::ascending().event_time(|click: &(u32, i64)| click.1))
///     .key_by(|click| click.0)
///     .window(Tumbling::of(mins(1)))
///     .aggregate("clicks-per-minute", Count)
///     .collect("counts")?;
/// # Ok::<(), BuildError>(())
/// ```
#[must_use = "windows without an aggregate have no results"]
pub struct WindowedStream<T, S, E = Timed> {
    pub(crate) keyed: KeyedStream<T, S, E>,
    pub(crate) windows: Tumbling,
}

impl<T, S, E> fmt::Debug for WindowedStream<T, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "windows of {:?}", self.keyed)
    }
}

/// What a window emits for a key.
type Emitted<T, S, A> = WindowResult<<S as SelectKey<T>>::Key, <A as Aggregate<T>>::Out>;

/// The results of windows.
type Results<T, S, A> = DataStream<Emitted<T, S, A>, Timed>;

impl<T: Element, S: SelectKey<T>, E> WindowedStream<T, S, E> {
    /// Folds the records of each key and window, one by one, and emits the result when the
    /// watermark passes the window's last instant.
    ///
    /// Late records are dropped and counted; see
    /// [`aggregate_with_late`](Self::aggregate_with_late).
    ///
    /// ```
    /// use sameriver::prelude::*;
    ///
    /// /// Adds up cents.
    /// #[derive(Clone)]
    /// struct Total;
    ///
    /// /// When, and how many cents.
    /// type Sale = (i64, u64);
    ///
    /// impl Aggregate<Sale> for Total {
    ///     type Acc = u64;
    ///     type Out = u64;
    ///     fn create(&self) -> u64 {
    ///         0
    ///     }
    ///     fn add(&self, total: &mut u64, sale: &Sale) {
    ///         *total += sale.1;
    ///     }
    ///     fn merge(&self, total: &mut u64, other: u64) {
    ///         *total += other;
    ///     }
    ///     fn result(&self, total: u64) -> u64 {
    ///         total
    ///     }
    /// }
    ///
    /// fn totals(env: &mut Environment) -> Result<(), BuildError> {
    ///     env.elements("sales", [(1_000, 250), (61_000, 100), (59_000, 50)])
    ///         .watermarks(Watermarks::bounded(secs(5)).event_time(|sale: &Sale| sale.0))
    ///         .key_by(|_| "all".to_owned())
    ///         .window(Tumbling::of(mins(1)))
    ///         .aggregate("totals", Total)
    ///         .map(|total| format!("{} {}", total.window, total.value))
    ///         .collect("totals")
    /// }
    /// let result = sameriver::run_blocking(totals, &Settings::default())?;
    /// let totals = result.collected::<String>("totals")?;
    /// assert_eq!(totals, ["[0ms..60000ms) 300", "[60000ms..120000ms) 100"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate<A>(self, uid: &str, aggregate: A) -> Results<T, S, A>
    where
        A: Aggregate<T>,
        A::Out: Element,
    {
        let (selector, windows) = (self.keyed.selector.clone(), self.windows);
        let behaviour = typed::link(move |name, args, next| {
            let (selector, aggregate) = (selector.clone(), aggregate.clone());
            window::aggregate(name, selector, windows, aggregate, None, args, next)
        });
        let operator = self.operator::<A>(uid, behaviour);
        self.keyed.stream.then(operator)
    }

    /// As [`aggregate`](Self::aggregate), and also gives the records that came too late.
    ///
    /// A record is late when the watermark has passed the last instant of its window. Watermarks
    /// follow slices of records (up to [`slice_records`](crate::Settings::slice_records)), so of
    /// records that were read together none is late because of another one.
    ///
    /// ```
    /// use sameriver::prelude::*;
    ///
    /// fn per_minute(env: &mut Environment) -> Result<(), BuildError> {
    ///     let (counts, late) = env
    ///         .elements("clicks", [5_i64, 70_000, 6])
    ///         .watermarks(Watermarks::bounded(secs(5)).event_time(|time: &i64| *time))
    ///         .key_by(|_| ())
    ///         .window(Tumbling::of(mins(1)))
    ///         .aggregate_with_late("clicks-per-minute", Count);
    ///     late.collect("late")?;
    ///     counts.map(|count| count.value).collect("counts")
    /// }
    /// let settings = Settings { slice_records: 1, ..Settings::default() };
    /// let result = sameriver::run_blocking(per_minute, &settings)?;
    /// assert_eq!(result.collected::<u64>("counts")?, [1, 1]);
    /// assert_eq!(result.collected::<i64>("late")?, [6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn aggregate_with_late<A>(
        self,
        uid: &str,
        aggregate: A,
    ) -> (Results<T, S, A>, DataStream<T, Timed>)
    where
        A: Aggregate<T>,
        A::Out: Element,
    {
        let (selector, windows) = (self.keyed.selector.clone(), self.windows);
        let behaviour = typed::link_with_side(move |name, args, next, late| {
            let (selector, aggregate) = (selector.clone(), aggregate.clone());
            window::aggregate(name, selector, windows, aggregate, Some(late), args, next)
        });
        let operator = self.operator::<A>(uid, behaviour);
        let operator = operator.with_output("late", typed::stream_type::<T>());
        let results = self.keyed.stream.then(operator);
        let id = results.inputs[0].from.operator;
        let late = DataStream {
            draft: results.draft.clone(),
            inputs: vec![Input::of(Port::new(id, 1))],
            types: std::marker::PhantomData,
        };
        (results, late)
    }

    fn operator<A>(&self, uid: &str, behaviour: Behaviour) -> Operator
    where
        A: Aggregate<T>,
        A::Out: Element,
    {
        if let Err(cause) = self.windows.check() {
            let uid = uid.to_owned();
            let draft = &self.keyed.stream.draft;
            draft.report(BuildProblem::Window { uid, cause });
        }
        let description = format!("tumbling window of {:?}", self.windows.size());
        Operator::new(uid, description, OperatorKind::Keyed, behaviour)
            .emits(typed::stream_type::<Emitted<T, S, A>>())
            .with_uid(uid)
            .with_states(vec!["windows".to_owned()])
    }
}
