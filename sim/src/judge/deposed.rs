//! I9: the deposed and the dead publish nothing, commit nothing unpublished and delete nothing
//! reachable.
//!
//! Invariant: a leader is deposed from the instant at which the store has a record of a higher
//! epoch; an attempt is dead once a later one was granted. What they may still do is harmless: to
//! commit again what is published, and to delete what nobody names.

use std::collections::BTreeMap;

use sameriver_model::AttemptNumber;
use sameriver_model::checkpoint::JobRecord;

use super::history::{Fact, History, Publications};
use super::store::{Deed, StoreEvent, StoreFormat, StoreWalk};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::life::Generation;
use crate::probe_log::Seen;

/// Looks at every publication, commit and removal.
///
/// # Errors
/// [`Finding`] with the first one by somebody whose time was over.
pub fn deposed(
    history: &History,
    events: &[StoreEvent],
    folder: &str,
    format: StoreFormat,
) -> Result<Compared, Finding> {
    let items = facts(history)? + removals(events, folder, format)?;
    Ok(Compared {
        invariant: Invariant::Deposed,
        items,
    })
}

fn facts(history: &History) -> Result<u64, Finding> {
    let published = history.publications();
    let mut newest = AttemptNumber::of_epoch(0, 0);
    let mut items = 0;
    for (position, fact) in history.facts() {
        match fact {
            Fact::Said(Seen::AttemptStarted { attempt, .. }) => newest = newest.max(*attempt),
            Fact::Published(record) => {
                publishes(record, position, &published, newest)?;
                newest = newest.max(AttemptNumber::of_epoch(record.epoch, 0));
                items += 1;
            }
            Fact::Said(Seen::Committed {
                operator,
                attempt,
                checkpoint,
                what,
            }) if *attempt < newest => {
                let publication = published.lets(*attempt, *checkpoint);
                let is_published =
                    publication.is_some_and(|publication| publication.position < position);
                if !is_published {
                    return Err(breach(format!(
                        "{operator} of {attempt} committed {what}, staged for {checkpoint}, which is not \
                         published, after {newest} was granted"
                    )));
                }
                items += 1;
            }
            Fact::Said(_) => {}
        }
    }
    Ok(items)
}

fn publishes(
    record: &JobRecord,
    position: usize,
    published: &Publications,
    newest: AttemptNumber,
) -> Result<(), Finding> {
    let sequence = record.sequence;
    if record.epoch < newest.epoch() {
        return Err(breach(format!(
            "the leader of epoch {} wrote record {sequence} after that of epoch {} had taken over",
            record.epoch,
            newest.epoch()
        )));
    }
    let Some(latest) = &record.latest else {
        return Ok(());
    };
    let first = published.of(latest.id);
    let is_new = first.is_some_and(|publication| publication.position == position);
    if is_new && latest.attempt < newest {
        return Err(breach(format!(
            "record {sequence} publishes {latest} after {newest} was granted"
        )));
    }
    Ok(())
}

fn removals(events: &[StoreEvent], folder: &str, format: StoreFormat) -> Result<u64, Finding> {
    let mut walk = StoreWalk::new(folder, format);
    let mut led: BTreeMap<(&str, Generation), u32> = BTreeMap::new();
    let mut items = 0;
    for event in events {
        let life = (&*event.node, event.generation);
        if event.deed == Deed::Removed {
            let highest = walk.highest.as_ref().map_or(0, |record| record.epoch);
            let epoch = led.get(&life).copied();
            let is_deposed = epoch.is_none_or(|epoch| epoch < highest);
            if is_deposed && walk.reaches(&event.path) {
                let who = epoch.map_or("which led nothing".to_owned(), |epoch| {
                    format!("deposed since epoch {epoch}")
                });
                return Err(breach(format!(
                    "{}, {who}, removed {} at {}, which is still named",
                    event.node, event.path, event.at
                )));
            }
            items += 1;
        }
        // A record that cannot be read is another promise's matter.
        if let Ok(Some(_)) = walk.take(event)
            && let Some(record) = &walk.highest
        {
            led.insert(life, record.epoch);
        }
    }
    Ok(items)
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Deposed, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::{attempt, checkpoint, history, published, record};
    use super::super::store::by_hand::{FOLDER, FORMAT, checkpointed, event, snapshot_path};
    use super::*;

    fn started(by: AttemptNumber) -> Fact {
        Fact::Said(Seen::AttemptStarted {
            attempt: by,
            from: None,
        })
    }

    fn committed(by: AttemptNumber, id: u64) -> Fact {
        Fact::Said(Seen::Committed {
            operator: "files".into(),
            attempt: by,
            checkpoint: checkpoint(id),
            what: "part".into(),
        })
    }

    fn judged(facts: Vec<Fact>, events: &[StoreEvent]) -> Result<u64, String> {
        let judged = deposed(&history(facts), events, FOLDER, FORMAT);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn a_zombie_may_commit_again_what_is_published() {
        let old = attempt(1, 1);
        let facts = vec![
            started(old),
            published(1, 1, old),
            started(attempt(1, 2)),
            committed(old, 1),
        ];
        assert_eq!(judged(facts, &[]), Ok(2));
    }

    #[test]
    fn a_record_of_a_deposed_leader_is_found() {
        let facts = vec![
            Fact::Published(record(1, 2, None)),
            Fact::Published(record(2, 1, None)),
        ];
        assert!(judged(facts, &[]).is_err_and(|e| e.contains("epoch 1 wrote record 2")));
    }

    #[test]
    fn a_checkpoint_of_a_dead_attempt_that_is_published_is_found() {
        let facts = vec![
            started(attempt(1, 1)),
            started(attempt(1, 2)),
            published(1, 1, attempt(1, 1)),
        ];
        assert!(judged(facts, &[]).is_err_and(|e| e.contains("after a1.2 was granted")));
    }

    #[test]
    fn a_dead_attempt_that_commits_the_unpublished_is_found() {
        let facts = vec![
            started(attempt(1, 1)),
            started(attempt(1, 2)),
            committed(attempt(1, 1), 4),
        ];
        assert!(judged(facts, &[]).is_err_and(|e| e.contains("not published")));
    }

    #[test]
    fn a_removal_by_a_deposed_leader_is_found_if_it_hurts() {
        let mut events = checkpointed(1, "jm-0", 1, 1, attempt(1, 1));
        events.extend(checkpointed(2, "jm-1", 2, 2, attempt(2, 1)));
        let mut harmless = events.clone();
        let path = |id, by| snapshot_path(id, by);
        harmless.push(event(3, "jm-0", &path(1, attempt(1, 1)), Deed::Removed));
        assert_eq!(judged(vec![], &harmless), Ok(1));
        events.push(event(3, "jm-0", &path(2, attempt(2, 1)), Deed::Removed));
        assert!(judged(vec![], &events).is_err_and(|e| e.contains("deposed since epoch 1")));
    }
}
