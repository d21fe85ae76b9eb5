//! How a subtask takes part in checkpoints: triggers, barriers, cuts, walks, commits, release.
//!
//! Invariant: a barrier cuts between slices, behind everything that its checkpoint holds and before
//! everything else: splits that come behind a trigger wait for its cut. While a cut is due and an
//! older walk goes on, no input is taken. Ids that are not above the last ones are refused. A
//! subtask whose input has ended passes barriers on, and is finished once it was released and
//! nothing that may be committed is unconfirmed.

use sameriver_model::probe::{self, Probe};
use sameriver_model::{Barrier, CheckpointId, Failure, FailureKind};
use sameriver_operator::Progress;
use sameriver_runtime::Monotonic;

use super::{BLOCKED, Feed, Halt, Moment, Phase, Readiness, Subtask, Turn, WORKED};
use crate::input::aligner::Alignment;
use crate::input::gate::Taken;
use crate::mail::SlotEvent;
use crate::snapshot::{Cut, superseded};

/// Mail of a source: splits and triggers have one order.
#[derive(Debug)]
pub(super) enum Letter {
    Splits { splits: Vec<Vec<u8>>, no_more: bool },
    Trigger(Barrier),
}

/// A cut that waits for the walk before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    barrier: Barrier,
    /// When its first barrier came.
    since: Monotonic,
}

/// Whether commits need to be looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing that may be committed is unconfirmed.
    Done,
    /// At the next turn.
    Again,
    /// After a wake; the slot was woken this often.
    AfterWake(u64),
}

impl Subtask {
    /// Hands splits to the source, behind the triggers that came before.
    pub(crate) fn assign(&mut self, splits: Vec<Vec<u8>>, no_more: bool) -> Result<(), Failure> {
        let Feed::Source { letters, .. } = &mut self.feed else {
            return Err(self.no_source("splits"));
        };
        letters.push_back(Letter::Splits { splits, no_more });
        Ok(())
    }

    /// Begins a checkpoint at this source. One that is not above the last changes nothing.
    pub(crate) fn trigger(&mut self, barrier: Barrier) -> Result<(), Failure> {
        let Feed::Source {
            letters, triggered, ..
        } = &mut self.feed
        else {
            return Err(self.no_source("a trigger"));
        };
        let id = barrier.checkpoint;
        if triggered.is_some_and(|last| id <= last) {
            tracing::warn!(subtask = %self.id, checkpoint = %id, "stale trigger refused");
            return Ok(());
        }
        *triggered = Some(id);
        let mut given_up: Vec<CheckpointId> = Vec::new();
        letters.retain(|letter| match letter {
            Letter::Trigger(old) => {
                given_up.push(old.checkpoint);
                false
            }
            Letter::Splits { .. } => true,
        });
        letters.push_back(Letter::Trigger(barrier));
        given_up.extend(self.due.take().map(|due| due.barrier.checkpoint));
        for old in given_up {
            self.snapshots.decline(old, superseded(old, id));
        }
        Ok(())
    }

    /// Nobody wants this checkpoint any more.
    pub(crate) fn abort(&mut self, checkpoint: CheckpointId) {
        match &mut self.feed {
            Feed::Source { letters, .. } => letters.retain(|letter| match letter {
                Letter::Trigger(barrier) => barrier.checkpoint != checkpoint,
                Letter::Splits { .. } => true,
            }),
            Feed::Gate { aligner, .. } => {
                aligner.abort(checkpoint);
            }
        }
        self.due.take_if(|due| due.barrier.checkpoint == checkpoint);
        self.snapshots.abort(checkpoint, self.feed.chain());
    }

