//! I18: an attempt begins from the latest published checkpoint.
//!
//! Invariant: the latest is what the highest record of the log named when the attempt was granted.
//! A leader that does not know yet that it is deposed may grant what nobody will deploy.

use super::history::{Fact, History};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// Looks where every attempt of the newest leader began.
///
/// # Errors
/// [`Finding`] with the first attempt that began from another checkpoint, or from none.
pub fn restored(history: &History) -> Result<Compared, Finding> {
    let (mut epoch, mut latest) = (0, None);
    let mut items = 0;
    for (_, fact) in history.facts() {
        match fact {
            Fact::Published(record) => {
                epoch = record.epoch;
                latest = record.latest.as_ref().map(|named| named.id);
            }
            Fact::Said(Seen::AttemptStarted { attempt, from }) if attempt.epoch() == epoch => {
                if *from != latest {
                    let named =
                        |id: &Option<_>| id.map_or("nothing".to_owned(), |id| format!("{id}"));
                    return Err(Finding::breach(
                        Invariant::Latest,
                        format!(
                            "{attempt} began from {}, the log named {} as the latest then",
                            named(from),
                            named(&latest)
                        ),
                    ));
                }
                items += 1;
            }
            Fact::Said(_) => {}
        }
    }
    Ok(Compared {
        invariant: Invariant::Latest,
        items,
    })
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::{attempt, checkpoint, history, published};
    use super::*;

    fn started(epoch: u32, ordinal: u32, from: Option<u64>) -> Fact {
        Fact::Said(Seen::AttemptStarted {
            attempt: attempt(epoch, ordinal),
            from: from.map(checkpoint),
        })
    }

    fn judged(facts: Vec<Fact>) -> Result<u64, String> {
        let judged = restored(&history(facts));
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn an_attempt_that_begins_from_an_older_checkpoint_is_found() {
        let mut facts = vec![
            published(1, 1, attempt(1, 1)),
            published(2, 2, attempt(1, 1)),
            started(1, 2, Some(2)),
        ];
        assert_eq!(judged(facts.clone()), Ok(1));
        facts.push(started(1, 3, Some(1)));
        assert!(judged(facts.clone()).is_err_and(|e| e.contains("the log named c2")));
        facts.pop();
        facts.push(started(1, 3, None));
        assert!(judged(facts).is_err_and(|e| e.contains("began from nothing")));
    }

    #[test]
    fn what_a_deposed_leader_grants_is_not_looked_at() {
        let facts = vec![published(1, 1, attempt(2, 1)), started(1, 2, None)];
        assert_eq!(judged(facts), Ok(0));
    }
}
