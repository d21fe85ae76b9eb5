//! What a user can get wrong in a graph.
//!
//! Invariant: every message names the thing, its value and the remedy.

use sameriver_model::ParallelismError;
use thiserror::Error;

use crate::operator::OperatorKind;

/// Something that keeps a graph from running.
///
/// ```
/// use sameriver_graph::GraphProblem;
/// let problem = GraphProblem::NoSource { job: "clicks".to_owned() };
/// assert!(problem.to_string().contains("start with `env.source(name, ..)`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GraphProblem {
    /// Nothing would ever happen.
    #[error("job {job} has no source: start with `env.source(name, ..)`")]
    NoSource {
        /// The job's name.
        job: String,
    },
    /// A source that nobody reads.
    #[error(
        "source {source_name} is not used: end its stream with a sink (`.discard(name)` drops it), \
         or remove the source"
    )]
    UnusedSource {
        /// The source's name.
        source_name: String,
    },
    /// Records that nobody takes.
    #[error(
        "the stream of {operator} leads nowhere: end it with a sink (`.discard(name)` drops it)"
    )]
    LeadsNowhere {
        /// The operator whose output it is, and which one if it is a side output.
        operator: String,
    },
    /// State that could not be found again.
    #[error("stateful operator {operator} has no uid: give it one that no other operator has")]
    UidMissing {
        /// The operator's name.
        operator: String,
    },
    /// A uid without a letter.
    #[error("the uid of operator {operator} is empty: give it one that no other operator has")]
    UidEmpty {
        /// The operator's name.
        operator: String,
    },
    /// Two operators that would share state.
    #[error("uid {uid} is given to {first} and to {second}: rename one of them")]
    UidTwice {
        /// The uid.
        uid: String,
        /// The operator that has it first.
        first: String,
        /// The operator that has it again.
        second: String,
    },
    /// Two sources or two sinks that cannot be told apart.
    #[error("two {kind}s have the name {name}: rename one of them")]
    NameTwice {
        /// Sources or sinks.
        kind: OperatorKind,
        /// The name of both.
        name: String,
    },
    /// A name without a letter.
    #[error("a {kind} ({description}) has an empty name: give it one")]
    NameEmpty {
        /// What it is.
        kind: OperatorKind,
        /// What it does.
        description: String,
    },
    /// A replacement of something that is not there.
    #[error("the job has no {kind} {name} to replace: it has {known}")]
    NothingToReplace {
        /// Sources or sinks.
        kind: OperatorKind,
        /// The name that was given.
        name: String,
        /// The names that are there, joined by commas, or `none`.
        known: String,
    },
    /// A replacement with records of another type.
    #[error(
        "{kind} {name} has records of type {found}, its replacement of {given}: give it {found}"
    )]
    OtherRecords {
        /// A source or a sink.
        kind: OperatorKind,
        /// Its name.
        name: String,
        /// The type of its records.
        found: &'static str,
        /// The type of the replacement's records.
        given: &'static str,
    },
    /// A parallelism that is zero, too large, or above the number of key groups.
    #[error("operator {operator}: {cause}")]
    Parallelism {
        /// The operator's name.
        operator: String,
        /// What is wrong with the number.
        cause: ParallelismError,
    },
}
