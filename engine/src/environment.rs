//! Where a job starts: sources are added here, and the graph grows behind them.
//!
//! Invariant: an environment describes one job and runs nothing by itself; every handle of a job's
//! streams shares the one draft.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use sameriver_graph::replacement::Replacement;
use sameriver_graph::{
    Behaviour, GraphProblem, Input, JobGraph, Operator, OperatorId, OperatorKind, Port, Recovery,
    StreamGraph,
};
use sameriver_model::Element;
use sameriver_operator::source::Source;

use crate::build_error::{BuildError, BuildProblem};
use crate::data_stream::DataStream;
use crate::event_timed::Untimed;
use crate::lint;
use crate::settings::Settings;
use crate::typed;

/// The graph of a job while it is being written, and what was wrong on the way.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) graph: StreamGraph,
    problems: Vec<BuildProblem>,
}

/// A draft that all handles of a job share; a job function runs on one thread.
#[derive(Clone, Default)]
pub(crate) struct SharedDraft(Rc<RefCell<Draft>>);

impl SharedDraft {
    pub(crate) fn graph(&self) -> Ref<'_, StreamGraph> {
        Ref::map(self.0.borrow(), |draft| &draft.graph)
    }

    pub(crate) fn graph_mut(&self) -> RefMut<'_, StreamGraph> {
        RefMut::map(self.0.borrow_mut(), |draft| &mut draft.graph)
    }

    /// Adds an operator and gives the id of it.
    pub(crate) fn add(&self, operator: Operator, inputs: Vec<Input>) -> OperatorId {
        self.graph_mut().add(operator, inputs)
    }

    /// Remembers something that is wrong, to be reported with the rest.
    pub(crate) fn report(&self, problem: impl Into<BuildProblem>) {
        self.0.borrow_mut().problems.push(problem.into());
    }

    /// Fails if something was wrong so far.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        BuildError::unless_empty(self.0.borrow().problems.clone())
    }
}

/// Where a job starts.
///
/// A job is a function that takes an environment; it is run again on every node.
///
/// ```
/// use sameriver::prelude::*;
///
/// fn squares(env: &mut Environment) -> Result<(), BuildError> {
///     env.source("numbers", Elements::of(vec![1_u64, 2, 3]))
///         .map(|n| n * n)
///         .collect("squares")
/// }
/// let graph = sameriver::build_graph(squares, &Settings::default())?;
/// assert_eq!(graph.plan().vertices.len(), 1); // everything is in one chain
/// # Ok::<(), BuildError>(())
/// ```
pub struct Environment {
    settings: Settings,
    draft: SharedDraft,
}

impl Environment {
    /// An environment without sources.
    pub fn new(settings: Settings) -> Self {
        let draft = SharedDraft::default();
        draft.graph_mut().rename("job");
        Self { settings, draft }
    }

    /// An environment for a job that has no name yet but that of its function.
    pub(crate) fn of_job<J>(settings: &Settings) -> Self {
        let mut env = Self::new(settings.clone());
        env.name(crate::job::name_of(std::any::type_name::<J>()));
        env
    }

    /// Puts a replacement in its place, or remembers why it has none.
    pub(crate) fn replace(&mut self, replacement: Replacement) {
        let replaced = self.draft.graph_mut().replace(replacement);
        if let Err(problem) = replaced {
            self.draft.report(problem);
        }
    }

    /// The settings that the job will run with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Gives the job a name, for logs and drawings.
    pub fn name(&mut self, name: &str) {
        self.draft.graph_mut().rename(name);
    }

    /// Starts a stream with the records of a source.
    ///
    /// No two sources of a job have the same name.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let mut env = Environment::new(Settings::default());
    /// env.source("numbers", FileSource::lines("numbers.txt").parse(|line| Ok(line.parse::<u64>()?)))
    ///     .filter(|n| *n > 0)
    ///     .print("positive")?;
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn source<S: Source>(&mut self, name: &str, source: S) -> DataStream<S::Out> {
        let description = source.describe();
        let recovery = if source.is_replayable() {
            Recovery::Exact
        } else {
            Recovery::NotReplayable
        };
        let tells = source.tells();
        let (open, enumerator) = typed::source(name, Arc::new(source));
        let behaviour = Behaviour::Source {
            open,
            enumerator,
            watermarks: None,
        };
        let operator = Operator::new(name, description, OperatorKind::Source, behaviour)
            .emits(typed::stream_type::<S::Out>())
            .with_recovery(recovery);
        let operator = Operator { tells, ..operator };
        let id = self.draft.add(operator, Vec::new());
        DataStream {
            draft: self.draft.clone(),
            inputs: vec![Input::of(Port::main(id))],
            types: PhantomData,
        }
    }

    /// Starts a stream with records that are at hand.
    ///
    /// Records own their data: words are `String`s here, not `&str`s.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let mut env = Environment::new(Settings::default());
    /// env.elements("words", ["a", "b"].map(String::from)).discard("nowhere")?;
    /// assert!(env.build().is_ok());
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn elements<T>(
        &mut self,
        name: &str,
        records: impl IntoIterator<Item = T>,
    ) -> DataStream<T, Untimed>
    where
        T: Element + Clone + Sync,
    {
        let records: Vec<T> = records.into_iter().collect();
        self.source(name, sameriver_connectors::Elements::of(records))
    }

    /// Checks the job and chains its operators.
    ///
    /// # Errors
    /// [`BuildError`] with everything that is wrong, each with its remedy.
    pub fn build(self) -> Result<JobGraph, BuildError> {
        self.draft.check()?;
        self.settings.validate().map_err(BuildProblem::from)?;
        let lints = lint::problems(&self.draft.graph(), &self.settings);
        BuildError::unless_empty(lints)?;
        let settings = self.settings.compile().map_err(BuildProblem::from)?;
        let compiled = self.draft.graph().compile(&settings);
        let graph = compiled.map_err(|problems: Vec<GraphProblem>| {
            BuildError::of(problems.into_iter().map(BuildProblem::from).collect())
        })?;
        let slots = self.settings.check_slots(graph.plan().slots());
        slots.map_err(BuildProblem::from)?;
        Ok(graph)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.draft.graph();
        f.debug_struct("Environment")
            .field("job", &graph.name())
            .field("operators", &graph.operators())
            .finish_non_exhaustive()
    }
}
