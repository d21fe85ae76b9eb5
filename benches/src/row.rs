//! Rows and their checksum, as `SPECIFICATION.md` fixes them.

use smol_str::SmolStr;

use crate::spec::mix64;

/// Counts rows and adds up their hashes; the order of rows does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// How many rows there were.
    pub rows: u64,
    /// The wrapping sum of their hashes.
    pub sum: u64,
}

impl Checksum {
    /// Adds the row `first|count`.
    #[inline]
    pub fn add(&mut self, first: &(impl Cell + ?Sized), count: u64) {
        let mut hash = Fnv::new();
        first.write(&mut hash);
        hash.byte(b'|');
        count.write(&mut hash);
        self.rows += 1;
        self.sum = self.sum.wrapping_add(mix64(hash.0));
    }

    /// Adds the rows of another part of the output.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {:016x}", self.rows, self.sum)
    }
}

/// FNV-1a, 64 bits.
pub struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    }
}

/// A cell of a row: its text goes into the hash.
pub trait Cell {
    /// Hashes the text of the cell.
    fn write(&self, hash: &mut Fnv);
}

impl Cell for u64 {
    #[inline]
    fn write(&self, hash: &mut Fnv) {
        let (mut digits, mut at, mut rest) = ([0; 20], 20, *self);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        digits[at..].iter().for_each(|digit| hash.byte(*digit));
    }
}

impl Cell for str {
    #[inline]
    fn write(&self, hash: &mut Fnv) {
        self.bytes().for_each(|byte| hash.byte(byte));
    }
}

impl Cell for SmolStr {
    #[inline]
    fn write(&self, hash: &mut Fnv) {
        self.as_str().write(hash);
    }
}

impl Cell for String {
    #[inline]
    fn write(&self, hash: &mut Fnv) {
        self.as_str().write(hash);
    }
}
