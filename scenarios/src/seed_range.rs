//! A range of seeds as it is written on the command line: `0..1000`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Seeds from the first (inclusive) to the end (exclusive).
///
/// ```
/// use sameriver_scenarios::SeedRange;
/// assert_eq!("3..5".parse::<SeedRange>()?.seeds().collect::<Vec<_>>(), [3, 4]);
/// assert!("5..3".parse::<SeedRange>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRange(Range<u64>);

impl SeedRange {
    /// The most seeds of a range: they are kept in memory.
    pub const MAX: u64 = 10_000_000;

    /// The seeds in ascending order.
    pub fn seeds(&self) -> Range<u64> {
        self.0.clone()
    }

    /// How many there are, at least 1.
    pub fn count(&self) -> u64 {
        self.0.end - self.0.start
    }
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, end) = text.split_once("..").ok_or_else(|| {
            format!("`{text}` is no range of seeds: write FIRST..END, such as 0..100")
        })?;
        let number = |part: &str| {
            part.trim().parse::<u64>().map_err(|_| {
                format!("`{part}` in `{text}` is no seed: write a whole number below 2^64")
            })
        };
        let (first, end) = (number(first)?, number(end)?);
        if first == end {
            let from = first.min(u64::MAX - 1);
            return Err(format!(
                "`{text}` has no seeds: the end is exclusive, write {from}..{}",
                from + 1
            ));
        }
        if first > end {
            return Err(format!("`{text}` is reversed: write {end}..{first}"));
        }
        if end - first > Self::MAX {
            return Err(format!(
                "`{text}` has {} seeds, at most {} run at a time: write {first}..{}",
                end - first,
                Self::MAX,
                first + Self::MAX
            ));
        }
        Ok(Self(first..end))
    }
}

impl fmt::Display for SeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start, self.0.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_reversed_range_says_what_to_write() {
        let complaint = |text: &str| text.parse::<SeedRange>().expect_err("it is wrong");
        assert!(complaint("7..7").contains("write 7..8"));
        assert!(complaint("9..3").contains("write 3..9"));
        assert!(complaint(&format!("{0}..{0}", u64::MAX)).contains(&u64::MAX.to_string()));
        assert!(complaint("5..99999999999").contains("write 5..10000005"));
        assert!(complaint("12").contains("FIRST..END"));
        assert!(complaint("a..3").contains("`a`"));
    }
}
