//! What the seeds of a batch went through together, and whether that was enough.
//!
//! Invariant: figures come from the runs themselves: a fault counts where it hurt, an oracle by
//! what it compared. Goals of coverage are judged over a batch, never over a seed.

use std::collections::{BTreeMap, BTreeSet};

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
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            class: Class::Calm,
            enabled: Vec::new(),
            effects: Effects::default(),
            crashed_at: BTreeSet::new(),
            attempts: 0,
            restores: 0,
            restores_with_state: 0,
            checkpoints: 0,
            compared: Vec::new(),
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

/// So many seeds of a family must be there before its share is judged.
const FAMILY_SEEDS_MIN: u64 = 200;
/// A family must take effect in one of so many seeds that have it.
const EFFECT_ONE_IN: u64 = 100;
/// So many seeds with faults must be there before restores are judged.
const RESTORE_SEEDS_MIN: u64 = 100;

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
    /// Seeds.
    pub seeds: u64,
    /// Seeds with faults.
    pub with_faults: u64,
    /// By family.
    pub families: BTreeMap<FaultFamily, FamilyTally>,
    /// Seeds in which a node crashed there, by crash point.
    pub crashed_at: BTreeMap<String, u64>,
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
        for place in &figures.crashed_at {
            *self.crashed_at.entry(place.clone()).or_default() += 1;
        }
        self.attempts += figures.attempts;
        self.restores += figures.restores;
        self.seeds_with_state += u64::from(figures.restores_with_state > 0);
        self.checkpoints += figures.checkpoints;
        for compared in &figures.compared {
            *self.compared.entry(compared.invariant).or_default() += compared.items;
        }
    }

    /// How many effects all faults had.
    pub fn effects(&self) -> u64 {
        self.families.values().map(|family| family.effects).sum()
    }

    /// What a batch of this size should have shown and has not: V2 by family, V3, and oracles that
    /// compared nothing at all.
    pub fn missing(&self) -> Vec<String> {
        let families = self.families.iter();
        let idle = families.filter(|(_, tally)| {
            tally.enabled >= FAMILY_SEEDS_MIN
                && tally.took_effect.saturating_mul(EFFECT_ONE_IN) < tally.enabled
        });
        let mut missing: Vec<String> = idle
            .map(|(family, tally)| {
                format!(
                    "V2: {family} took effect in {} of the {} seeds that have it",
                    tally.took_effect, tally.enabled
                )
            })
            .collect();
        if self.with_faults >= RESTORE_SEEDS_MIN && self.seeds_with_state == 0 {
            let seeds = self.with_faults;
            missing.push(format!(
                "V3: none of {seeds} seeds with faults restored any state"
            ));
        }
        let nothing = self.compared.iter().filter(|(_, items)| **items == 0);
        missing.extend(nothing.map(|(invariant, _)| {
            format!(
                "{invariant}: the oracle compared nothing in {} seeds",
                self.seeds
            )
        }));
        missing
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
