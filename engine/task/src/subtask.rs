//! One subtask: a chain, its gate and its outputs, driven one slice at a time.
//!
//! Reading order: this file → `checkpoints`, where it takes part in checkpoints → `reading`, what a
//! source tells of what it reads.
//!
//! Invariant: input is taken only when every output has a free buffer and the chain is done with
//! what it got before. After the end of all input come the last watermark, then `finish`; then only
//! barriers, until the subtask is released. Never waits: what cannot go on now says so, and until
//! when.

mod checkpoints;
mod reading;

use std::collections::VecDeque;
use std::time::Duration;

use sameriver_graph::Body;
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, FailureKind, ProcessingTime, SubtaskId, Watermark,
};
use sameriver_operator::{
    Chain, Context, Head, OperatorError, Position, Progress, SourceHead, SourceProgress, Spent,
};
use sameriver_runtime::{Monotonic, Panicked};

use self::checkpoints::{Due, Letter, Settled};
use self::reading::Reading;
use crate::input::aligner::Aligner;
use crate::input::gate::{InputGate, Taken};
use crate::input::watermark_valve::{Emission, WatermarkValve};
use crate::mail::SlotEvent;
use crate::metrics::SubtaskMetrics;
use crate::outputs::OutputBuffers;
use crate::settings::SlotSettings;
use crate::snapshot::Snapshots;

/// When a turn is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The monotonic clock after the slice before.
    pub(crate) now: Monotonic,
    /// The wall clock, at most a yield old.
    pub(crate) wall: ProcessingTime,
    /// How often the slot was woken so far.
    pub(crate) wakes: u64,
}

/// What came of a turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was done; so many records were taken.
    Worked {
        /// Records taken from a channel or read by the source.
        records: u64,
    },
    /// Nothing can be done before a wake, or this instant.
    Blocked {
        /// When to come back without a wake.
        until: Option<Monotonic>,
    },
    /// The source asks for splits; it is told by [`Subtask::assign`].
    NeedSplit {
        /// Records read before.
        records: u64,
    },
    /// The subtask was released, and all it did is outside.
    Finished,
}

/// Something was done, and no record taken.
const WORKED: Turn = Turn::Worked { records: 0 };
/// Nothing can be done before a wake.
const BLOCKED: Turn = Turn::Blocked { until: None };

/// Why a subtask cannot go on.
enum Halt {
    Operator(OperatorError),
    Channel(Failure),
}

impl From<OperatorError> for Halt {
    fn from(error: OperatorError) -> Self {
        Self::Operator(error)
    }
}

/// Where the records come from.
enum Feed {
    Source {
        head: Box<dyn SourceHead>,
        readiness: Readiness,
        /// Splits and triggers, in the order in which they came.
        letters: VecDeque<Letter>,
        /// The latest checkpoint that a trigger named.
        triggered: Option<CheckpointId>,
        reading: Reading,
    },
    Gate {
        head: Box<dyn Head>,
        gate: InputGate,
        valve: WatermarkValve,
        aligner: Aligner,
        /// When the first barrier of the checkpoint that waits came.
        since: Monotonic,
    },
}

/// Whether a source is worth asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    /// Since the slot was woken this often.
    Waiting(u64),
    /// Until this instant, or since the slot was woken this often.
    Until(Monotonic, u64),
    /// The enumerator was asked.
    Asked,
}

/// How far the subtask is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Takes input.
    Running,
    /// The input has ended: the last watermark is due.
    Ended,
    /// The last watermark is on its way through the chain.
    Draining,
    /// The chain hands on what it still holds.
    Finishing,
    /// All was handed on. Only barriers are passed, until the subtask is released.
    Lingering,
}

/// What the chain still owes for an earlier call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// It goes on when there is room.
    More,
    /// It goes on after a wake; the slot was woken this often.
    AfterWake(u64),
}

/// A deployed subtask.
pub(crate) struct Subtask {
    id: SubtaskId,
    attempt: AttemptNumber,
    name: String,
    feed: Feed,
    outputs: OutputBuffers,
    phase: Phase,
    owed: Owed,
    snapshots: Snapshots,
    /// A barrier that all channels have delivered, or a trigger whose turn it is.
    due: Option<Due>,
    settled: Settled,
    is_released: bool,
    /// The first slice since the last flush.
    unflushed: Option<Monotonic>,
    settings: SlotSettings,
    metrics: SubtaskMetrics,
    cx: Context,
}

