//! A stream cut by key: what is computed per key, with state.
//!
//! Invariant: every operator here has a uid, since its state is found by it; the selector that
//! routes a record is a clone of the one that looks its state up.

use std::fmt;

use sameriver_graph::{Operator, OperatorKind, Route};
use sameriver_model::{
    Element, KeyGroupRange, MaxParallelism, Parallelism, Partitioning, SubtaskIndex,
};
use sameriver_operator::key_selector::SelectKey;
use sameriver_operator::keyed::{self, FromFn, KeyedProcess, Number};
use sameriver_operator::window::Tumbling;
use sameriver_operator::{Consumer, OpenArgs, Out, UserError};
use sameriver_state::{At, Declare, DeclareError, KeyedState};

use crate::build_error::BuildProblem;
use crate::data_stream::DataStream;
use crate::event_timed::{EventTimed, Untimed};
use crate::typed::{self, Opened};
use crate::windowed_stream::WindowedStream;

/// A stream whose records with equal keys meet in one subtask.
///
/// Every method that computes takes a uid first: the name by which the operator's state is found
/// again, so no two operators of a job have the same.
///
/// ```
/// use sameriver::prelude::*;
///
/// fn sum_per_user(env: &mut Environment) -> Result<(), BuildError> {
///     env.elements("sales", [(1_u32, 10_u64), (2, 5), (1, 7)])
///         .key_by(|(user, _)| *user)
///         .sum("sum-per-user", |(_, amount)| *amount)
///         .collect("sums")
/// }
/// let graph = sameriver::build_graph(sum_per_user, &Settings::default())?;
/// assert_eq!(graph.plan().edges.len(), 1); // by hash
/// # Ok::<(), BuildError>(())
/// ```
#[must_use = "a stream that leads nowhere is refused: end it with a sink"]
pub struct KeyedStream<T, S, E = Untimed> {
    pub(crate) stream: DataStream<T, E>,
    pub(crate) selector: S,
}

impl<T, S, E> fmt::Debug for KeyedStream<T, S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keyed {:?}", self.stream)
    }
}

impl<T: Element, S: SelectKey<T>, E> KeyedStream<T, S, E> {
    pub(crate) fn new(stream: DataStream<T, E>, selector: S) -> Self {
        let by_hash = Route::By(Partitioning::Hash, typed::hash::<T, S>(selector.clone()));
        Self {
            stream: stream.routed(&by_hash),
            selector,
        }
    }

    /// Merges the records of a key into one, and emits it each time.
    ///
    /// The first record of a key is emitted as it is.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let job = |env: &mut Environment| {
    ///     env.elements("bids", [("ann".to_owned(), 3_u64), ("ann".to_owned(), 5)])
    ///         .key_by_ref(|(name, _)| name.as_str())
    ///         .reduce("highest-bid", |highest, bid| if bid.1 > highest.1 { bid } else { highest })
    ///         .collect("highest")
    /// };
    /// let result = sameriver::run_blocking(job, &Settings::default())?;
    /// let highest = result.collected::<(String, u64)>("highest")?;
    /// assert_eq!(highest, [("ann".to_owned(), 3), ("ann".to_owned(), 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reduce<F>(self, uid: &str, merge: F) -> DataStream<T, E>
    where
        T: Clone,
        F: Fn(T, T) -> T + Clone + Send + Sync + 'static,
    {
        let selector = self.selector.clone();
        self.keyed(
            uid,
            "reduce",
            vec!["value".to_owned()],
            move |name, args, next| {
                keyed::reduce(name, selector.clone(), merge.clone(), args, next)
            },
        )
    }

