//! Named streams of random numbers.
//!
//! Invariant: a stream depends on its seed alone: a draw from one stream never moves another.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// An endless stream of random numbers, equal for equal seeds on every platform.
///
/// ```
/// use sameriver_runtime::RandomStream;
/// let draw = |name| RandomStream::named(7, name).next_u64();
/// assert_eq!(draw("faults"), draw("faults"));
/// assert_ne!(draw("faults"), draw("workload"));
/// ```
#[derive(Clone, Debug)]
pub struct RandomStream(ChaCha8Rng);

impl RandomStream {
    /// The stream `name` of the family that `seed` fixes.
    pub fn named(seed: u64, name: &str) -> Self {
        let mut bytes = [0; 32];
        for (part, chunk) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
            let hash = xxhash_rust::xxh3::xxh3_64_with_seed(name.as_bytes(), seed ^ (part << 56));
            chunk.copy_from_slice(&(hash ^ seed.rotate_left(part as u32 * 16)).to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(bytes))
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw needs at least one outcome");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    ///
    /// # Panics
    /// If `low > high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range has no outcome");
        match (high - low).checked_add(1) {
            Some(span) => low + self.below(span),
            None => self.next_u64(),
        }
    }

    /// Whether an event of `per_mille` thousandths happens.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < u64::from(per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::RandomStream;

    #[test]
    fn a_stream_is_the_same_on_every_machine_and_in_every_version() {
        let mut stream = RandomStream::named(7, "faults");
        let draws: [u64; 3] = std::array::from_fn(|_| stream.next_u64());
        assert_eq!(
            draws,
            [
                2_964_971_426_545_609_197,
                17_489_961_093_024_107_348,
                11_673_017_426_356_572_420
            ]
        );
    }

    #[test]
    fn draws_stay_in_their_range_and_reach_both_ends() {
        let mut stream = RandomStream::named(1, "ranges");
        let below: Vec<u64> = (0..200).map(|_| stream.below(3)).collect();
        let between: Vec<u64> = (0..200).map(|_| stream.between(5, 7)).collect();
        assert_eq!(
            (below.iter().min(), below.iter().max()),
            (Some(&0), Some(&2))
        );
        assert_eq!(
            (between.iter().min(), between.iter().max()),
            (Some(&5), Some(&7))
        );
    }

    #[test]
    fn the_widest_range_has_no_overflow() {
        let mut stream = RandomStream::named(1, "widest");
        assert_ne!(stream.between(0, u64::MAX), stream.between(0, u64::MAX));
        assert_eq!(stream.between(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn a_chance_of_zero_never_happens_and_one_of_a_thousand_always() {
        let mut stream = RandomStream::named(1, "chances");
        assert!((0..1_000).all(|_| !stream.chance(0) && stream.chance(1_000)));
    }

    #[test]
    #[should_panic(expected = "a draw needs at least one outcome")]
    fn a_draw_without_outcomes_is_a_bug() {
        RandomStream::named(1, "nothing").below(0);
    }
}
