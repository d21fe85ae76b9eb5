//! Runs engine and loop in turn, in one process.
//!
//! Invariant: what slows the machine down for a while meets both sides of a pair; the ratio is
//! taken pair by pair, and its median counts.

use crate::stopwatch::{Spent, measure};

/// What the pairs of one case gave.
#[derive(Clone, Debug)]
pub struct Pairs {
    records: u64,
    engine: Vec<Spent>,
    plain: Vec<Spent>,
}

impl Pairs {
    /// Runs one pair to warm up, then `pairs` that count. Each side takes `records` records.
    ///
    /// # Errors
    /// The first of either side.
    pub fn run<E>(
        pairs: usize,
        records: u64,
        mut engine: impl FnMut() -> Result<(), E>,
        mut plain: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut all = Self {
            records,
            engine: Vec::new(),
            plain: Vec::new(),
        };
        for pair in 0..=pairs {
            let (done, engine) = measure(&mut engine);
            done?;
            let (done, plain) = measure(&mut plain);
            done?;
            if pair > 0 {
                all.engine.push(engine);
                all.plain.push(plain);
            }
        }
        Ok(all)
    }

    /// Records a second through the engine: the median.
    pub fn engine_rate(&self) -> f64 {
        median(self.engine.iter().map(|spent| spent.rate(self.records)))
    }

    /// Records a second through the loop: the median.
    pub fn plain_rate(&self) -> f64 {
        median(self.plain.iter().map(|spent| spent.rate(self.records)))
    }

    /// The engine's rate over the loop's: the median of the pairs.
    pub fn ratio(&self) -> f64 {
        let pairs = self.engine.iter().zip(&self.plain);
        median(pairs.map(|(engine, plain)| plain.wall.as_secs_f64() / engine.wall.as_secs_f64()))
    }

    /// The engine's CPU time a record in nanoseconds: the mean, since `/proc` counts coarsely.
    pub fn engine_cpu_nanos(&self) -> f64 {
        self.cpu_nanos(&self.engine)
    }

    /// The loop's CPU time a record in nanoseconds.
    pub fn plain_cpu_nanos(&self) -> f64 {
        self.cpu_nanos(&self.plain)
    }

    fn cpu_nanos(&self, spent: &[Spent]) -> f64 {
        let nanos: f64 = spent.iter().map(|s| s.cpu.as_secs_f64() * 1e9).sum();
        nanos / (self.records as f64 * spent.len() as f64)
    }
}

/// The middle one; of an even number the lower one.
fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get((sorted.len().max(1) - 1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_pair_does_not_move_the_median() {
        assert_eq!(
            median([0.5, 9.0, 0.6].into_iter()).to_bits(),
            0.6_f64.to_bits()
        );
    }
}
