//! Sources and sinks that a test puts in the place of those that a job names.
//!
//! Invariant: the job function stays as it is; what is replaced is found by name and checked by the
//! type of its records.

use std::any::{TypeId, type_name};
use std::fmt;
use std::sync::Arc;

use sameriver_graph::replacement::Replacement;
use sameriver_graph::{Behaviour, JobGraph, OperatorKind, Recovery};
use sameriver_model::Element;
use sameriver_operator::sink::Sink;
use sameriver_operator::source::{Source, Tells};

use crate::build_error::BuildError;
use crate::data_stream::recovery_of;
use crate::environment::Environment;
use crate::settings::Settings;
use crate::typed;

/// Sources and sinks for the places of those that have their names.
///
/// ```
/// use sameriver::prelude::*;
/// use sameriver::{Replacements, build_graph_with};
///
/// fn lengths(env: &mut Environment) -> Result<(), BuildError> {
///     let lines = env.source("lines", FileSource::lines("input.txt"));
///     lines.map(|line| line.len() as u64).print("lengths")
/// }
/// let words = Elements::of(["to", "be"].map(String::from));
/// let replacements = Replacements::new().source("lines", words);
/// let graph = build_graph_with(lengths, &Settings::default(), &replacements)?;
/// assert!(graph.to_text().contains("2 elements"));
///
/// let numbers = Replacements::new().source("lines", Elements::of([1_u64]));
/// assert!(build_graph_with(lengths, &Settings::default(), &numbers).is_err());
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct Replacements(Vec<Replacement>);

impl Replacements {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `source` instead of the source of that name.
    pub fn source<S: Source>(mut self, name: &str, source: S) -> Self {
        let description = source.describe();
        let recovery = if source.is_replayable() {
            Recovery::Exact
        } else {
            Recovery::NotReplayable
        };
        let tells = source.tells();
        let (open, enumerator) = typed::source(name, Arc::new(source));
        self.0.push(Replacement {
            name: name.to_owned(),
            kind: OperatorKind::Source,
            type_id: TypeId::of::<S::Out>(),
            type_name: type_name::<S::Out>(),
            description,
            recovery,
            tells,
            behaviour: Behaviour::Source {
                open,
                enumerator,
                watermarks: None,
            },
        });
        self
    }

    /// Writes to `sink` instead of the sink of that name.
    pub fn sink<T: Element>(mut self, name: &str, sink: impl Sink<T>) -> Self {
        self.0.push(Replacement {
            name: name.to_owned(),
            kind: OperatorKind::Sink,
            type_id: TypeId::of::<T>(),
            type_name: type_name::<T>(),
            description: sink.describe(),
            recovery: recovery_of(&sink),
            tells: Tells::default(),
            behaviour: typed::sink(Arc::new(sink)),
        });
        self
    }
}

impl fmt::Debug for Replacements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replaced = self.0.iter().map(|r| format!("{} {}", r.kind, r.name));
        f.debug_list().entries(replaced).finish()
    }
}

/// Runs a job function once, puts the replacements in and chains the operators.
///
/// # Errors
/// [`BuildError`] with everything that is wrong, each with its remedy; also when a replacement has
/// no place, or other records than what it replaces.
pub fn build_graph_with<J>(
    job: J,
    settings: &Settings,
    replacements: &Replacements,
) -> Result<JobGraph, BuildError>
where
    J: Fn(&mut Environment) -> Result<(), BuildError>,
{
    let mut env = Environment::of_job::<J>(settings);
    job(&mut env)?;
    for replacement in &replacements.0 {
        env.replace(replacement.clone());
    }
    env.build()
}
