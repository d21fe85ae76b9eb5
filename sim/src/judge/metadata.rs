//! I14: checkpoint ids increase, the latest never goes back, and all that it names is there.
//!
//! Invariant: the store is walked at every record of the job log and at the end, with the lengths
//! and checksums that the records and the metadata name.

use sameriver_model::checkpoint::{CheckpointRef, JobRecord};

use super::store::{Deed, StoreEvent, StoreFormat, StoreWalk};
use super::{Compared, Invariant};
use crate::finding::Finding;

/// Walks the store through its history.
///
/// # Errors
/// [`Finding`] with the first record, object or removal that is wrong.
pub fn metadata(
    events: &[StoreEvent],
    folder: &str,
    format: StoreFormat,
) -> Result<Compared, Finding> {
    let mut walk = StoreWalk::new(folder, format);
    let mut items = 0;
    for event in events {
        if event.deed == Deed::Removed && walk.reaches(&event.path) {
            return Err(breach(format!(
                "{} removed {} at {}, which the highest record of the log still names",
                event.node, event.path, event.at
            )));
        }
        let appended = walk.take(event).map_err(breach)?;
        if let (Some(appended), Some(record)) = (appended, &walk.highest) {
            if let Some(before) = &appended.before {
                follows(before, record)?;
            }
            items += reached(&walk, record)?;
        }
    }
    if let Some(record) = &walk.highest {
        reached(&walk, record)?;
    }
    Ok(Compared {
        invariant: Invariant::Metadata,
        items,
    })
}

fn follows(before: &JobRecord, record: &JobRecord) -> Result<(), Finding> {
    let sequence = record.sequence;
    if before.status.is_terminal() {
        let (status, now) = (&before.status, &record.status);
        return Err(breach(format!(
            "record {sequence} says {now} of a job that was {status} for ever"
        )));
    }
    let id = |latest: &Option<CheckpointRef>| latest.as_ref().map(|named| named.id);
    if id(&record.latest) < id(&before.latest) {
        let named = |latest: &Option<CheckpointRef>| {
            let text = latest.as_ref().map(ToString::to_string);
            text.unwrap_or_else(|| "none".to_owned())
        };
        return Err(breach(format!(
            "record {sequence} names {} as the latest checkpoint, the one before it named {}",
            named(&record.latest),
            named(&before.latest)
        )));
    }
    if let (Some(now), Some(then)) = (&record.latest, &before.latest)
        && now.id == then.id
        && now != then
    {
        return Err(breach(format!(
            "record {sequence} names {now}, the one before it {then}: two checkpoints of one id"
        )));
    }
    Ok(())
}

/// Reads everything that a record names; answers how many objects that were.
fn reached(walk: &StoreWalk<'_>, record: &JobRecord) -> Result<u64, Finding> {
    let mut objects = 1;
    for named in record.reached() {
        let missing = |error: String| {
            let sequence = record.sequence;
            breach(format!("{named}, which record {sequence} names: {error}"))
        };
        let metadata = walk.metadata(&named.metadata).map_err(missing)?;
        if (metadata.id, metadata.attempt) != (named.id, named.attempt) {
            return Err(missing(format!(
                "its metadata is of {} of {}",
                metadata.id, metadata.attempt
            )));
        }
        for file in metadata.files() {
            walk.whole(file).map_err(missing)?;
            objects += 1;
        }
        objects += 1;
    }
    Ok(objects)
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Metadata, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::attempt;
    use super::super::store::by_hand::{
        FOLDER, FORMAT, checkpointed, event, metadata_path, snapshot_path,
    };
    use super::*;

    fn two_checkpoints() -> Vec<StoreEvent> {
        let mut events = checkpointed(1, "jm-0", 1, 1, attempt(1, 1));
        events.extend(checkpointed(2, "jm-0", 2, 2, attempt(1, 1)));
        events
    }

    fn judged(events: &[StoreEvent]) -> Result<u64, String> {
        let judged = metadata(events, FOLDER, FORMAT);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    fn removed(path: &str) -> StoreEvent {
        event(9, "jm-0", path, Deed::Removed)
    }

    #[test]
    fn checkpoints_that_follow_each_other_pass_and_old_ones_may_go() {
        let mut events = two_checkpoints();
        events.push(removed(&snapshot_path(1, attempt(1, 1))));
        events.push(removed(&metadata_path(1, attempt(1, 1))));
        events.push(removed("log/00000000000000000001"));
        assert_eq!(judged(&events), Ok(6));
    }

    #[test]
    fn a_removal_of_something_that_is_still_named_is_found() {
        let newest = attempt(1, 1);
        for path in [
            snapshot_path(2, newest),
            metadata_path(2, newest),
            "log/00000000000000000002".to_owned(),
        ] {
            let mut events = two_checkpoints();
            events.push(removed(&path));
            assert!(
                judged(&events).is_err_and(|e| e.contains("still names")),
                "{path}"
            );
        }
    }

    #[test]
    fn a_record_before_its_files_is_found() {
        let mut events = two_checkpoints();
        events.remove(3);
        assert!(judged(&events).is_err_and(|e| e.contains("is not there")));
    }

    #[test]
    fn a_file_of_other_bytes_is_found() {
        for bytes in ["snapshot of cX", "snapshot of c22"] {
            let mut events = two_checkpoints();
            events[3].deed = Deed::Created(bytes.into());
            assert!(judged(&events).is_err(), "{bytes}");
        }
    }

    #[test]
    fn a_latest_checkpoint_that_goes_back_is_found() {
        let mut events = two_checkpoints();
        events.extend(checkpointed(3, "jm-1", 3, 1, attempt(2, 1)));
        assert!(judged(&events).is_err_and(|e| e.contains("the one before it named")));
    }

    #[test]
    fn two_checkpoints_of_one_id_are_found() {
        let mut events = two_checkpoints();
        events.extend(checkpointed(3, "jm-1", 3, 2, attempt(2, 1)));
        assert!(judged(&events).is_err_and(|e| e.contains("two checkpoints")));
    }
}
