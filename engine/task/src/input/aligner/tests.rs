//! The aligner against examples, and against a model that remembers everything.

use proptest::prelude::*;

use super::*;

fn barrier(id: u64) -> Barrier {
    Barrier {
        checkpoint: CheckpointId::new(id),
    }
}

const fn id(id: u64) -> CheckpointId {
    CheckpointId::new(id)
}

/// What a list of barriers `(channel, checkpoint)` is answered with.
fn check(blocks: bool, channels: usize, barriers: &[(usize, u64)], expected: &[Alignment]) {
    let mut aligner = Aligner::new(channels, blocks);
    let answers = barriers.iter();
    let answers: Vec<_> = answers
        .map(|(channel, id)| aligner.on_barrier(*channel, barrier(*id)))
        .collect();
    assert_eq!(answers, expected);
}

#[test]
fn a_checkpoint_is_complete_with_its_last_barrier() {
    use Alignment::{Block, Complete};
    check(
        true,
        3,
        &[(1, 1), (0, 1), (2, 1), (2, 2)],
        &[Block(1), Block(0), Complete(id(1)), Block(2)],
    );
    check(
        true,
        1,
        &[(0, 1), (0, 4)],
        &[Complete(id(1)), Complete(id(4))],
    );
}

#[test]
fn at_least_once_no_channel_waits_and_the_checkpoint_is_complete_all_the_same() {
    use Alignment::{Complete, Pass};
    check(
        false,
        2,
        &[(1, 1), (0, 1), (0, 2)],
        &[Pass(1), Complete(id(1)), Pass(0)],
    );
    let mut aligner = Aligner::new(2, false);
    assert_eq!(aligner.on_barrier(0, barrier(1)), Pass(0));
    assert!(!aligner.blocks(0));
}

#[test]
fn a_later_checkpoint_supersedes_one_that_waits() {
    use Alignment::{Block, Complete, Stale, Superseded};
    check(
        true,
        2,
        &[(0, 1), (1, 2), (0, 1), (0, 2), (1, 1)],
        &[Block(0), Superseded(id(1)), Stale, Complete(id(2)), Stale],
    );
}

#[test]
fn a_superseded_checkpoint_lets_its_channels_go_and_the_later_one_blocks() {
    let mut aligner = Aligner::new(2, true);
    assert_eq!(aligner.on_barrier(0, barrier(1)), Alignment::Block(0));
    assert!(aligner.blocks(0) && !aligner.blocks(1));
    assert_eq!(
        aligner.on_barrier(1, barrier(2)),
        Alignment::Superseded(id(1))
    );
    assert!(!aligner.blocks(0) && aligner.blocks(1));
}

#[test]
fn a_checkpoint_that_is_given_up_lets_its_channels_go_and_its_barriers_are_stale() {
    let mut aligner = Aligner::new(2, true);
    let _ = aligner.on_barrier(0, barrier(1));
    assert!(aligner.abort(id(1)));
    assert!(!aligner.blocks(0));
    assert_eq!(aligner.on_barrier(1, barrier(1)), Alignment::Stale);
}

#[test]
fn a_checkpoint_may_be_given_up_before_its_first_barrier() {
    let mut aligner = Aligner::new(2, true);
    let _ = aligner.on_barrier(0, barrier(1));
    assert!(!aligner.abort(id(2)));
    assert_eq!(aligner.pending(), Some(id(1)), "the earlier one goes on");
    assert_eq!(aligner.on_barrier(1, barrier(2)), Alignment::Stale);
    assert_eq!(
        aligner.on_barrier(1, barrier(1)),
        Alignment::Complete(id(1))
    );
    assert_eq!(aligner.on_barrier(0, barrier(2)), Alignment::Stale);
}

/// What happens to a gate.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Barrier(usize, u64),
    Abort(u64),
}

/// Remembers every fact and answers by looking through all of them.
#[derive(Default)]
struct Model {
    seen: BTreeSet<(u64, usize)>,
    aborted: BTreeSet<u64>,
    complete: BTreeSet<u64>,
}

impl Model {
    /// A checkpoint is alive when a barrier of it counted, nothing ended it, and none later began.
    fn alive(&self) -> Option<u64> {
        let latest = self.seen.iter().map(|(id, _)| *id).max()?;
        let dead = self.complete.contains(&latest) || self.aborted.contains(&latest);
        (!dead).then_some(latest)
    }

    fn on_barrier(&mut self, channels: usize, blocks: bool, channel: usize, id: u64) -> Alignment {
        let latest = self.seen.iter().map(|(id, _)| *id).max().unwrap_or(0);
        let over = self.complete.contains(&id) || self.aborted.contains(&id);
        if over || id < latest || self.seen.contains(&(id, channel)) {
            return Alignment::Stale;
        }
        let old = self.alive().filter(|old| *old < id);
        self.seen.insert((id, channel));
        if (0..channels).all(|channel| self.seen.contains(&(id, channel))) {
            self.complete.insert(id);
            return Alignment::Complete(CheckpointId::new(id));
        }
        match old {
            Some(old) => Alignment::Superseded(CheckpointId::new(old)),
            None if blocks => Alignment::Block(channel),
            None => Alignment::Pass(channel),
        }
    }

    fn blocks(&self, blocks: bool, channel: usize) -> bool {
        let alive = self.alive().filter(|_| blocks);
        alive.is_some_and(|id| self.seen.contains(&(id, channel)))
    }
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        6 => (0_usize..4, 1_u64..8).prop_map(|(channel, id)| Fact::Barrier(channel, id)),
        1 => (1_u64..8).prop_map(Fact::Abort),
    ]
}

proptest! {
    #[test]
    fn the_aligner_answers_like_a_model_that_remembers_everything(
        channels in 1_usize..4,
        blocks in any::<bool>(),
        facts in proptest::collection::vec(fact(), 0..60),
    ) {
        let (mut aligner, mut model) = (Aligner::new(channels, blocks), Model::default());
        for fact in facts {
            match fact {
                Fact::Barrier(channel, id) => {
                    let channel = channel % channels;
                    let answer = aligner.on_barrier(channel, barrier(id));
                    prop_assert_eq!(answer, model.on_barrier(channels, blocks, channel, id));
                }
                Fact::Abort(checkpoint) => {
                    let was_pending = aligner.abort(id(checkpoint));
                    prop_assert_eq!(was_pending, model.alive() == Some(checkpoint));
                    model.aborted.insert(checkpoint);
                }
            }
            for channel in 0..channels {
                prop_assert_eq!(aligner.blocks(channel), model.blocks(blocks, channel));
            }
        }
    }
}
