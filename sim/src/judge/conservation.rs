//! I13: what goes in comes out, or is accounted for.
//!
//! Invariant: both sides are sums of whole numbers that were counted in different places.

use std::fmt::Write as _;

use super::{Compared, Invariant};
use crate::finding::Finding;

/// Two sides of an equation: records in and out, money before and after.
///
/// ```
/// use sameriver_sim::judge::Account;
/// let account = Account::of("records")
///     .comes_in("read", 12)
///     .goes_out("counted", 10)
///     .goes_out("skipped", 2);
/// assert_eq!(account.judge().unwrap().items, 12);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Account {
    of: String,
    side_in: Vec<(String, i128)>,
    side_out: Vec<(String, i128)>,
}

impl Account {
    /// An empty account of something: `records`, `cents`.
    pub fn of(what: impl Into<String>) -> Self {
        Self {
            of: what.into(),
            ..Self::default()
        }
    }

    /// So much goes in, from a place.
    pub fn comes_in(mut self, place: impl Into<String>, amount: i128) -> Self {
        self.side_in.push((place.into(), amount));
        self
    }

    /// So much comes out, at a place.
    pub fn goes_out(mut self, place: impl Into<String>, amount: i128) -> Self {
        self.side_out.push((place.into(), amount));
        self
    }

    /// Compares the two sides; the items are what went in.
    ///
    /// # Errors
    /// [`Finding`] with both sides.
    pub fn judge(&self) -> Result<Compared, Finding> {
        let (income, outgo) = (sum(&self.side_in), sum(&self.side_out));
        if income != outgo {
            return Err(Finding::breach(
                Invariant::Conservation,
                format!(
                    "{income} {} went in ({}), {outgo} came out ({})",
                    self.of,
                    shown(&self.side_in),
                    shown(&self.side_out)
                ),
            ));
        }
        Ok(Compared {
            invariant: Invariant::Conservation,
            items: u64::try_from(income.unsigned_abs()).unwrap_or(u64::MAX),
        })
    }
}

fn sum(side: &[(String, i128)]) -> i128 {
    side.iter().map(|(_, amount)| amount).sum()
}

fn shown(side: &[(String, i128)]) -> String {
    let mut text = String::new();
    for (place, amount) in side {
        let comma = if text.is_empty() { "" } else { ", " };
        // A String takes everything.
        let _ = write!(text, "{comma}{place} {amount}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(out: i128) -> Account {
        let account = Account::of("records").comes_in("read", 5);
        account.goes_out("counted", out).goes_out("late", 1)
    }

    #[test]
    fn two_sides_that_are_equal_pass() {
        assert_eq!(account(4).judge().map(|c| c.items), Ok(5));
        assert_eq!(Account::of("cents").judge().map(|c| c.items), Ok(0));
    }

    #[test]
    fn what_was_lost_or_made_is_found() {
        for out in [3, 5] {
            let evidence = account(out)
                .judge()
                .expect_err("it does not add up")
                .evidence;
            assert!(
                evidence.starts_with("5 records went in (read 5)"),
                "{evidence}"
            );
        }
    }
}
