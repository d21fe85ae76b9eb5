//! I1: committed output equals the reference in the declared order.
//!
//! Invariant: rows are compared as text with what a naive program made of all input; nothing of the
//! engine takes part.

use std::collections::BTreeMap;

use super::{Compared, Invariant};
use crate::finding::Finding;

/// Which order of the output a job promises.
///
/// ```
/// use sameriver_sim::{DeclaredOrder, judge};
/// let rows = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
/// let key = |row: &str| row[..1].to_owned();
/// let (got, want) = (rows("b1 a1 a2"), rows("a1 a2 b1"));
/// assert!(judge::output(&got, &want, DeclaredOrder::PerKey(key)).is_ok());
/// assert!(judge::output(&got, &want, DeclaredOrder::Total).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub enum DeclaredOrder {
    /// None: the same rows, each as often.
    Multiset,
    /// Rows of one key in the order of the reference.
    PerKey(fn(&str) -> String),
    /// All rows in the order of the reference.
    Total,
}

/// Compares output rows with the reference's.
///
/// # Errors
/// [`Finding`] with the first row that differs.
pub fn output(got: &[String], want: &[String], order: DeclaredOrder) -> Result<Compared, Finding> {
    match order {
        DeclaredOrder::Multiset => same("sorted output", &sorted(got), &sorted(want))?,
        DeclaredOrder::Total => same("output", &borrowed(got), &borrowed(want))?,
        DeclaredOrder::PerKey(key) => {
            let (got, mut want) = (by_key(got, key), by_key(want, key));
            for (key, got) in got {
                let want = want.remove(&key).unwrap_or_default();
                same(&format!("output of key `{key}`"), &got, &want)?;
            }
            if let Some((key, want)) = want.into_iter().next() {
                same(&format!("output of key `{key}`"), &[], &want)?;
            }
        }
    }
    Ok(Compared {
        invariant: Invariant::Output,
        items: want.len() as u64,
    })
}

fn borrowed(rows: &[String]) -> Vec<&str> {
    rows.iter().map(String::as_str).collect()
}

fn sorted(rows: &[String]) -> Vec<&str> {
    let mut rows = borrowed(rows);
    rows.sort_unstable();
    rows
}

fn by_key(rows: &[String], key: fn(&str) -> String) -> BTreeMap<String, Vec<&str>> {
    let mut keys: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for row in rows {
        keys.entry(key(row)).or_default().push(row);
    }
    keys
}

fn same(what: &str, got: &[&str], want: &[&str]) -> Result<(), Finding> {
    let count = got.len().max(want.len());
    let Some(at) = (0..count).find(|at| got.get(*at) != want.get(*at)) else {
        return Ok(());
    };
    let row = |rows: &[&str]| {
        rows.get(at)
            .map_or("(nothing)".to_owned(), |row| format!("`{row}`"))
    };
    Err(Finding::breach(
        Invariant::Output,
        format!(
            "row {at} of the {what} is {}, the reference has {} ({} rows against {})",
            row(got),
            row(want),
            got.len(),
            want.len()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(got: &str, want: &str, order: DeclaredOrder) -> Result<u64, String> {
        let rows =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let judged = output(&rows(got), &rows(want), order);
        judged.map(|c| c.items).map_err(|f| f.to_string())
    }

    const PER_KEY: DeclaredOrder = DeclaredOrder::PerKey(|row| row[..1].to_owned());

    #[test]
    fn equal_rows_pass_in_every_order_that_is_promised() {
        assert_eq!(judged("b a a", "a a b", DeclaredOrder::Multiset), Ok(3));
        assert_eq!(judged("b1 a1 a2", "a1 b1 a2", PER_KEY), Ok(3));
        assert_eq!(judged("a b", "a b", DeclaredOrder::Total), Ok(2));
    }

    #[test]
    fn a_lost_doubled_changed_or_strange_row_is_found() {
        for (got, want) in [
            ("a", "a b"),
            ("a a b", "a b"),
            ("a c", "a b"),
            ("a b c", "a b"),
        ] {
            for order in [DeclaredOrder::Multiset, PER_KEY, DeclaredOrder::Total] {
                let evidence = judged(got, want, order).expect_err("it is wrong");
                assert!(evidence.starts_with("I1 safety: row "), "{evidence}");
            }
        }
    }

    #[test]
    fn rows_of_a_key_that_change_places_are_found() {
        assert!(judged("a2 a1", "a1 a2", PER_KEY).is_err());
        assert!(judged("b1 a1", "a1 b1", DeclaredOrder::Total).is_err());
    }

    #[test]
    fn no_rows_are_compared_where_none_are_wanted() {
        assert_eq!(judged("", "", DeclaredOrder::Multiset), Ok(0));
    }
}