    /// A checkpoint is published: sinks commit.
    pub(crate) fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), Failure> {
        self.snapshots.complete(checkpoint);
        self.settled = Settled::Again;
        let completed = self.feed.chain().complete(checkpoint);
        completed.map_err(|error| self.failure(error.into()))
    }

    /// Once its input has ended, the subtask need not stay.
    pub(crate) fn release(&mut self) {
        self.is_released = true;
    }

    /// The next thing to be reported.
    pub(crate) fn report(&mut self) -> Option<SlotEvent> {
        self.snapshots.report()
    }

    /// Looks after commits, uploads and mail; answers whether there is more of it to do.
    pub(super) fn look_after(&mut self, at: &Moment) -> Result<bool, Halt> {
        self.snapshots.look(self.feed.chain());
        self.read_letters(at)?;
        self.settle(at)
    }

    /// Cuts the stream, if that is due and no walk is under way.
    pub(super) fn cut(&mut self, at: &Moment) -> Result<bool, Halt> {
        // In the middle of `finish` the chain takes no barrier.
        if self.snapshots.is_walking() || self.phase == Phase::Finishing {
            return Ok(false);
        }
        let Some(due) = self.due.take() else {
            return Ok(false);
        };
        let checkpoint = due.barrier.checkpoint;
        if let Feed::Gate { gate, .. } = &self.feed {
            for (channel, records) in gate.reflected() {
                probe::observe(&Probe::Reflected {
                    channel,
                    attempt: self.attempt,
                    checkpoint,
                    records,
                });
            }
        }
        let cut = Cut {
            barrier: due.barrier,
            waited: at.now.since(due.since),
            is_ended: self.phase == Phase::Lingering,
        };
        self.snapshots.begin(cut, self.feed.chain(), &mut self.cx)?;
        // The barrier took everything along that was held back.
        self.unflushed = None;
        if let Feed::Source { reading, .. } = &mut self.feed {
            reading.cut(checkpoint, at.now);
        }
        Ok(true)
    }

    /// Walks a step.
    pub(super) fn walk(&mut self, at: &Moment) -> Result<bool, Halt> {
        let walked = self.snapshots.walk(at.wakes, self.feed.chain())?;
        Ok(walked)
    }

    /// A channel delivered a barrier.
    pub(super) fn on_barrier(&mut self, channel: usize, barrier: Barrier, at: &Moment) {
        let Feed::Gate { aligner, since, .. } = &mut self.feed else {
            unreachable!("only a gate has barriers");
        };
        let is_first = aligner.pending() != Some(barrier.checkpoint);
        let first = if is_first { at.now } else { *since };
        match aligner.on_barrier(channel, barrier) {
            Alignment::Block(_) | Alignment::Pass(_) => *since = first,
            Alignment::Complete(_) => {
                self.due = Some(Due {
                    barrier,
                    since: first,
                });
            }
            Alignment::Superseded(old) => {
                *since = first;
                let failure = superseded(old, barrier.checkpoint);
                self.snapshots.decline(old, failure);
            }
            Alignment::Stale => {
                tracing::debug!(subtask = %self.id, checkpoint = %barrier.checkpoint,
                    "stale barrier dropped");
            }
        }
    }

    /// Passes barriers on, or ends once it was released.
    pub(super) fn linger(&mut self, at: &Moment) -> Result<Turn, Halt> {
        if self.is_released {
            let is_outside = self.settled == Settled::Done && self.outputs.are_drained();
            if is_outside {
                self.outputs.close();
                return Ok(Turn::Finished);
            }
            return Ok(BLOCKED);
        }
        let Feed::Gate { gate, aligner, .. } = &mut self.feed else {
            return Ok(BLOCKED);
        };
        match gate.take(|channel| aligner.blocks(channel)) {
            None => Ok(BLOCKED),
            Some(Taken::Failed(failure)) => Err(Halt::Channel(failure)),
            Some(Taken::Barrier(channel, barrier)) => {
                self.on_barrier(channel, barrier, at);
                Ok(WORKED)
            }
            Some(Taken::Batch | Taken::Watermark(..) | Taken::Idle(..) | Taken::End(_)) => {
                let message = format!("{} got input behind the end of its input", self.name);
                Err(Halt::Channel(Failure::new(FailureKind::Internal, message)))
            }
        }
    }

    /// Reads a source's mail up to the next trigger; that waits for its cut.
    fn read_letters(&mut self, at: &Moment) -> Result<(), Halt> {
        let Feed::Source {
            head,
            readiness,
            letters,
            ..
        } = &mut self.feed
        else {
            return Ok(());
        };
        while self.due.is_none() {
            match letters.pop_front() {
                None => break,
                Some(Letter::Trigger(barrier)) => {
                    let since = at.now;
                    self.due = Some(Due { barrier, since });
                }
                Some(Letter::Splits { splits, no_more }) => {
                    *readiness = Readiness::Ready;
                    head.assign(&splits, no_more)?;
                }
            }
        }
        Ok(())
    }

    /// Looks after commits; answers whether there is more to do at once.
    fn settle(&mut self, at: &Moment) -> Result<bool, Halt> {
        match self.settled {
            Settled::Done => return Ok(false),
            Settled::AfterWake(wakes) if wakes == at.wakes => return Ok(false),
            Settled::AfterWake(_) | Settled::Again => {}
        }
        let progress = self.feed.chain().settle()?;
        self.settled = match progress {
            Progress::Done => Settled::Done,
            Progress::More => Settled::Again,
            Progress::Waiting => Settled::AfterWake(at.wakes),
        };
        Ok(progress == Progress::More)
    }

    fn no_source(&self, what: &str) -> Failure {
        let cause = format!("{} got {what}, but is no source", self.name);
        Failure::new(FailureKind::Internal, cause).in_subtask(self.id)
    }
}
