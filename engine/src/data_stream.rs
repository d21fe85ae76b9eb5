//! A stream of records of one type: what the user builds a job from.
//!
//! Invariant: every method takes the stream and gives another one; only a clone lets two operators
//! read the same stream, and only then must its records be `Clone`. Nothing runs here.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use sameriver_graph::{
    Behaviour, Chaining, Input, Operator, OperatorId, OperatorKind, Port, Recovery, Route,
};
use sameriver_model::{Element, Parallelism, Partitioning, Uid};
use sameriver_operator::build;
use sameriver_operator::key_selector::{ByRef, ByValue};
use sameriver_operator::sink::Sink;
use sameriver_operator::watermark::WatermarkStrategy;
use sameriver_operator::{Consumer, Out, UserError};
use serde::Serialize;

use crate::build_error::{BuildError, BuildProblem};
use crate::environment::SharedDraft;
use crate::event_timed::{Timed, Untimed};
use crate::keyed_stream::KeyedStream;
use crate::typed;

/// A stream of records of type `T`; `E` says whether they have event times.
///
/// Functions given to a stream are `Fn + Clone + Send + Sync`: each subtask gets a clone.
///
/// ```
/// use sameriver::prelude::*;
///
/// fn long_words(env: &mut Environment) -> Result<(), BuildError> {
///     let words = env.elements("lines", ["to be or".to_owned(), "not".to_owned()])
///         .flat_map(|line: String, out: &mut Out<'_, String>| {
///             line.split(' ').for_each(|word| out.emit(word.to_owned()));
///         });
///     words.clone().filter(|word| word.len() > 2).collect("long")?;
///     words.collect("all") // the same stream, read a second time
/// }
/// sameriver::build_graph(long_words, &Settings::default())?;
/// # Ok::<(), BuildError>(())
/// ```
#[must_use = "a stream that leads nowhere is refused: end it with a sink"]
pub struct DataStream<T, E = Untimed> {
    pub(crate) draft: SharedDraft,
    pub(crate) inputs: Vec<Input>,
    pub(crate) types: PhantomData<fn() -> (T, E)>,
}

impl<T: Element + Clone, E> Clone for DataStream<T, E> {
    /// Lets another operator read the same records, each a clone.
    fn clone(&self) -> Self {
        let mut graph = self.draft.graph_mut();
        for input in &self.inputs {
            graph.allow_fan_out(input.from, typed::fan_out::<T>());
        }
        Self {
            draft: self.draft.clone(),
            inputs: self.inputs.clone(),
            types: PhantomData,
        }
    }
}

impl<T, E> fmt::Debug for DataStream<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.draft.graph();
        let names = self.inputs.iter().map(|input| input.from.operator);
        let names: Vec<_> = names.map(|id| &graph.operator(id).name).collect();
        write!(f, "stream of {names:?}")
    }
}

/// Transforms of single records.
impl<T: Element, E> DataStream<T, E> {
    /// Turns each record into another one.
    pub fn map<O, F>(self, f: F) -> DataStream<O, E>
    where
        O: Element,
        F: Fn(T) -> O + Clone + Send + Sync + 'static,
    {
        self.link("map", move |name, next| build::map(name, f.clone(), next))
    }

    /// Turns each record into another one, or fails the job.
    ///
    /// The failure names the operator, the place in the input, and the error.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let job = |env: &mut Environment| {
    ///     env.elements("words", ["1", "two"].map(String::from))
    ///         .try_map(|word| Ok(word.parse::<u64>()?))
    ///         .name("parse")
    ///         .discard("nowhere")
    /// };
    /// let error = sameriver::run_blocking(job, &Settings::default()).unwrap_err();
    /// assert!(error.to_string().contains("operator parse failed"), "{error}");
    /// ```
    pub fn try_map<O, F>(self, f: F) -> DataStream<O, E>
    where
        O: Element,
        F: Fn(T) -> Result<O, UserError> + Clone + Send + Sync + 'static,
    {
        let link = move |name: &str, next| build::try_map(name, f.clone(), next);
        self.link("try_map", link)
    }

