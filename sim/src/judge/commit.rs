//! I8: nothing is committed of a checkpoint that is not published.
//!
//! Invariant: published is what the store's log says, at the instant of the commit: not what a
//! node believes.

use super::history::{Fact, History};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// Looks up the checkpoint of every commit.
///
/// # Errors
/// [`Finding`] with the first commit that was not allowed.
pub fn commit(history: &History) -> Result<Compared, Finding> {
    let published = history.publications();
    let mut items = 0;
    for (position, fact) in history.facts() {
        let Fact::Said(Seen::Committed {
            operator,
            attempt,
            checkpoint,
            what,
        }) = fact
        else {
            continue;
        };
        let complaint = match published.lets(*attempt, *checkpoint) {
            None => "which no published checkpoint of it holds",
            Some(publication) if publication.position > position => "before it was published",
            Some(_) => {
                items += 1;
                continue;
            }
        };
        return Err(Finding::breach(
            Invariant::Commit,
            format!(
                "{operator} of {attempt} committed {what}, staged for {checkpoint}, {complaint}"
            ),
        ));
    }
    Ok(Compared {
        invariant: Invariant::Commit,
        items,
    })
}

#[cfg(test)]
mod tests {
    use sameriver_model::AttemptNumber;

    use super::super::history::by_hand::{attempt, checkpoint, history, published};
    use super::*;

    fn committed(by: AttemptNumber, id: u64) -> Fact {
        Fact::Said(Seen::Committed {
            operator: "files".into(),
            attempt: by,
            checkpoint: checkpoint(id),
            what: format!("part-{id}").into(),
        })
    }

    fn judged(facts: Vec<Fact>) -> Result<u64, String> {
        let judged = commit(&history(facts));
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    fn started(by: AttemptNumber, from: Option<u64>) -> Fact {
        Fact::Said(Seen::AttemptStarted {
            attempt: by,
            from: from.map(checkpoint),
        })
    }

    #[test]
    fn a_commit_behind_the_publication_passes_also_by_a_later_attempt() {
        let facts = vec![
            started(attempt(1, 1), None),
            published(1, 1, attempt(1, 1)),
            committed(attempt(1, 1), 1),
            started(attempt(2, 1), Some(1)),
            committed(attempt(2, 1), 1),
        ];
        assert_eq!(judged(facts), Ok(2));
    }

    #[test]
    fn what_a_failed_checkpoint_has_left_is_committed_with_the_next_one() {
        let by = attempt(1, 1);
        assert_eq!(judged(vec![published(1, 2, by), committed(by, 1)]), Ok(1));
        let dead = vec![published(1, 2, attempt(1, 2)), committed(attempt(1, 1), 1)];
        assert!(judged(dead).is_err_and(|e| e.contains("no published")));
    }

    #[test]
    fn a_commit_at_the_barrier_is_found() {
        let early = vec![committed(attempt(1, 1), 1), published(1, 1, attempt(1, 1))];
        assert!(judged(early).is_err_and(|e| e.contains("before it was published")));
        assert!(
            judged(vec![committed(attempt(1, 1), 1)]).is_err_and(|e| e.contains("no published"))
        );
    }

    #[test]
    fn a_commit_of_a_deposed_leader_s_checkpoint_of_the_same_id_is_found() {
        let facts = vec![published(2, 1, attempt(2, 1)), committed(attempt(1, 3), 1)];
        assert!(judged(facts).is_err_and(|e| e.contains("no published")));
    }
}
