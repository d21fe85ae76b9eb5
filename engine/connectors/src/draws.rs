//! Random numbers of one generated record.
//!
//! Invariant: they depend on the generator's seed and name and on the record's partition and offset
//! alone, so that any reader makes any record alike, in any order. Not for secrets.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finish of splitmix64: every input bit changes every output bit.
#[inline]
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The random numbers of one record: splitmix64.
///
/// ```
/// use sameriver_connectors::{Draws, DrawSeed};
/// let seed = DrawSeed::new(7, "clicks");
/// let draw = |offset| seed.record(0, offset).below(1_000_000);
/// assert_eq!(draw(3), draw(3));
/// assert_ne!(draw(3), draw(4));
/// ```
#[derive(Clone, Debug)]
pub struct Draws(u64);

/// What the random numbers of all records of a generator have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawSeed(u64);

impl DrawSeed {
    /// Joins a seed and a name: generators of different names draw different numbers.
    pub fn new(seed: u64, name: &str) -> Self {
        let named = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(mix(seed.wrapping_add(GOLDEN)) ^ mix(named))
    }

    /// The numbers of one record.
    #[inline]
    pub fn record(self, partition: u32, offset: u64) -> Draws {
        let partition = mix(self
            .0
            .wrapping_add((u64::from(partition) + 1).wrapping_mul(GOLDEN)));
        Draws(mix(
            partition.wrapping_add(offset.wrapping_add(1).wrapping_mul(GOLDEN))
        ))
    }
}

impl Draws {
    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
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
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range has no outcome");
        match (high - low).checked_add(1) {
            Some(span) => low + self.below(span),
            None => self.next_u64(),
        }
    }

    /// Whether an event of `per_mille` thousandths happens.
    #[inline]
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < u64::from(per_mille)
    }
}
