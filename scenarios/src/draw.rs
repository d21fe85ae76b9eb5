//! Numbers drawn from a seed, a partition and an offset: records that need no file.
//!
//! Invariant: a pure function of its three numbers, on every machine.

/// Draws for one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordDraws(u64);

impl RecordDraws {
    pub(crate) fn of(seed: u64, partition: u32, offset: u64) -> Self {
        Self(mix(seed ^ mix(u64::from(partition) + 1)).wrapping_add(mix(offset)))
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0) % bound
    }
}

/// What a generator with so many `partitions` makes of `records` in all, partition by partition.
pub(crate) fn generated<T>(
    partitions: u32,
    records: u64,
    make: impl Fn(u32, u64) -> T,
) -> Vec<Vec<T>> {
    let each = records.div_ceil(u64::from(partitions));
    let of = |partition| (0..each).map(|offset| make(partition, offset)).collect();
    (0..partitions).map(of).collect()
}

const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
