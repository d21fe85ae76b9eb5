//! I2: visible output is of published checkpoints, each item at most once, and all of it is visible
//! at the end.
//!
//! Invariant: what is visible is looked at from outside, at several instants; what may be visible
//! follows from commits and from the store's log.

use std::collections::BTreeMap;

use sameriver_runtime::Monotonic;

use super::history::{Fact, History};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// Something that readers of the output can see: a file, a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisibleItem {
    /// What the sink calls it when it commits it.
    pub name: String,
    /// What tells its contents from others.
    pub digest: u64,
}

/// What was visible at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When, in the world's own time.
    pub at: Monotonic,
    /// What was there; an item that is there twice stands here twice.
    pub items: Vec<VisibleItem>,
}

/// Compares what was seen, the last time at quiescence, with what was committed under names that
/// begin with `below`.
///
/// # Errors
/// [`Finding`] with the first item that should not be there, is there twice, has changed, has
/// vanished, or is missing at the end.
pub fn visible(history: &History, looks: &[Look], below: &str) -> Result<Compared, Finding> {
    let allowed = allowed_since(history, below);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut items = 0;
    for look in looks {
        let now = present(look)?;
        for (name, digest) in &seen {
            match now.get(name) {
                Some(other) if other == digest => {}
                Some(_) => return Err(breach(format!("{name} has changed by {}", look.at))),
                None => return Err(breach(format!("{name} has vanished by {}", look.at))),
            }
        }
        for name in now.keys() {
            match allowed.get(name) {
                None => {
                    return Err(breach(format!(
                        "{name} is visible at {}, but nobody committed it of a published \
                         checkpoint",
                        look.at
                    )));
                }
                Some(since) if *since > look.at => {
                    return Err(breach(format!(
                        "{name} is visible at {}, but its checkpoint was published at {since}",
                        look.at
                    )));
                }
                Some(_) => items += 1,
            }
        }
        seen = now;
    }
    if !looks.is_empty()
        && let Some((missing, _)) = allowed.iter().find(|(name, _)| !seen.contains_key(*name))
    {
        return Err(breach(format!(
            "{missing} was committed, but is not visible at the end"
        )));
    }
    Ok(Compared {
        invariant: Invariant::Visible,
        items,
    })
}

/// Since when an item may be visible: the publication of the earliest checkpoint that lets it.
fn allowed_since<'a>(history: &'a History, below: &str) -> BTreeMap<&'a str, Monotonic> {
    let published = history.publications();
    let mut allowed: BTreeMap<&str, Monotonic> = BTreeMap::new();
    for (_, fact) in history.facts() {
        let Fact::Said(Seen::Committed {
            attempt,
            checkpoint,
            what,
            ..
        }) = fact
        else {
            continue;
        };
        if !what.starts_with(below) {
            continue;
        }
        let Some(publication) = published.lets(*attempt, *checkpoint) else {
            continue;
        };
        let since = history.sightings[publication.position].at;
        let earliest = allowed.entry(what).or_insert(since);
        *earliest = since.min(*earliest);
    }
    allowed
}

fn present(look: &Look) -> Result<BTreeMap<&str, u64>, Finding> {
    let mut present = BTreeMap::new();
    for item in &look.items {
        if present.insert(item.name.as_str(), item.digest).is_some() {
            let name = &item.name;
            return Err(breach(format!("{name} is visible twice at {}", look.at)));
        }
    }
    Ok(present)
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Visible, evidence)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::history::by_hand::{attempt, checkpoint, history, published};
    use super::*;

    /// Published at 1 s and 3 s, committed at 2 s and 4 s.
    fn two_parts() -> History {
        let committed = |id| {
            Fact::Said(Seen::Committed {
                operator: "files".into(),
                attempt: attempt(1, 1),
                checkpoint: checkpoint(id),
                what: format!("part-{id}").into(),
            })
        };
        let by = attempt(1, 1);
        history([
            published(1, 1, by),
            committed(1),
            published(2, 2, by),
            committed(2),
        ])
    }

    fn look(second: u64, items: &[(&str, u64)]) -> Look {
        let item = |(name, digest): &(&str, u64)| VisibleItem {
            name: (*name).to_owned(),
            digest: *digest,
        };
        Look {
            at: Monotonic::from_origin(Duration::from_secs(second)),
            items: items.iter().map(item).collect(),
        }
    }

    fn judged(looks: &[Look]) -> Result<u64, String> {
        let judged = visible(&two_parts(), looks, "part-");
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    const BOTH: &[(&str, u64)] = &[("part-1", 7), ("part-2", 8)];

    #[test]
    fn output_that_grows_with_the_checkpoints_passes() {
        assert_eq!(judged(&[look(2, &[("part-1", 7)]), look(9, BOTH)]), Ok(3));
    }

    #[test]
    fn output_of_no_checkpoint_or_too_early_is_found() {
        assert!(judged(&[look(2, &[("part-3", 7)])]).is_err_and(|e| e.contains("nobody")));
        let early = judged(&[look(2, BOTH), look(9, BOTH)]);
        assert!(early.is_err_and(|e| e.contains("was published at")));
    }

    #[test]
    fn output_that_is_doubled_changed_or_gone_is_found() {
        let twice = [("part-1", 7), ("part-1", 7), ("part-2", 8)];
        assert!(judged(&[look(9, &twice)]).is_err_and(|e| e.contains("twice")));
        let first = || look(2, &[("part-1", 7)]);
        let changed = judged(&[first(), look(9, &[("part-1", 6), ("part-2", 8)])]);
        assert!(changed.is_err_and(|e| e.contains("changed")));
        let gone = judged(&[first(), look(9, &[("part-2", 8)])]);
        assert!(gone.is_err_and(|e| e.contains("vanished")));
    }

    #[test]
    fn output_that_is_missing_at_the_end_is_found() {
        assert!(judged(&[look(9, &[("part-1", 7)])]).is_err_and(|e| e.contains("not visible")));
    }
}
