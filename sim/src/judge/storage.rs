//! I16: bytes acknowledged as durable can be read.
//!
//! Invariant: a shadow copy is kept of what was created; an answer with other bytes is a breach,
//! an error is not. What somebody was told is there outlives every power cut.

use super::store::{Deed, StoreEvent};
use super::{Compared, Invariant};
use crate::finding::Finding;

use std::collections::{BTreeMap, BTreeSet};

/// Compares every answer of the store with what was created.
///
/// # Errors
/// [`Finding`] with the first answer of other bytes, or of bytes that nobody created.
pub fn storage(events: &[StoreEvent]) -> Result<Compared, Finding> {
    let mut shadow = BTreeMap::new();
    let (mut promised, mut removed) = (BTreeSet::new(), BTreeSet::new());
    let mut items = 0;
    for event in events {
        let path = event.path.as_str();
        match &event.deed {
            Deed::Created(bytes) => {
                if shadow.insert(path, bytes).is_some() {
                    return Err(breach(format!("{path} was created over itself")));
                }
            }
            Deed::Removed => {
                shadow.remove(path);
                promised.remove(path);
                removed.insert(path);
            }
            Deed::Returned(bytes) => {
                shadow.insert(path, bytes);
            }
            Deed::Lost => {
                shadow.remove(path);
                if promised.contains(path) {
                    return Err(breach(format!(
                        "{path} was lost with the power of {} at {}, but somebody had been told \
                         that it is there",
                        event.node, event.at
                    )));
                }
            }
            Deed::Promised if shadow.contains_key(path) => {
                promised.insert(path);
            }
            // It may have been removed before the answer came.
            Deed::Promised if removed.contains(path) => {}
            Deed::Promised => {
                return Err(breach(format!(
                    "{} was told at {} that {path} is there, which nobody created",
                    event.node, event.at
                )));
            }
            Deed::Read { offset, answer } => {
                let Some(bytes) = shadow.get(path) else {
                    return Err(breach(format!(
                        "{} read {} bytes of {path} at {}, which nobody created",
                        event.node,
                        answer.len(),
                        event.at
                    )));
                };
                let from = usize::try_from(*offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                if !bytes[from..].starts_with(answer) {
                    return Err(breach(format!(
                        "{} read other bytes of {path} from {offset} at {} than were created",
                        event.node, event.at
                    )));
                }
                items += 1;
            }
        }
    }
    Ok(Compared {
        invariant: Invariant::Storage,
        items,
    })
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Storage, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::store::by_hand::event;
    use super::*;

    fn read(path: &str, offset: u64, answer: &'static str) -> StoreEvent {
        let answer = answer.into();
        event(2, "tm-0", path, Deed::Read { offset, answer })
    }

    fn judged(then: StoreEvent) -> Result<u64, String> {
        let created = event(1, "tm-0", "a", Deed::Created("abcdef".into()));
        let judged = storage(&[created, then]);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn whole_reads_parts_and_short_answers_pass() {
        for (offset, answer) in [(0, "abcdef"), (2, "cd"), (4, "ef"), (9, "")] {
            assert_eq!(judged(read("a", offset, answer)), Ok(1));
        }
    }

    #[test]
    fn other_bytes_longer_ones_or_those_of_nothing_are_found() {
        assert!(judged(read("a", 1, "bX")).is_err());
        assert!(judged(read("a", 4, "efg")).is_err());
        assert!(judged(read("b", 0, "")).is_err());
    }

    #[test]
    fn a_power_cut_may_only_take_what_nobody_was_told_of() {
        let cut = |told: Option<Deed>| {
            let created = Deed::Created("abcdef".into());
            let deeds = [Some(created), told, Some(Deed::Lost)]
                .into_iter()
                .flatten();
            let events: Vec<_> = deeds.map(|deed| event(1, "tm-0", "a", deed)).collect();
            storage(&events).map(|c| c.items).map_err(|f| f.evidence)
        };
        assert_eq!(cut(None), Ok(0));
        assert!(cut(Some(Deed::Promised)).is_err_and(|e| e.contains("was lost")));
    }

    #[test]
    fn a_promise_of_nothing_is_found_and_one_of_a_removed_object_is_not() {
        assert!(judged(event(2, "tm-0", "b", Deed::Promised)).is_err());
        let created = event(1, "tm-0", "a", Deed::Created("abcdef".into()));
        let removed = event(2, "tm-1", "a", Deed::Removed);
        let told = event(3, "tm-0", "a", Deed::Promised);
        assert!(storage(&[created, removed, told]).is_ok());
    }

    #[test]
    fn an_object_that_is_created_twice_is_found() {
        assert!(judged(event(2, "tm-1", "a", Deed::Created("abcdef".into()))).is_err());
    }
}