impl Subtask {
    /// Joins a chain with its channels; `gate` is empty for a source. `name` is its vertex's.
    pub(crate) fn new(
        (id, attempt): (SubtaskId, AttemptNumber),
        name: String,
        body: Body,
        (gate, outputs): (InputGate, OutputBuffers),
        snapshots: Snapshots,
        settings: SlotSettings,
    ) -> Self {
        let feed = match body {
            Body::Source(head) => Feed::Source {
                head,
                readiness: Readiness::Ready,
                letters: VecDeque::new(),
                triggered: None,
                reading: Reading::new(snapshots.reports()),
            },
            Body::Chain(head) => Feed::Gate {
                head,
                valve: WatermarkValve::new(gate.channels()),
                aligner: Aligner::new(gate.channels(), snapshots.are_aligned()),
                gate,
                since: Monotonic::default(),
            },
        };
        Self {
            id,
            attempt,
            name,
            feed,
            outputs,
            phase: Phase::Running,
            owed: Owed::Nothing,
            snapshots,
            due: None,
            // What a restored sink commits anew is looked after from the first turn on.
            settled: Settled::Again,
            is_released: false,
            unflushed: None,
            settings,
            metrics: SubtaskMetrics::default(),
            cx: Context::new(ProcessingTime::from_millis(0), 1),
        }
    }

    /// The same, whose chain starts from a snapshot: it is resumed before it takes input.
    pub(crate) fn restored(self) -> Self {
        let owed = Owed::More;
        Self { owed, ..self }
    }

    /// Which subtask this is.
    pub(crate) fn id(&self) -> SubtaskId {
        self.id
    }

    /// What it counted so far.
    pub(crate) fn metrics(&self) -> SubtaskMetrics {
        let meter = self.outputs.meter();
        SubtaskMetrics {
            records_out: meter.records(),
            batches_out: meter.batches(),
            overdraft_max: meter.overdraft_max(),
            ..self.metrics
        }
    }

    /// One turn took so long.
    pub(crate) fn note_stop(&mut self, stop: Duration) {
        self.metrics.longest_stop = self.metrics.longest_stop.max(stop);
    }

    /// Does the next thing that can be done; `spent` are the used records of the slot.
    pub(crate) fn turn(&mut self, at: &Moment, spent: &mut Spent) -> Result<Turn, Failure> {
        let room = self.outputs.have_room();
        self.cx = Context::new(at.wall, self.settings.slice_records);
        self.cx.spent = std::mem::take(spent);
        let turn = self.work(at, room);
        *spent = std::mem::take(&mut self.cx.spent);
        turn
    }

    fn work(&mut self, at: &Moment, room: bool) -> Result<Turn, Failure> {
        let mut turn = self.step(at, room).map_err(|halt| self.failure(halt))?;
        self.tell_what_was_read(at);
        self.metrics.late_dropped += self.cx.late_dropped;
        match &mut turn {
            Turn::Worked { .. } | Turn::NeedSplit { .. } => {
                self.worked(at).map_err(|halt| self.failure(halt))?;
            }
            Turn::Blocked { until } => {
                if let Some(failure) = self.broken_channel() {
                    return Err(failure.in_subtask(self.id));
                }
                if room {
                    self.come_back_to_flush(until);
                }
                self.come_back_to_tell(until);
            }
            Turn::Finished => {}
        }
        match self.outputs.excess() {
            Some((overdraft, limit)) => Err(self.failure(self.excess(overdraft, limit))),
            None => Ok(turn),
        }
    }

    /// The failure of a panic inside the last call.
    pub(crate) fn panicked(&self, payload: &(dyn std::any::Any + Send)) -> Failure {
        let panicked = Panicked::new(&self.name, payload);
        let message = format!(
            "operator {} panicked at {}: {}: mend the function, or let it return an error",
            self.name, self.cx.position, panicked.message
        );
        Failure::new(FailureKind::User, message).in_subtask(self.id)
    }

    fn failure(&self, halt: Halt) -> Failure {
        let failure = match halt {
            Halt::Operator(error) => Failure::new(error.kind(), error.to_string()),
            Halt::Channel(failure) => failure,
        };
        failure.in_subtask(self.id)
    }

    /// A channel that broke explains why nothing can be done.
    fn broken_channel(&self) -> Option<Failure> {
        let input = match &self.feed {
            Feed::Source { .. } => None,
            Feed::Gate { gate, .. } => gate.failure(),
        };
        input.or_else(|| self.outputs.failure())
    }

