//! I4: a checkpoint is a consistent cut of every channel.
//!
//! Invariant: what was sent before the barrier is what the receiver's snapshot reflects, channel by
//! channel, counted from the start of the attempt. In the at-least-once mode the receiver may
//! reflect more, never less.

use std::collections::BTreeMap;

use sameriver_model::{AttemptNumber, ChannelId, CheckpointId};

use super::history::{Fact, History};
use super::{Compared, Invariant};
use crate::finding::Finding;
use crate::probe_log::Seen;

/// What a job's mode lets a snapshot reflect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutMode {
    /// Exactly what came before the barrier.
    ExactlyOnce,
    /// That, and perhaps some that came behind it.
    AtLeastOnce,
}

#[derive(Default)]
struct Counts {
    sent: Option<u64>,
    reflected: Option<u64>,
}

/// Compares the two ends of every channel.
///
/// # Errors
/// [`Finding`] with the first channel whose ends differ; a published checkpoint must have both.
pub fn cut(history: &History, mode: CutMode) -> Result<Compared, Finding> {
    let published = history.publications();
    let mut items = 0;
    for ((attempt, checkpoint, channel), counts) in both_ends(history)? {
        let place = format!("{channel} of {attempt} for {checkpoint}");
        match (counts.sent, counts.reflected) {
            (Some(sent), Some(reflected)) => {
                let is_right = match mode {
                    CutMode::ExactlyOnce => reflected == sent,
                    CutMode::AtLeastOnce => reflected >= sent,
                };
                if !is_right {
                    return Err(breach(format!(
                        "{place}: {sent} records were sent before the barrier, the snapshot \
                         reflects {reflected}"
                    )));
                }
                items += u64::from(published.has(attempt, checkpoint));
            }
            (Some(_), None) if published.has(attempt, checkpoint) => {
                return Err(breach(format!(
                    "{place}: the checkpoint is published, but no snapshot reflects the channel"
                )));
            }
            (None, Some(reflected)) => {
                return Err(breach(format!(
                    "{place}: a snapshot reflects {reflected} records before a barrier that \
                     nobody sent"
                )));
            }
            (_, None) => {}
        }
    }
    Ok(Compared {
        invariant: Invariant::Cut,
        items,
    })
}

type Ends = BTreeMap<(AttemptNumber, CheckpointId, ChannelId), Counts>;

fn both_ends(history: &History) -> Result<Ends, Finding> {
    let mut ends = Ends::new();
    for (_, fact) in history.facts() {
        let (place, records, is_sent) = match fact {
            Fact::Said(Seen::BarrierSent {
                channel,
                attempt,
                checkpoint,
                records,
            }) => ((*attempt, *checkpoint, *channel), *records, true),
            Fact::Said(Seen::Reflected {
                channel,
                attempt,
                checkpoint,
                records,
            }) => ((*attempt, *checkpoint, *channel), *records, false),
            Fact::Said(_) | Fact::Published(_) => continue,
        };
        let counts = ends.entry(place).or_default();
        let end = if is_sent {
            &mut counts.sent
        } else {
            &mut counts.reflected
        };
        if end.replace(records).is_some() {
            let what = if is_sent { "sent" } else { "reflected" };
            let (attempt, checkpoint, channel) = place;
            return Err(breach(format!(
                "{channel} of {attempt}: the barrier of {checkpoint} was {what} twice"
            )));
        }
    }
    Ok(ends)
}

fn breach(evidence: String) -> Finding {
    Finding::breach(Invariant::Cut, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::history::by_hand::{attempt, channel, checkpoint, history, published};
    use super::*;

    fn sent(from: u32, id: u64, records: u64) -> Fact {
        Fact::Said(Seen::BarrierSent {
            channel: channel(from, 0),
            attempt: attempt(1, 1),
            checkpoint: checkpoint(id),
            records,
        })
    }

    fn reflected(from: u32, id: u64, records: u64) -> Fact {
        Fact::Said(Seen::Reflected {
            channel: channel(from, 0),
            attempt: attempt(1, 1),
            checkpoint: checkpoint(id),
            records,
        })
    }

    fn judged(facts: Vec<Fact>, mode: CutMode) -> Result<u64, String> {
        let judged = cut(&history(facts), mode);
        judged.map(|c| c.items).map_err(|f| f.evidence)
    }

    #[test]
    fn equal_ends_pass_and_only_published_ones_count() {
        let facts = vec![
            sent(0, 1, 5),
            sent(1, 1, 0),
            reflected(0, 1, 5),
            reflected(1, 1, 0),
            published(1, 1, attempt(1, 1)),
            sent(0, 2, 9),
        ];
        assert_eq!(judged(facts, CutMode::ExactlyOnce), Ok(2));
    }

    #[test]
    fn a_record_that_is_lost_or_taken_from_behind_the_barrier_is_found() {
        let facts = |records| vec![sent(0, 1, 5), reflected(0, 1, records)];
        assert!(judged(facts(4), CutMode::ExactlyOnce).is_err());
        assert!(judged(facts(6), CutMode::ExactlyOnce).is_err());
        assert!(judged(facts(4), CutMode::AtLeastOnce).is_err());
        assert_eq!(judged(facts(6), CutMode::AtLeastOnce), Ok(0));
    }

    #[test]
    fn a_published_checkpoint_without_one_of_its_channels_is_found() {
        let facts = vec![
            sent(0, 1, 5),
            sent(1, 1, 5),
            reflected(0, 1, 5),
            published(1, 1, attempt(1, 1)),
        ];
        let evidence = judged(facts, CutMode::ExactlyOnce).expect_err("one is missing");
        assert!(evidence.contains("no snapshot reflects"), "{evidence}");
    }

    #[test]
    fn a_barrier_out_of_nowhere_or_twice_is_found() {
        let strange = vec![reflected(0, 1, 5)];
        let twice = vec![sent(0, 1, 5), sent(0, 1, 5)];
        assert!(judged(strange, CutMode::ExactlyOnce).is_err());
        assert!(judged(twice, CutMode::ExactlyOnce).is_err());
    }
}
