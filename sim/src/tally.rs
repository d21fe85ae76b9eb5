//! What the seeds of a batch went through together, and whether that was enough.
//!
//! Invariant: figures come from the runs themselves: a fault counts where it hurt, an oracle by
//! what it compared. Goals of coverage are judged over a batch, never over a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::fault::{Class, Effects, FaultFamily};
use crate::judge::{Compared, Invariant};

/// What one run went through.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How much of the fault menu it got.
    pub class: Class,
    /// The families that its script has.
    pub enabled: Vec<FaultFamily>,
    /// What came of them.
    pub effects: Effects,
    /// The crash points that its script is meant for.
    pub armed_at: BTreeSet<String>,
    /// The crash points at which a node crashed.
    pub crashed_at: BTreeSet<String>,
    /// Attempts that were granted.
    pub attempts: u64,
    /// Attempts that began from a checkpoint.
    pub restores: u64,
    /// Attempts in which a subtask began with state.
    pub restores_with_state: u64,
    /// Checkpoints that were published.
    pub checkpoints: u64,
    /// What the oracles compared.
    pub compared: Vec<Compared>,
    /// What sets the run apart from most.
    pub modes: BTreeSet<RunMode>,
}

/// What sets a run apart from most runs.
///
/// ```
/// assert_eq!(sameriver_sim::RunMode::OnFiles.to_string(), "checkpoints in files");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunMode {
    /// Its checkpoints are files.
    OnFiles,
    /// Its records count at least once.
    AtLeastOnce,
    /// Its restarts are not delayed exponentially.
    OtherRestarts,
    /// It has given up, as it had to.
    GaveUp,
}

impl fmt::Display for RunMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnFiles => "checkpoints in files",
            Self::AtLeastOnce => "at least once",
            Self::OtherRestarts => "other restarts",
            Self::GaveUp => "given up",
        })
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            class: Class::Calm,
            enabled: Vec::new(),
            effects: Effects::default(),
            armed_at: BTreeSet::new(),
            crashed_at: BTreeSet::new(),
            attempts: 0,
            restores: 0,
            restores_with_state: 0,
            checkpoints: 0,
            compared: Vec::new(),
            modes: BTreeSet::new(),
        }
    }
}

/// A family of faults over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilyTally {
    /// Seeds whose script has it.
    pub enabled: u64,
    /// Seeds in which it took effect.
    pub took_effect: u64,
    /// How often it took effect in all.
    pub effects: u64,
}

/// A crash point over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTally {
    /// Seeds whose script is meant for it.
    pub armed: u64,
    /// Seeds in which a node lost its power there.
    pub crashed: u64,
}

/// So many seeds of a family must be there before its share is judged.
const FAMILY_SEEDS_MIN: u64 = 200;
/// A family must take effect in one of so many seeds that have it.
const EFFECT_ONE_IN: u64 = 100;
/// So many seeds with faults must be there before restores are judged.
const RESTORE_SEEDS_MIN: u64 = 100;
/// A batch of so many seeds must go through everything.
const FULL_BATCH_SEEDS: u64 = 3_000;
/// In so many seeds of such a batch a node must crash at each crash point that is armed at all.
const STEP_SEEDS_MIN: u64 = 20;
/// So many of a hundred seeds of such a batch must restore state.
const STATE_HUNDREDTHS_MIN: u64 = 40;

/// The figures of a batch.
///
/// ```
/// use sameriver_sim::{Figures, Tally};
/// let mut tally = Tally::default();
/// tally.take(&Figures { checkpoints: 3, ..Figures::default() });
/// assert_eq!((tally.seeds, tally.checkpoints), (1, 3));
/// assert!(tally.missing().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Seeds that passed.
    pub seeds: u64,
    /// Seeds that showed nothing.
    pub vacuous: u64,
    /// Seeds with faults.
    pub with_faults: u64,
    /// By family.
    pub families: BTreeMap<FaultFamily, FamilyTally>,
    /// By crash point.
    pub steps: BTreeMap<String, StepTally>,
    /// Attempts that were granted.
    pub attempts: u64,
    /// Attempts that began from a checkpoint.
    pub restores: u64,
    /// Seeds in which a subtask began with state.
    pub seeds_with_state: u64,
    /// Checkpoints that were published.
    pub checkpoints: u64,
    /// Items by oracle.
    pub compared: BTreeMap<Invariant, u64>,
    /// Seeds by what sets them apart.
    pub modes: BTreeMap<RunMode, u64>,
}

impl Tally {
    /// Adds a run.
    pub fn take(&mut self, figures: &Figures) {
        self.seeds += 1;
        self.with_faults += u64::from(!figures.enabled.is_empty());
        for family in &figures.enabled {
            let effects = figures.effects.count(*family);
            let tally = self.families.entry(*family).or_default();
            tally.enabled += 1;
            tally.took_effect += u64::from(effects > 0);
            tally.effects += effects;
        }
        for place in &figures.armed_at {
            self.steps.entry(place.clone()).or_default().armed += 1;
        }
        for place in &figures.crashed_at {
            self.steps.entry(place.clone()).or_default().crashed += 1;
        }
        self.attempts += figures.attempts;
        self.restores += figures.restores;
        self.seeds_with_state += u64::from(figures.restores_with_state > 0);
        self.checkpoints += figures.checkpoints;
        for mode in &figures.modes {
            *self.modes.entry(*mode).or_default() += 1;
        }
        for compared in &figures.compared {
            *self.compared.entry(compared.invariant).or_default() += compared.items;
        }
    }

    /// Counts a seed that showed nothing.
    pub fn take_vacuous(&mut self) {
        self.vacuous += 1;
    }