    fn excess(&self, value: u64, limit: u64) -> Halt {
        Halt::Operator(OperatorError::Limit {
            operator: self.name.clone(),
            position: self.cx.position.clone(),
            what: "overdraft in batches",
            value,
            limit,
            remedy: "lower slice_records, let one record give fewer, or raise \
                     overdraft_batches",
        })
    }

    /// After work: flush at once, or remember that something may be held back.
    fn worked(&mut self, at: &Moment) -> Result<(), Halt> {
        self.metrics.slices += 1;
        if matches!(self.phase, Phase::Finishing | Phase::Lingering) {
            // `finish` hands on everything, and nothing follows it.
            self.unflushed = None;
        } else if self.settings.batch_timeout.is_zero() {
            self.feed.chain().flush(&mut self.cx)?;
        } else {
            self.unflushed.get_or_insert(at.now);
        }
        Ok(())
    }

    fn come_back_to_flush(&self, until: &mut Option<Monotonic>) {
        if let Some(since) = self.unflushed {
            let due = since.saturating_add(self.settings.batch_timeout);
            *until = Some(until.map_or(due, |until| until.min(due)));
        }
    }

    /// What belongs to checkpoints comes first, then records.
    fn step(&mut self, at: &Moment, room: bool) -> Result<Turn, Halt> {
        if self.look_after(at)? || self.cut(at)? {
            return Ok(WORKED);
        }
        if self.snapshots.is_due(at.now) && self.walk(at)? {
            return Ok(WORKED);
        }
        let room = self.flush_in_time(at, room)?;
        // A cut that is due waits for a walk only: nothing more goes into the state before it.
        let turn = if self.due.is_some() && self.snapshots.is_walking() {
            BLOCKED
        } else {
            self.advance(at, room)?
        };
        match turn {
            Turn::Blocked { .. } if self.walk(at)? => Ok(WORKED),
            Turn::Blocked { .. } | Turn::Finished => Ok(turn),
            Turn::Worked { .. } | Turn::NeedSplit { .. } => {
                self.snapshots.give_way();
                Ok(turn)
            }
        }
    }

    /// Hands on what has waited long enough; answers whether there is room left.
    fn flush_in_time(&mut self, at: &Moment, room: bool) -> Result<bool, Halt> {
        let due = |since: Monotonic| at.now.since(since) >= self.settings.batch_timeout;
        if room && self.unflushed.is_some_and(due) {
            self.unflushed = None;
            self.feed.chain().flush(&mut self.cx)?;
            return Ok(self.outputs.have_room());
        }
        Ok(room)
    }

    fn advance(&mut self, at: &Moment, room: bool) -> Result<Turn, Halt> {
        match self.owed {
            Owed::AfterWake(wakes) if wakes == at.wakes => return Ok(BLOCKED),
            Owed::Nothing if !room && !self.phase.sends_no_more() => return Ok(BLOCKED),
            Owed::More if !room || !self.feed.chain().has_room() => return Ok(BLOCKED),
            Owed::Nothing => {}
            Owed::AfterWake(_) | Owed::More => {
                let progress = self.feed.chain().resume(&mut self.cx)?;
                return Ok(self.progress(progress, at));
            }
        }
        match self.phase {
            Phase::Running | Phase::Ended if !self.feed.chain().has_room() => Ok(BLOCKED),
            Phase::Running => self.take_input(at),
            Phase::Ended => {
                self.phase = Phase::Draining;
                let progress = self.feed.chain().watermark(Watermark::MAX, &mut self.cx)?;
                Ok(self.progress(progress, at))
            }
            Phase::Draining => {
                self.phase = Phase::Finishing;
                let progress = self.feed.chain().finish(&mut self.cx)?;
                Ok(self.progress(progress, at))
            }
            Phase::Finishing => {
                self.phase = Phase::Lingering;
                self.settled = Settled::Again;
                let (subtask, attempt) = (self.id, self.attempt);
                self.snapshots
                    .announce(SlotEvent::Ended { subtask, attempt });
                Ok(WORKED)
            }
            Phase::Lingering => self.linger(at),
        }
    }

    fn progress(&mut self, progress: Progress, at: &Moment) -> Turn {
        self.owed = match progress {
            Progress::Done => Owed::Nothing,
            Progress::More => Owed::More,
            Progress::Waiting => Owed::AfterWake(at.wakes),
        };
        WORKED
    }

