//! I5: state equals the fold of the input.
//!
//! A job that emits its state after every record shows what a restore brought back: per key the
//! steps count up without a gap, every input takes part once, and every state follows from the one
//! before it.
//!
//! Invariant: the fold is the scenario's own; it need not know in which order records came, since
//! the steps say it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::{Compared, Invariant};
use crate::finding::Finding;

/// The state of a key after one more record, as the job showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldStep<K, I, S> {
    /// The key.
    pub key: K,
    /// How many records of the key took part, this one included.
    pub step: u64,
    /// The record.
    pub input: I,
    /// The state after it.
    pub state: S,
}

/// Checks the steps against the inputs that had to take part, each with its key, and a fold.
///
/// # Errors
/// [`Finding`] with the first key whose steps are wrong.
///
/// # Examples
/// ```
/// use sameriver_sim::{FoldStep, judge};
/// let steps = vec![
///     FoldStep { key: "a", step: 1, input: 5, state: 5 },
///     FoldStep { key: "a", step: 2, input: 7, state: 12 },
/// ];
/// let add = |state: &i64, input: &i64| state + input;
/// assert_eq!(judge::fold(steps, &[("a", 5), ("a", 7)], &0, add).unwrap().items, 2);
/// ```
pub fn fold<K, I, S>(
    steps: Vec<FoldStep<K, I, S>>,
    inputs: &[(K, I)],
    empty: &S,
    next: impl Fn(&S, &I) -> S,
) -> Result<Compared, Finding>
where
    K: Ord + Clone + Debug,
    I: Ord + Clone + Debug,
    S: PartialEq + Clone + Debug,
{
    let items = steps.len() as u64;
    let mut wanted: BTreeMap<K, Vec<I>> = BTreeMap::new();
    for (key, input) in inputs {
        wanted.entry(key.clone()).or_default().push(input.clone());
    }
    let mut shown: BTreeMap<K, Vec<FoldStep<K, I, S>>> = BTreeMap::new();
    for step in steps {
        shown.entry(step.key.clone()).or_default().push(step);
    }
    let keys: BTreeSet<K> = wanted.keys().chain(shown.keys()).cloned().collect();
    for key in keys {
        let (mut steps, mut wanted) = (
            shown.remove(&key).unwrap_or_default(),
            wanted.remove(&key).unwrap_or_default(),
        );
        steps.sort_by_key(|step| step.step);
        follow(&key, &steps, empty, &next)?;
        let mut taken: Vec<I> = steps.into_iter().map(|step| step.input).collect();
        taken.sort();
        wanted.sort();
        if taken != wanted {
            return Err(breach(format!(
                "key {key:?} has folded {} records, its input has {}; the first that differs: {}",
                taken.len(),
                wanted.len(),
                first_difference(&taken, &wanted)
            )));
        }
    }
    Ok(Compared {
        invariant: Invariant::Fold,
        items,
    })
}

fn follow<K: Debug, I: Debug, S: PartialEq + Clone + Debug>(
    key: &K,
    steps: &[FoldStep<K, I, S>],
    empty: &S,
    next: &impl Fn(&S, &I) -> S,
) -> Result<(), Finding> {
    let mut state = empty.clone();
    for (before, step) in steps.iter().enumerate() {
        let due = before as u64 + 1;
        if step.step != due {
            return Err(breach(format!(
                "key {key:?} shows step {} where step {due} is due",
                step.step
            )));
        }
        let right = next(&state, &step.input);
        if step.state != right {
            return Err(breach(format!(
                "key {key:?} shows {:?} after step {due} with {:?}, but {state:?} becomes {right:?}",
                step.state, step.input
            )));
        }
        state = right;
    }
    Ok(())
}

fn first_difference<I: Debug + PartialEq>(a: &[I], b: &[I]) -> String {
    let at = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at));
    let at = at.unwrap_or_default();
    format!("{:?} against {:?}", a.get(at), b.get(at))
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Fold, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Step = FoldStep<&'static str, (u64, i64), i64>;

    fn step(key: &'static str, step: u64, input: (u64, i64), state: i64) -> Step {
        FoldStep {
            key,
            step,
            input,
            state,
        }
    }

    fn judged(steps: Vec<Step>) -> Result<u64, String> {
        let inputs = [("a", (0, 5)), ("a", (1, 7)), ("b", (2, 1))];
        let judged = fold(steps, &inputs, &0, |sum, (_, amount)| sum + amount);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn steps_in_any_order_of_arrival_pass() {
        let steps = vec![
            step("b", 1, (2, 1), 1),
            step("a", 2, (0, 5), 12),
            step("a", 1, (1, 7), 7),
        ];
        assert_eq!(judged(steps), Ok(3));
    }

    #[test]
    fn state_that_was_lost_doubled_or_mixed_is_found() {
        let b = || step("b", 1, (2, 1), 1);
        let wrong = [
            // Lost: the second record starts anew.
            vec![step("a", 1, (0, 5), 5), step("a", 1, (1, 7), 7), b()],
            // Doubled: a record was folded twice.
            vec![step("a", 1, (0, 5), 5), step("a", 2, (0, 5), 10), b()],
            // Of another key.
            vec![step("a", 1, (0, 5), 6), step("a", 2, (1, 7), 13), b()],
            // A record is missing, or a whole key.
            vec![step("a", 1, (0, 5), 5), b()],
            vec![step("a", 1, (0, 5), 5), step("a", 2, (1, 7), 12)],
        ];
        for steps in wrong {
            assert!(judged(steps.clone()).is_err(), "{steps:?}");
        }
    }
}
