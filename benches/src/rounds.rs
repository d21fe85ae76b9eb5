//! Runs engine and loop in turn, in one process.
//!
//! Invariant: what slows the machine down for a while meets both sides of a pair, and both
//! parallelisms of a round; quotients are taken inside a round, and their median counts.

use crate::stopwatch::{Spent, measure};

/// The parallelisms of a round.
pub const PARALLELISMS: [u32; 2] = [1, 2];

/// The engine's run and the loop's run right behind it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    engine: Spent,
    plain: Spent,
}

/// What the rounds of one stream gave.
#[derive(Clone, Debug)]
pub struct Rounds {
    records: u64,
    /// A pair a parallelism, for each round.
    all: Vec<[Pair; PARALLELISMS.len()]>,
}

impl Rounds {
    /// Runs one round to warm up, then `rounds` that count. A round is engine at parallelism 1,
    /// loop, engine at parallelism 2, loop. Each run takes `records` records.
    ///
    /// # Errors
    /// The first of either side.
    pub fn run<E>(
        rounds: usize,
        records: u64,
        mut engine: impl FnMut(u32) -> Result<(), E>,
        mut plain: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut pair = |parallelism| {
            let (done, engine) = measure(|| engine(parallelism));
            done?;
            let (done, plain) = measure(&mut plain);
            done?;
            Ok(Pair { engine, plain })
        };
        let mut round = || Ok([pair(PARALLELISMS[0])?, pair(PARALLELISMS[1])?]);
        round()?;
        let all = (0..rounds).map(|_| round()).collect::<Result<_, E>>()?;
        Ok(Self { records, all })
    }

    /// The figures of the parallelism at this position of [`PARALLELISMS`].
    pub fn figures(&self, position: usize) -> Figures {
        let pairs = || self.all.iter().map(|round| round[position]);
        let cpu = |spent: Spent| spent.cpu.as_secs_f64();
        let nanos = |spent: Spent| cpu(spent) * 1e9 / self.records as f64;
        let growth = |round: &[Pair; 2]| cpu(round[position].engine) / cpu(round[0].engine);
        Figures {
            engine_rate: median(pairs().map(|pair| pair.engine.rate(self.records))),
            plain_rate: median(pairs().map(|pair| pair.plain.rate(self.records))),
            ratio: median(pairs().map(Pair::ratio)),
            engine_cpu_nanos: median(pairs().map(|pair| nanos(pair.engine))),
            plain_cpu_nanos: median(pairs().map(|pair| nanos(pair.plain))),
            cpu_growth: median(self.all.iter().map(growth)),
        }
    }
}

impl Pair {
    fn ratio(self) -> f64 {
        self.plain.wall.as_secs_f64() / self.engine.wall.as_secs_f64()
    }
}

/// Medians over the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Records a second through the engine.
    pub engine_rate: f64,
    /// Records a second through the loop.
    pub plain_rate: f64,
    /// The engine's rate over the loop's, pair by pair.
    pub ratio: f64,
    /// CPU nanoseconds a record in the engine, all threads together.
    pub engine_cpu_nanos: f64,
    /// CPU nanoseconds a record in the loop.
    pub plain_cpu_nanos: f64,
    /// The engine's CPU time over that at parallelism 1, round by round.
    pub cpu_growth: f64,
}

/// The middle one; of an even number the lower one.
pub(crate) fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = (sorted.len().max(1) - 1) / 2;
    sorted.get(middle).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn one_disturbed_round_does_not_move_the_median() {
        let median = median([0.5, 9.0, 0.6].into_iter());
        assert_eq!(median.to_bits(), 0.6_f64.to_bits());
    }

    #[test]
    fn engine_and_loop_take_turns_and_the_first_round_does_not_count() {
        let order = std::cell::RefCell::new(String::new());
        let say = |word: &str| {
            order.borrow_mut().push_str(word);
            Ok::<(), Infallible>(())
        };
        let rounds = Rounds::run(
            1,
            1,
            |parallelism| say(&parallelism.to_string()),
            || say("L"),
        );
        assert_eq!(rounds.map(|rounds| rounds.all.len()), Ok(1));
        assert_eq!(*order.borrow(), "1L2L1L2L");
    }
}