    fn take_input(&mut self, at: &Moment) -> Result<Turn, Halt> {
        let Feed::Gate {
            gate,
            valve,
            aligner,
            ..
        } = &mut self.feed
        else {
            return self.read(at);
        };
        let emission = match gate.take(|channel| aligner.blocks(channel)) {
            None => return Ok(BLOCKED),
            Some(Taken::Batch) => return self.slice(),
            Some(Taken::Failed(failure)) => return Err(Halt::Channel(failure)),
            Some(Taken::Watermark(channel, watermark)) => valve.on_watermark(channel, watermark),
            Some(Taken::Barrier(channel, barrier)) => {
                self.on_barrier(channel, barrier, at);
                return Ok(WORKED);
            }
            Some(Taken::Idle(channel, idle)) => valve.on_idle(channel, idle),
            Some(Taken::End(channel)) => valve.on_end(channel),
        };
        if valve.is_ended() {
            self.phase = Phase::Ended;
        }
        self.emit(emission, at)
    }

    /// Runs one slice of the batch at the front of the gate.
    fn slice(&mut self) -> Result<Turn, Halt> {
        let Feed::Gate { head, gate, .. } = &mut self.feed else {
            unreachable!("only a gate has batches");
        };
        let front = gate.front().expect("the gate has just announced a batch");
        let (before, max) = (front.batch.len(), self.settings.slice_records.max(1));
        let (from, count) = (front.from, before.min(max) as u64);
        self.cx.position = Position::Channel {
            channel: front.channel,
            from,
            to: from + count,
        };
        head.slice(front.batch, max, &mut self.cx)?;
        let records = (before - front.batch.len()) as u64;
        if gate.advance(records) {
            self.metrics.batches_in += 1;
        }
        self.metrics.records_in += records;
        Ok(Turn::Worked { records })
    }

    /// Lets the source read.
    fn read(&mut self, at: &Moment) -> Result<Turn, Halt> {
        let Feed::Source {
            head,
            readiness,
            reading,
            ..
        } = &mut self.feed
        else {
            unreachable!("only a source reads");
        };
        match *readiness {
            Readiness::Asked => return Ok(BLOCKED),
            Readiness::Waiting(wakes) if wakes == at.wakes => return Ok(BLOCKED),
            Readiness::Until(instant, wakes) if wakes == at.wakes && at.now < instant => {
                let until = Some(instant);
                return Ok(Turn::Blocked { until });
            }
            Readiness::Ready | Readiness::Waiting(_) | Readiness::Until(..) => {}
        }
        let progress = head.slice(self.settings.slice_records.max(1), &mut self.cx)?;
        let records = self.cx.records_read;
        self.metrics.records_in += records;
        reading.add(&self.cx);
        match progress {
            SourceProgress::Ready => *readiness = Readiness::Ready,
            SourceProgress::Waiting => *readiness = Readiness::Waiting(at.wakes),
            SourceProgress::Until(instant) => *readiness = Readiness::Until(instant, at.wakes),
            SourceProgress::NeedSplit => {
                *readiness = Readiness::Asked;
                return Ok(Turn::NeedSplit { records });
            }
            SourceProgress::Resume(progress) => {
                *readiness = Readiness::Ready;
                self.progress(progress, at);
            }
            SourceProgress::Finished => self.phase = Phase::Ended,
        }
        Ok(Turn::Worked { records })
    }

    /// Tells the chain what the valve let through.
    fn emit(&mut self, emission: Emission, at: &Moment) -> Result<Turn, Halt> {
        let chain = self.feed.chain();
        if let Some(idle) = emission.idle {
            chain.idle(idle, &mut self.cx)?;
        }
        if let Some(watermark) = emission.watermark {
            let progress = chain.watermark(watermark, &mut self.cx)?;
            return Ok(self.progress(progress, at));
        }
        Ok(WORKED)
    }
}

impl Phase {
    /// Whether nothing is sent from now on that needs a buffer.
    fn sends_no_more(self) -> bool {
        matches!(self, Self::Finishing | Self::Lingering)
    }
}

impl Feed {
    fn chain(&mut self) -> &mut dyn Chain {
        match self {
            Self::Source { head, .. } => &mut **head,
            Self::Gate { head, .. } => &mut **head,
        }
    }
}