    /// Keeps the records for which `keep` is true.
    pub fn filter<F>(self, keep: F) -> Self
    where
        F: Fn(&T) -> bool + Clone + Send + Sync + 'static,
    {
        let link = move |name: &str, next| build::filter(name, keep.clone(), next);
        self.link("filter", link)
    }

    /// Keeps the records for which `keep` is true, or fails the job.
    pub fn try_filter<F>(self, keep: F) -> Self
    where
        F: Fn(&T) -> Result<bool, UserError> + Clone + Send + Sync + 'static,
    {
        let link = move |name: &str, next| build::try_filter(name, keep.clone(), next);
        self.link("try_filter", link)
    }

    /// Turns each record into those that `f` emits: none, one or many.
    pub fn flat_map<O, F>(self, f: F) -> DataStream<O, E>
    where
        O: Element,
        F: Fn(T, &mut Out<'_, O>) + Clone + Send + Sync + 'static,
    {
        let link = move |name: &str, next| build::flat_map(name, f.clone(), next);
        self.link("flat_map", link)
    }

    /// Turns each record into those that `f` emits, or fails the job.
    pub fn try_flat_map<O, F>(self, f: F) -> DataStream<O, E>
    where
        O: Element,
        F: Fn(T, &mut Out<'_, O>) -> Result<(), UserError> + Clone + Send + Sync + 'static,
    {
        let link = move |name: &str, next| build::try_flat_map(name, f.clone(), next);
        self.link("try_flat_map", link)
    }

    /// Reads an event time off each record, and makes watermarks of them.
    ///
    /// Directly behind a source this happens per split, which keeps the disorder between splits out
    /// of the watermark; so say it there.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let mut env = Environment::new(Settings::default());
    /// env.elements("readings", [(1_000_i64, 21), (900, 20)]) // milliseconds since the epoch
    ///     .watermarks(Watermarks::bounded(secs(5)).event_time(|reading: &(i64, u32)| reading.0))
    ///     .discard("nowhere")?;
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn watermarks(self, strategy: WatermarkStrategy<T>) -> DataStream<T, Timed> {
        if let Some(id) = self.unshared_source() {
            let mut graph = self.draft.graph_mut();
            let source = graph.operator_mut(id);
            if let Behaviour::Source { watermarks, .. } = &mut source.behaviour {
                source.description = format!("{}, {strategy:?}", source.description);
                *watermarks = Some(Arc::new(strategy));
            }
            drop(graph);
            return self.marked();
        }
        // Its state is found by its place in the job: nobody has to name it.
        let uid = format!("watermarks-{}", self.draft.graph_mut().operators().len());
        let behaviour = typed::link(move |_, args, next| {
            build::assign_watermarks(&uid, strategy.clone(), args, next)
        });
        let operator = Operator::new(
            "watermarks",
            "watermarks",
            OperatorKind::Stateless,
            behaviour,
        );
        self.then(operator.emits(typed::stream_type::<T>()))
    }

    /// The source whose output this is, if nobody else reads it and nothing else was asked for.
    fn unshared_source(&self) -> Option<OperatorId> {
        let [input] = self.inputs.as_slice() else {
            return None;
        };
        let plain = match &input.route {
            Route::Auto => true,
            Route::Rebalance | Route::By(..) => false,
        };
        let alone = plain && self.draft.graph().is_unshared_source(input.from);
        alone.then_some(input.from.operator)
    }

    fn link<O: Element, E2>(
        self,
        what: &str,
        link: impl Fn(&str, Box<dyn Consumer<O>>) -> Box<dyn Consumer<T>> + Send + Sync + 'static,
    ) -> DataStream<O, E2> {
        let behaviour = typed::link(move |name, _, next| Ok(link(name, next)));
        let operator = Operator::new(what, what, OperatorKind::Stateless, behaviour);
        self.then(operator.emits(typed::stream_type::<O>()))
    }
}

/// How records get to the next operator.
impl<T: Element, E> DataStream<T, E> {
    /// Reads both streams; the watermark is the lower one of both.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let mut env = Environment::new(Settings::default());
    /// let web = env.elements("web", [1_u64, 2]);
    /// let shop = env.elements("shop", [3_u64]);
    /// web.union(shop).collect("sales")?;
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn union(mut self, other: Self) -> Self {
        self.inputs.extend(other.inputs);
        self
    }

    /// Sends records with equal keys to the same subtask.
    ///
    /// The key is computed of each record; see [`key_by_ref`](Self::key_by_ref) for one that stands
    /// in the record.
    pub fn key_by<K, F>(self, key: F) -> KeyedStream<T, ByValue<F, K>, E>
    where
        K: sameriver_model::Key,
        F: Fn(&T) -> K + Clone + Send + Sync + 'static,
    {
        KeyedStream::new(self, ByValue::new(key))
    }

    /// Sends records with equal keys to the same subtask; the key stays inside the record, so
    /// nothing is cloned a record.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let mut env = Environment::new(Settings::default());
    /// env.elements("words", ["a".to_owned()])
    ///     .map(|word| (word, 1_u64))
    ///     .key_by_ref(|(word, _)| word.as_str())
    ///     .sum("count", |(_, n)| *n)
    ///     .collect("counts")?;
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn key_by_ref<V, F>(self, key: F) -> KeyedStream<T, ByRef<F, V>, E>
    where
        V: Serialize + Eq + ToOwned + ?Sized + 'static,
        V::Owned: sameriver_model::Key,
        F: Fn(&T) -> &V + Clone + Send + Sync + 'static,
    {
        KeyedStream::new(self, ByRef::new(key))
    }

    /// Gives every subtask of the next operator an equal share of the records.
    pub fn rebalance(self) -> Self {
        self.routed(&Route::Rebalance)
    }

    /// Gives every subtask of the next operator all records.
    pub fn broadcast(self) -> Self
    where
        T: Clone,
    {
        self.routed(&Route::By(Partitioning::Broadcast, typed::broadcast::<T>()))
    }

    /// Hands records on by the default rule again: within the subtask if the next operator has the
    /// same parallelism, else rebalanced.
    pub fn forward(self) -> Self {
        self.routed(&Route::Auto)
    }

    pub(crate) fn routed(mut self, route: &Route) -> Self {
        for input in &mut self.inputs {
            input.route = route.clone();
        }
        self
    }
}

/// What is said of the operator whose output this is.
impl<T, E> DataStream<T, E> {
    /// Names the operator, for errors, logs and drawings.
    pub fn name(self, name: &str) -> Self {
        self.last("name", |operator| name.clone_into(&mut operator.name))
    }

    /// Gives the operator a name that stays over versions of the job.
    pub fn uid(self, uid: &str) -> Self {
        self.last("uid", |operator| operator.uid = Some(Uid::new(uid)))
    }

    /// Chooses how many subtasks the operator has.
    pub fn parallelism(self, subtasks: u32) -> Self {
        match Parallelism::new(subtasks) {
            Ok(chosen) => self.last("parallelism", |operator| {
                operator.parallelism = Some(chosen);
            }),
            Err(cause) => {
                let name = self.inputs.first().map(|input| {
                    let graph = self.draft.graph();
                    graph.operator(input.from.operator).name.clone()
                });
                let name = name.unwrap_or_default();
                self.draft.report(BuildProblem::parallelism(&name, cause));
                self
            }
        }
    }

    /// Keeps the operator out of any chain.
    pub fn disable_chaining(self) -> Self {
        self.last("disable_chaining", |operator| {
            operator.chaining = Chaining::Never;
        })
    }

    /// Starts a new chain with the operator.
    pub fn start_new_chain(self) -> Self {
        self.last("start_new_chain", |operator| {
            operator.chaining = Chaining::Head;
        })
    }

    fn last(self, method: &'static str, change: impl FnOnce(&mut Operator)) -> Self {
        if let [input] = self.inputs.as_slice() {
            let id = input.from.operator;
            change(self.draft.graph_mut().operator_mut(id));
        } else {
            self.draft.report(BuildProblem::NoSingleOperator { method });
        }
        self
    }
}

/// Ends.
impl<T: Element, E> DataStream<T, E> {
    /// Writes the records to a sink.
    ///
    /// No two sinks of a job have the same name.
    ///
    /// # Errors
    /// [`BuildError`] with what was wrong with the job so far, so that a job can end with its sink.
    pub fn sink(self, name: &str, sink: impl Sink<T>) -> Result<(), BuildError> {
        let recovery = recovery_of(&sink);
        self.end(name, sink, None, recovery)
    }

    /// Writes the records to a sink with so many writers: one keeps all records in one place.
    ///
    /// # Errors
    /// As [`DataStream::sink`].
    pub fn sink_at(self, name: &str, subtasks: u32, sink: impl Sink<T>) -> Result<(), BuildError> {
        match Parallelism::new(subtasks) {
            Ok(subtasks) => {
                let recovery = recovery_of(&sink);
                self.end(name, sink, Some(subtasks), recovery)
            }
            Err(cause) => {
                self.draft.report(BuildProblem::parallelism(name, cause));
                self.draft.check()
            }
        }
    }

    fn end(
        self,
        name: &str,
        sink: impl Sink<T>,
        parallelism: Option<Parallelism>,
        recovery: Recovery,
    ) -> Result<(), BuildError> {
        let description = sink.describe();
        let exclusive_output = sink.exclusive_output();
        let behaviour = typed::sink(Arc::new(sink));
        let operator = Operator::new(name, description, OperatorKind::Sink, behaviour);
        let mut operator = operator.with_recovery(recovery);
        operator.parallelism = parallelism;
        operator.exclusive_output = exclusive_output;
        self.draft.add(operator, self.inputs);
        self.draft.check()
    }

    /// Drops the records.
    ///
    /// # Errors
    /// As [`DataStream::sink`].
    pub fn discard(self, name: &str) -> Result<(), BuildError> {
        self.end(name, sameriver_connectors::Discard, None, Recovery::Exact)
    }

    /// Keeps the records for the job's result, see [`JobResult::collected`].
    ///
    /// [`JobResult::collected`]: crate::JobResult::collected
    ///
    /// # Errors
    /// As [`DataStream::sink`].
    pub fn collect(self, name: &str) -> Result<(), BuildError> {
        self.sink(name, sameriver_connectors::Collect::named(name))
    }
}

impl<T: Element + fmt::Display, E> DataStream<T, E> {
    /// Prints the records to the standard output, a line each.
    ///
    /// # Errors
    /// As [`DataStream::sink`].
    pub fn print(self, name: &str) -> Result<(), BuildError> {
        let print = sameriver_connectors::Print::lines();
        self.end(name, print, None, Recovery::Exact)
    }
}

/// What a sink shows at once it shows again after a failure.
pub(crate) fn recovery_of<T: Element>(sink: &impl Sink<T>) -> Recovery {
    if sink.commits() {
        Recovery::Exact
    } else {
        Recovery::Repeats
    }
}

impl<T, E> DataStream<T, E> {
    /// Puts an operator behind this stream.
    pub(crate) fn then<O, E2>(self, operator: Operator) -> DataStream<O, E2> {
        let id = self.draft.add(operator, self.inputs);
        DataStream {
            draft: self.draft,
            inputs: vec![Input::of(Port::main(id))],
            types: PhantomData,
        }
    }

    /// The same records, marked differently.
    pub(crate) fn marked<E2>(self) -> DataStream<T, E2> {
        DataStream {
            draft: self.draft,
            inputs: self.inputs,
            types: PhantomData,
        }
    }
}
