//! Tests a source that can be read again.
//!
//! Invariant: every cut of every run is tried until the runs end; what comes after a cut is
//! compared with a run without one. Does not know what a split is.

use std::fmt::Debug;

use sameriver_model::Parallelism;
use sameriver_operator::source::Source;
use sameriver_runtime::World;

use super::failure::{Broken, KitFailure, Rule};
use super::source_drive::{Reading, SourceSnapshot};

/// The shapes in which a source is read: parallelism, and records a read.
const SHAPES: [(u32, usize); 4] = [(1, 1), (1, 3), (2, 1), (3, 2)];

/// Reads a source, takes a snapshot after every step, and restores it.
///
/// At each cut: the readers that were asked for the snapshot must go on as if nothing had been; new
/// readers must read exactly the rest, twice; a snapshot of restored readers is worth the same.
/// With one reader this is compared split by split, in order; with more, as a whole. Give it an
/// input of some dozens of records in several splits: the work grows with the square of both.
///
/// ```
/// use sameriver_connectors::Elements;
/// use sameriver_connectors::kit::{KitFailure, SourceKit};
///
/// async fn conforms(world: sameriver_runtime::World) -> Result<(), KitFailure> {
///     SourceKit::of(Elements::of(0..50_u64)).run(|| world.clone()).await
/// }
/// ```
pub struct SourceKit<S> {
    source: S,
}

impl<S: Source> SourceKit<S>
where
    S::Out: Ord + Clone + Debug,
{
    /// Tests this source.
    pub fn of(source: S) -> Self {
        Self { source }
    }

    /// Runs all cases; `worlds` gives the world of each attempt.
    ///
    /// # Errors
    /// The first broken rule.
    pub async fn run(&self, worlds: impl Fn() -> World) -> Result<(), KitFailure> {
        if !self.source.is_replayable() {
            return Err(KitFailure {
                case: "any".to_owned(),
                step: "open".to_owned(),
                rule: Rule::ExactlyTheRest,
                seen: "Source::is_replayable answers no".to_owned(),
            });
        }
        for (readers, max) in SHAPES {
            let shape = Shape {
                source: &self.source,
                parallelism: Parallelism::new(readers).expect("shapes have readers"),
                max,
            };
            shape.run(&worlds).await?;
        }
        Ok(())
    }
}

/// One way to read.
struct Shape<'a, S> {
    source: &'a S,
    parallelism: Parallelism,
    max: usize,
}

impl<S: Source> Shape<'_, S>
where
    S::Out: Ord + Clone + Debug,
{
    async fn run(&self, worlds: &impl Fn() -> World) -> Result<(), KitFailure> {
        let whole = async {
            let mut whole = self.open(worlds, None).await?;
            whole.run().await?;
            Ok(whole)
        };
        let whole = whole
            .await
            .map_err(|broken| self.failure("read to the end", broken))?;
        for steps in 0.. {
            let cut = self.cut(worlds, &whole, steps).await;
            let is_last = cut.map_err(|(step, broken)| {
                self.failure(&format!("{step}, {steps} reads after the start"), broken)
            })?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    fn failure(&self, step: &str, broken: Broken) -> KitFailure {
        let (readers, max) = (self.parallelism.get(), self.max);
        KitFailure {
            case: format!("{readers} readers, up to {max} records a read"),
            step: step.to_owned(),
            rule: broken.rule,
            seen: broken.seen,
        }
    }

    async fn open(
        &self,
        worlds: &impl Fn() -> World,
        from: Option<&SourceSnapshot>,
    ) -> Result<Reading<S>, Broken> {
        let world = worlds();
        Reading::open(self.source, &world, self.parallelism, self.max, from).await
    }

    /// Cuts a run after so many steps; true if it had ended by then.
    async fn cut(
        &self,
        worlds: &impl Fn() -> World,
        whole: &Reading<S>,
        steps: usize,
    ) -> Result<bool, (&'static str, Broken)> {
        let at = |step| move |broken| (step, broken);
        let mut first = self.open(worlds, None).await.map_err(at("open"))?;
        for _ in 0..steps {
            first.step().await.map_err(at("read"))?;
        }
        let is_last = first.is_finished();
        let snapshot = first.snapshot().map_err(at("snapshot"))?;
        let before: Vec<S::Out> = first.records().cloned().collect();
        let splits: Vec<Vec<S::Out>> = first.by_split(0).to_vec();

        for step in ["restore", "restore again"] {
            let mut rest = self.open(worlds, Some(&snapshot)).await.map_err(at(step))?;
            rest.run().await.map_err(at(step))?;
            let compared = self.compare(whole, (&before, &splits), &snapshot, &rest);
            compared.map_err(at(step))?;
        }
        let step = "restore a snapshot of restored readers";
        let mut middle = self.open(worlds, Some(&snapshot)).await.map_err(at(step))?;
        let renewed = middle.snapshot().map_err(at(step))?;
        let mut rest = self.open(worlds, Some(&renewed)).await.map_err(at(step))?;
        rest.run().await.map_err(at(step))?;
        let compared = self.compare(whole, (&before, &splits), &snapshot, &rest);
        compared.map_err(at(step))?;

        let step = "go on after a snapshot";
        first.run().await.map_err(at(step))?;
        same(whole.records(), first.records()).map_err(at(step))?;
        Ok(is_last)
    }

    /// What came before the cut and what came after it must be the whole.
    fn compare(
        &self,
        whole: &Reading<S>,
        (before, splits): (&[S::Out], &[Vec<S::Out>]),
        snapshot: &SourceSnapshot,
        rest: &Reading<S>,
    ) -> Result<(), Broken> {
        same(whole.records(), before.iter().chain(rest.records()))?;
        if self.parallelism != Parallelism::ONE {
            return Ok(());
        }
        // The restored splits keep their places; new ones stand behind all that were assigned.
        let mut joined = splits.to_vec();
        let restored = snapshot.readers[0].iter().map(|(position, _)| *position);
        let assigned = splits.len()..;
        for (position, records) in restored.chain(assigned).zip(rest.by_split(0)) {
            if position == joined.len() {
                joined.push(Vec::new());
            }
            joined[position].extend(records.iter().cloned());
        }
        let expected = whole.by_split(0).iter().zip(&joined).enumerate();
        for (split, (expected, joined)) in expected {
            if expected != joined {
                let seen = format!("split {split} gives {joined:?}, not {expected:?}");
                return Err(Broken::new(Rule::ExactlyTheRest, seen));
            }
        }
        Ok(())
    }
}

/// Compares without order, and names the first difference.
fn same<'a, T: Ord + Debug + 'a>(
    expected: impl Iterator<Item = &'a T>,
    read: impl Iterator<Item = &'a T>,
) -> Result<(), Broken> {
    let (mut expected, mut read): (Vec<_>, Vec<_>) = (expected.collect(), read.collect());
    expected.sort();
    read.sort();
    if expected == read {
        return Ok(());
    }
    let place = expected.iter().zip(&read).position(|(a, b)| a != b);
    let place = place.unwrap_or(expected.len().min(read.len()));
    let seen = match (expected.get(place), read.get(place)) {
        (Some(wanted), Some(found)) if found < wanted => {
            format!("record {found:?} comes a second time")
        }
        (Some(wanted), _) => format!("record {wanted:?} is lost"),
        (None, Some(found)) => format!("record {found:?} comes a second time"),
        (None, None) => "the same".to_owned(),
    };
    Err(Broken::new(Rule::ExactlyTheRest, seen))
}