    /// Adds up a number of each record, and emits (key, sum so far) each time.
    ///
    /// A sum that leaves the range of `N` fails the job.
    pub fn sum<N, F>(self, uid: &str, number: F) -> DataStream<(S::Key, N), E>
    where
        N: Element + Number,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        let selector = self.selector.clone();
        self.keyed(
            uid,
            "sum",
            vec!["value".to_owned()],
            move |name, args, next| keyed::sum(name, selector.clone(), number.clone(), args, next),
        )
    }

    /// Keeps the smallest number of a key, and emits (key, smallest so far) each time.
    pub fn min<N, F>(self, uid: &str, number: F) -> DataStream<(S::Key, N), E>
    where
        N: Element + PartialOrd + Clone,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        let selector = self.selector.clone();
        self.keyed(
            uid,
            "min",
            vec!["value".to_owned()],
            move |name, args, next| keyed::min(name, selector.clone(), number.clone(), args, next),
        )
    }

    /// Keeps the largest number of a key, and emits (key, largest so far) each time.
    pub fn max<N, F>(self, uid: &str, number: F) -> DataStream<(S::Key, N), E>
    where
        N: Element + PartialOrd + Clone,
        F: Fn(&T) -> N + Clone + Send + Sync + 'static,
    {
        let selector = self.selector.clone();
        self.keyed(
            uid,
            "max",
            vec!["value".to_owned()],
            move |name, args, next| keyed::max(name, selector.clone(), number.clone(), args, next),
        )
    }

    /// Runs a function with state and timers per key.
    ///
    /// State is declared once and reached through `at`, which knows the current key. A timer asks
    /// to be called when event time reaches an instant; at the end of the input every timer fires.
    ///
    /// ```
    /// use sameriver::prelude::*;
    ///
    /// /// Counts the clicks of each user and minute.
    /// #[derive(Clone)]
    /// struct PerMinute;
    ///
    /// /// Who clicked, and when.
    /// type Click = (String, i64);
    ///
    /// impl KeyedProcess<String, Click> for PerMinute {
    ///     type Out = String;
    ///     type States = MapState<i64, u64>; // several states: a struct that is `Copy`
    ///
    ///     fn states(
    ///         &self,
    ///         declare: &mut Declare<'_, String>,
    ///     ) -> Result<Self::States, DeclareError> {
    ///         declare.map("clicks")
    ///     }
    ///
    ///     fn record(
    ///         &self,
    ///         clicks: &Self::States,
    ///         (_, time): Click,
    ///         at: &mut At<'_, String>,
    ///         _: &mut Out<'_, String>,
    ///     ) -> Result<(), UserError> {
    ///         let minute = time / 60_000;
    ///         clicks.update(at, &minute, |count| *count.get_or_insert(0) += 1)?;
    ///         at.timer_at((minute + 1) * 60_000 - 1)?; // its last instant
    ///         Ok(())
    ///     }
    ///
    ///     fn timer(
    ///         &self,
    ///         clicks: &Self::States,
    ///         timer: Timer,
    ///         at: &mut At<'_, String>,
    ///         out: &mut Out<'_, String>,
    ///     ) -> Result<(), UserError> {
    ///         let minute = timer.time().as_millis() / 60_000;
    ///         if let Some(count) = clicks.remove(at, &minute)? {
    ///             out.emit(format!("{} in minute {minute}: {count}", at.key()));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// fn clicks_per_minute(env: &mut Environment) -> Result<(), BuildError> {
    ///     let clicks = [("ann", 1_000), ("ann", 59_999), ("ann", 60_000)];
    ///     env.elements("clicks", clicks.map(|(name, time)| (name.to_owned(), time)))
    ///         .watermarks(Watermarks::bounded(secs(5)).event_time(|click: &Click| click.1))
    ///         .key_by_ref(|click| click.0.as_str())
    ///         .process("per-minute", PerMinute)
    ///         .collect("counts")
    /// }
    /// let result = sameriver::run_blocking(clicks_per_minute, &Settings::default())?;
    /// let counts = result.collected::<String>("counts")?;
    /// assert_eq!(counts, ["ann in minute 0: 2", "ann in minute 1: 1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn process<P>(self, uid: &str, process: P) -> DataStream<P::Out, E>
    where
        P: KeyedProcess<S::Key, T>,
    {
        let states = match declared(&process) {
            Ok(states) => states,
            Err(cause) => {
                let uid = uid.to_owned();
                self.stream.draft.report(BuildProblem::State { uid, cause });
                Vec::new()
            }
        };
        let selector = self.selector.clone();
        self.keyed(uid, "process", states, move |name, args, next| {
            keyed::process(name, selector.clone(), process.clone(), args, next)
        })
    }

    /// The closure form of [`process`](Self::process): the outer closure declares state, the inner
    /// one takes a record.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// # let mut env = Environment::new(Settings::default());
    /// env.elements("words", ["a".to_owned(), "a".to_owned()])
    ///     .key_by(|word| word.clone())
    ///     .process_fn("first-only", |declare| {
    ///         let seen = declare.value::<bool>("seen")?;
    ///         Ok(move |word: String, at: &mut At<'_, String>, out: &mut Out<'_, String>| {
    ///             if !seen.update(at, |seen| seen.replace(true).is_some())? {
    ///                 out.emit(word);
    ///             }
    ///             Ok(())
    ///         })
    ///     })
    ///     .collect("firsts")?;
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn process_fn<O, D, F>(self, uid: &str, declare: D) -> DataStream<O, E>
    where
        O: Element,
        D: Fn(&mut Declare<'_, S::Key>) -> Result<F, DeclareError> + Clone + Send + Sync + 'static,
        F: Fn(T, &mut At<'_, S::Key>, &mut Out<'_, O>) -> Result<(), UserError>
            + Copy
            + Send
            + Sync
            + 'static,
    {
        self.process(uid, FromFn::new(declare))
    }

    /// Cuts the stream into windows of event time.
    pub fn window(self, windows: Tumbling) -> WindowedStream<T, S, E>
    where
        E: EventTimed,
    {
        WindowedStream {
            keyed: self,
            windows,
        }
    }

    fn keyed<O: Element>(
        self,
        uid: &str,
        what: &str,
        states: Vec<String>,
        open: impl Fn(&str, &OpenArgs, Box<dyn Consumer<O>>) -> Opened<T> + Send + Sync + 'static,
    ) -> DataStream<O, E> {
        let operator = Operator::new(uid, what, OperatorKind::Keyed, typed::link(open))
            .emits(typed::stream_type::<O>())
            .with_uid(uid)
            .with_states(states);
        self.stream.then(operator)
    }
}

/// The states that a process declares, as the drawing shows them.
fn declared<K, T, P>(process: &P) -> Result<Vec<String>, String>
where
    K: sameriver_model::Key,
    T: Element,
    P: KeyedProcess<K, T>,
{
    let max = MaxParallelism::default();
    let range = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
    let (state, _) = KeyedState::<K>::declare(range, max, |declare| process.states(declare))
        .map_err(|error: DeclareError| error.to_string())?;
    Ok(state
        .descriptors()
        .iter()
        .map(ToString::to_string)
        .collect())
}
