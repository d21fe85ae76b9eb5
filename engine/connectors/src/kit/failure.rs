//! What a connector did wrong, in which step.
//!
//! Invariant: a rule is one sentence of the contracts; its text is what the author of a connector
//! reads first. Does not know how it was found out.

use std::fmt;
use std::time::Duration;

use sameriver_runtime::World;
use thiserror::Error;

/// How long the kit waits for one answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a connector must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A call that should work fails.
    Works,
    /// A writer, a committer or a reader does not answer, and wakes nobody.
    Answers,
    /// Records are visible that no commit has let go.
    HiddenBeforeCommit,
    /// A record is visible more often than it was committed.
    CommittedOnce,
    /// A commit was a success, and its records are not visible.
    CommittedIsVisible,
    /// At the end of the job something staged is left that nobody will commit.
    NothingLeftOver,
    /// A split is in no snapshot and was not read to its end, or is in two.
    SplitsOnce,
    /// A reader that goes on from a snapshot does not read exactly the rest.
    ExactlyTheRest,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "a call that should work must not fail",
            Self::Answers => "who has to wait wakes the slot and answers",
            Self::HiddenBeforeCommit => "what no commit has let go must not be visible",
            Self::CommittedOnce => "what is committed, however often, is visible once",
            Self::CommittedIsVisible => "what a commit reported as done is visible",
            Self::NothingLeftOver => "at the end of the job nothing staged is left",
            Self::SplitsOnce => "a split is in one place, until it has ended",
            Self::ExactlyTheRest => "a restored reader reads exactly the rest",
        })
    }
}

/// The first rule that a connector broke.
///
/// ```
/// use sameriver_connectors::kit::{KitFailure, Rule};
/// let failure = KitFailure {
///     case: "crash after stage c1".to_owned(),
///     step: "stage c2 of a1.2".to_owned(),
///     rule: Rule::HiddenBeforeCommit,
///     seen: "record 7".to_owned(),
/// };
/// assert_eq!(
///     failure.to_string(),
///     "in the case \"crash after stage c1\", at the step \"stage c2 of a1.2\": record 7: \
///      what no commit has let go must not be visible",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("in the case {case:?}, at the step {step:?}: {seen}: {rule}")]
pub struct KitFailure {
    /// What was done to the connector.
    pub case: String,
    /// The step after which the rule was broken.
    pub step: String,
    /// The rule.
    pub rule: Rule,
    /// What was seen.
    pub seen: String,
}

/// A broken rule without its place.
pub(super) struct Broken {
    pub(super) rule: Rule,
    pub(super) seen: String,
}

impl Broken {
    pub(super) fn new(rule: Rule, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        Self { rule, seen }
    }

    pub(super) fn works(error: &dyn fmt::Display) -> Self {
        Self::new(
            Rule::Works,
            format!("it says {error:?}", error = error.to_string()),
        )
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn patiently<R>(
    world: &World,
    what: &str,
    work: impl Future<Output = R>,
) -> Result<R, Broken> {
    let answer = world.timeout(PATIENCE, work).await;
    answer.map_err(|late| Broken::new(Rule::Answers, format!("{what}: {late}")))
}