    /// How many effects all faults had.
    pub fn effects(&self) -> u64 {
        self.families.values().map(|family| family.effects).sum()
    }

    /// What a batch of this size should have shown and has not: V2 by family and by crash point,
    /// V3, and oracles that compared nothing at all.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = self.idle_families();
        missing.extend(self.missing_steps());
        missing.extend(self.missing_restores());
        let nothing = self.compared.iter().filter(|(_, items)| **items == 0);
        missing.extend(nothing.map(|(invariant, _)| {
            format!(
                "{invariant}: the oracle compared nothing in {} seeds",
                self.seeds
            )
        }));
        missing
    }

    fn is_full_batch(&self) -> bool {
        self.seeds.saturating_add(self.vacuous) >= FULL_BATCH_SEEDS
    }

    fn missing_steps(&self) -> Vec<String> {
        let steps = self.steps.iter();
        let rare = steps.filter(|(_, step)| self.is_full_batch() && step.crashed < STEP_SEEDS_MIN);
        rare.map(|(place, step)| {
            format!(
                "V2: a node crashed at {place} in {} seeds, fewer than {STEP_SEEDS_MIN}",
                step.crashed
            )
        })
        .collect()
    }

    fn missing_restores(&self) -> Option<String> {
        let (restored, faults) = (self.seeds_with_state, self.with_faults);
        if faults >= RESTORE_SEEDS_MIN && restored == 0 {
            return Some(format!(
                "V3: none of {faults} seeds with faults restored any state"
            ));
        }
        let seeds = self.seeds.saturating_add(self.vacuous);
        let is_few = restored.saturating_mul(100) < seeds.saturating_mul(STATE_HUNDREDTHS_MIN);
        let is_judged = self.is_full_batch() && faults >= RESTORE_SEEDS_MIN;
        (is_judged && is_few).then(|| {
            format!(
                "V3: {restored} of {seeds} seeds restored state, fewer than \
                 {STATE_HUNDREDTHS_MIN} %"
            )
        })
    }

    fn idle_families(&self) -> Vec<String> {
        let families = self.families.iter();
        let idle = families.filter(|(_, tally)| {
            tally.enabled >= FAMILY_SEEDS_MIN
                && tally.took_effect.saturating_mul(EFFECT_ONE_IN) < tally.enabled
        });
        idle.map(|(family, tally)| {
            format!(
                "V2: {family} took effect in {} of the {} seeds that have it",
                tally.took_effect, tally.enabled
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(effects: u64) -> Figures {
        let mut figures = Figures {
            enabled: vec![FaultFamily::Crash],
            restores_with_state: 1,
            ..Figures::default()
        };
        figures.effects.add(FaultFamily::Crash, effects);
        figures
    }

    #[test]
    fn a_family_without_effect_is_named_once_enough_seeds_had_it() {
        let mut tally = Tally::default();
        for _ in 0..FAMILY_SEEDS_MIN - 1 {
            tally.take(&seed(0));
        }
        assert_eq!(tally.missing(), Vec::<String>::new());
        tally.take(&seed(0));
        assert_eq!(tally.missing().len(), 1);
        for _ in 0..3 {
            tally.take(&seed(2));
        }
        assert_eq!(tally.missing(), Vec::<String>::new());
        assert_eq!(tally.effects(), 6);
    }

    #[test]
    fn a_step_that_is_seldom_crashed_is_named_once_the_batch_is_full() {
        let place = || BTreeSet::from(["log.create".to_owned()]);
        let with = |armed_at, crashed_at| Figures {
            armed_at,
            crashed_at,
            ..seed(1)
        };
        let mut tally = Tally::default();
        for _ in 1..STEP_SEEDS_MIN {
            tally.take(&with(place(), place()));
        }
        while tally.seeds + 1 < FULL_BATCH_SEEDS {
            tally.take(&with(place(), BTreeSet::new()));
        }
        assert_eq!(tally.missing(), Vec::<String>::new());
        tally.take_vacuous();
        let missing = tally.missing();
        assert_eq!(missing.len(), 1);
        assert!(missing[0].starts_with("V2: a node crashed at log.create in 19 seeds"));
        tally.take(&with(BTreeSet::new(), place()));
        assert_eq!(tally.missing(), Vec::<String>::new());
    }

    #[test]
    fn a_full_batch_that_seldom_restores_state_is_named() {
        let mut tally = Tally::default();
        for ordinal in 0..FULL_BATCH_SEEDS {
            tally.take(&Figures {
                restores_with_state: u64::from(ordinal % 100 < STATE_HUNDREDTHS_MIN - 1),
                ..seed(1)
            });
        }
        let missing = tally.missing();
        assert_eq!(missing.len(), 1);
        assert!(missing[0].starts_with("V3: 1170 of 3000 seeds restored state"));
    }

    #[test]
    fn an_oracle_that_compared_nothing_is_named() {
        let mut tally = Tally::default();
        let invariant = Invariant::Timer;
        let with = |items| Figures {
            compared: vec![Compared { invariant, items }],
            ..Figures::default()
        };
        tally.take(&with(0));
        assert!(tally.missing()[0].starts_with("I12: the oracle compared nothing"));
        tally.take(&with(1));
        assert!(tally.missing().is_empty());
    }

    #[test]
    fn a_batch_that_never_restored_state_is_named() {
        let mut tally = Tally::default();
        for _ in 0..RESTORE_SEEDS_MIN {
            tally.take(&Figures {
                restores_with_state: 0,
                ..seed(1)
            });
        }
        assert!(tally.missing()[0].starts_with("V3"));
    }
}
