//! Runs a seed again and compares: does a seed fix a run?
//!
//! Invariant: the second run has another thread, another position and another neighbour; only what
//! the seed does not fix can tell the two apart.

use thiserror::Error;

use crate::finding::{Finding, FindingKind};
use crate::supervisor::{Limits, Outcome};
use crate::trace::{BLOCK_EVENTS, TraceHash};

/// Two runs of one seed differ.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "seed {seed} gave {first} and then {second}: the runs part after event {agreed_events}{lines}"
)]
pub struct Divergence {
    /// The seed.
    pub seed: u64,
    /// The hash of the run that was checked.
    pub first: TraceHash,
    /// The hash of the run that repeated it.
    pub second: TraceHash,
    /// The number of events at whose end both still agreed, in whole blocks.
    pub agreed_events: u64,
    /// The first differing lines of two more runs; empty if these two agreed.
    pub lines: String,
}

impl From<Divergence> for Finding {
    fn from(divergence: Divergence) -> Self {
        Self::new(FindingKind::Nondeterminism, divergence.to_string())
    }
}

/// Repeats the run of a seed and compares it with its first outcome.
///
/// # Errors
/// [`Divergence`] when the two differ.
///
/// # Examples
/// ```
/// use sameriver_sim::{Limits, run_seed, self_check};
/// let run = |seed, limits: &Limits| run_seed(seed, limits, |_| async { Ok(()) });
/// let first = run(7, &Limits::default());
/// assert_eq!(self_check(&first, &Limits::default(), run), Ok(()));
/// ```
pub fn self_check<T>(
    first: &Outcome<T>,
    limits: &Limits,
    run: impl Fn(u64, &Limits) -> Outcome<T>,
) -> Result<(), Divergence> {
    let second = run(first.seed, limits);
    if first.trace_hash == second.trace_hash && first.events == second.events {
        return Ok(());
    }
    let both = first.blocks.iter().zip(&second.blocks);
    let agreed = both.take_while(|(a, b)| a == b).count() as u64;
    let capture = Limits {
        capture: true,
        ..limits.clone()
    };
    let (a, b) = (run(first.seed, &capture), run(first.seed, &capture));
    Err(Divergence {
        seed: first.seed,
        first: first.trace_hash,
        second: second.trace_hash,
        agreed_events: agreed * BLOCK_EVENTS,
        lines: first_difference(a.trace.as_deref(), b.trace.as_deref()),
    })
}

/// The place where two captured traces part, with the line before it.
fn first_difference(a: Option<&[String]>, b: Option<&[String]>) -> String {
    let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
    let agreed = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    if agreed == a.len() && agreed == b.len() {
        return String::new();
    }
    let line = |lines: &[String], at: usize| match lines.get(at) {
        Some(line) => line.clone(),
        None => "(end)".to_owned(),
    };
    let before = agreed.checked_sub(1).map(|at| line(a, at));
    let before = before.unwrap_or_else(|| "(start)".to_owned());
    let (one, other) = (line(a, agreed), line(b, agreed));
    format!("\n  both:  {before}\n  one:   {one}\n  other: {other}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_with_the_line_before_it() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (a, b) = (lines("1 2 3 4"), lines("1 2 x 4"));
        assert_eq!(
            first_difference(Some(&a), Some(&b)),
            "\n  both:  2\n  one:   3\n  other: x"
        );
    }

    #[test]
    fn a_shorter_run_differs_at_its_end() {
        let a = ["1".to_owned()];
        assert_eq!(
            first_difference(Some(&a), Some(&[])),
            "\n  both:  (start)\n  one:   1\n  other: (end)"
        );
    }
}
