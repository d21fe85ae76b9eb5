//! A test kit: consumers and channels that remember what they saw, and slices made of literals.
//!
//! Only with the feature `testing`, and in this room's own tests.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sameriver_model::{
    AnyBatch, AttemptNumber, Barrier, Batch, CheckpointId, Element, EventTime, JobNonce,
    MaxParallelism, Parallelism, ProcessingTime, SectionWriter, SubtaskId, SubtaskIndex, VertexId,
    Watermark,
};

use crate::consumer::{Consumer, Progress, Walk};
use crate::context::{Context, Position};
use crate::error::OperatorError;
use crate::open::{CommitRule, OpenArgs};
use crate::outputs::Outputs;
use crate::source::Surroundings;

mod reopen;

pub use crate::source::Errands;
pub use reopen::{Snapshots, reopened, snapshot_of, snapshot_under_way};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("no test panics while it holds the lock")
}

/// One thing that a [`Collecting`] consumer saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// A record and its event time in milliseconds.
    Record(T, Option<i64>),
    /// A watermark in milliseconds.
    Watermark(i64),
    /// `resume` was called.
    Resume,
    /// The input became idle or active.
    Idle(bool),
    /// `flush` was called.
    Flush,
    /// `finish` was called.
    Finish,
    /// The barrier of this checkpoint.
    Barrier(u64),
    /// This checkpoint is complete.
    Complete(u64),
}

/// What a [`Collecting`] consumer saw, for the test.
#[derive(Clone, Debug)]
pub struct Log<T>(Arc<Mutex<Vec<Seen<T>>>>);

impl<T> Log<T> {
    /// Takes what was seen since the last call.
    pub fn take(&self) -> Vec<Seen<T>> {
        std::mem::take(&mut *lock(&self.0))
    }

    /// Takes the records only, without their times.
    pub fn records(&self) -> Vec<T> {
        let seen = self.take().into_iter();
        seen.filter_map(|seen| match seen {
            Seen::Record(record, _) => Some(record),
            Seen::Watermark(_)
            | Seen::Resume
            | Seen::Idle(_)
            | Seen::Flush
            | Seen::Finish
            | Seen::Barrier(_)
            | Seen::Complete(_) => None,
        })
        .collect()
    }
}

/// The end of a chain that remembers everything.
pub struct Collecting<T> {
    log: Log<T>,
    answers: VecDeque<Progress>,
}

impl<T: Send + 'static> Collecting<T> {
    /// A consumer that is always done, and its log.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a test needs both the link and its log"
    )]
    pub fn new() -> (Box<dyn Consumer<T>>, Log<T>) {
        Self::answering([])
    }

    /// A consumer that answers `watermark`, `resume` and `finish` with `answers`, then is done.
    pub fn answering(
        answers: impl IntoIterator<Item = Progress>,
    ) -> (Box<dyn Consumer<T>>, Log<T>) {
        let log = Log(Arc::default());
        let answers = answers.into_iter().collect();
        let consumer = Self {
            log: Log(Arc::clone(&log.0)),
            answers,
        };
        (Box::new(consumer), log)
    }

    fn answer(&mut self, seen: Seen<T>) -> Progress {
        lock(&self.log.0).push(seen);
        self.answers.pop_front().unwrap_or(Progress::Done)
    }
}

impl<T: Send + 'static> Consumer<T> for Collecting<T> {
    fn slice(&mut self, batch: &mut Batch<T>, _cx: &mut Context) -> Result<(), OperatorError> {
        let mut log = lock(&self.log.0);
        crate::out::drain_each(batch, |record, time| {
            log.push(Seen::Record(record, time.map(EventTime::as_millis)));
            Ok(())
        })
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        _cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        Ok(self.answer(Seen::Watermark(watermark.time().as_millis())))
    }

    fn resume(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        Ok(self.answer(Seen::Resume))
    }

    fn idle(&mut self, idle: bool, _cx: &mut Context) -> Result<(), OperatorError> {
        lock(&self.log.0).push(Seen::Idle(idle));
        Ok(())
    }

    fn flush(&mut self, _cx: &mut Context) -> Result<(), OperatorError> {
        lock(&self.log.0).push(Seen::Flush);
        Ok(())
    }

    fn finish(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        Ok(self.answer(Seen::Finish))
    }

    fn has_room(&self) -> bool {
        true
    }

    fn barrier(&mut self, barrier: Barrier, _cx: &mut Context) -> Result<(), OperatorError> {
        lock(&self.log.0).push(Seen::Barrier(barrier.checkpoint.get()));
        Ok(())
    }

    fn snapshot(&mut self, _sections: &mut SectionWriter) -> Result<(), OperatorError> {
        Ok(())
    }

    fn walk(
        &mut self,
        _bytes_max: usize,
        _sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        Ok(Walk::Done)
    }

    fn drop_snapshot(&mut self) {}

    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        lock(&self.log.0).push(Seen::Complete(checkpoint.get()));
        Ok(())
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
}

/// One thing that was sent on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent<T> {
    /// A batch of records.
    Batch(Vec<T>),
    /// A watermark in milliseconds.
    Watermark(i64),
    /// The channel became idle or active.
    Idle(bool),
    /// The barrier of this checkpoint.
    Barrier(u64),
    /// The channel ended.
    End,
}

/// What was sent on each of the [`Channels`], for the test.
#[derive(Debug)]
pub struct SentLog<T> {
    channels: Arc<Mutex<Vec<Vec<Sent<T>>>>>,
    pointers: Arc<Mutex<Vec<usize>>>,
}

impl<T: Clone> SentLog<T> {
    /// Everything that was sent on a channel.
    pub fn take(&self, channel: usize) -> Vec<Sent<T>> {
        lock(&self.channels)[channel].clone()
    }

    /// All records that were sent on a channel.
    pub fn records(&self, channel: usize) -> Vec<T> {
        let sent = self.take(channel).into_iter();
        sent.flat_map(|sent| match sent {
            Sent::Batch(records) => records,
            Sent::Watermark(_) | Sent::Idle(_) | Sent::Barrier(_) | Sent::End => Vec::new(),
        })
        .collect()
    }

    /// Where the records of the last batch of a channel are in memory.
    pub fn last_pointer(&self, channel: usize) -> Option<usize> {
        lock(&self.pointers).get(channel).copied()
    }
}

/// Channels that remember what is sent on them.
pub struct Channels<T>(SentLog<T>);

impl<T: Element + Clone> Channels<T> {
    /// `count` channels, and their log.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a test needs both the channels and their log"
    )]
    pub fn new(count: usize) -> (Box<dyn Outputs>, SentLog<T>) {
        let log = || SentLog {
            channels: Arc::new(Mutex::new(vec![Vec::new(); count])),
            pointers: Arc::new(Mutex::new(vec![0; count])),
        };
        let log = log();
        let same = SentLog {
            channels: Arc::clone(&log.channels),
            pointers: Arc::clone(&log.pointers),
        };
        (Box::new(Self(same)), log)
    }

    fn each(&self, sent: &Sent<T>) {
        for channel in &mut *lock(&self.0.channels) {
            channel.push(sent.clone());
        }
    }
}

impl<T: Element + Clone> Outputs for Channels<T> {
    fn channels(&self) -> usize {
        lock(&self.0.channels).len()
    }

    fn send(&mut self, channel: usize, batch: Box<dyn AnyBatch>) {
        assert!(!batch.is_empty(), "no empty batch is sent");
        let batch = batch.as_any().downcast_ref::<Batch<T>>();
        let records = batch.expect("the channel's record type").records();
        lock(&self.0.pointers)[channel] = records.as_ptr() as usize;
        lock(&self.0.channels)[channel].push(Sent::Batch(records.to_vec()));
    }

    fn watermark(&mut self, watermark: Watermark) {
        self.each(&Sent::Watermark(watermark.time().as_millis()));
    }

    fn idle(&mut self, idle: bool) {
        self.each(&Sent::Idle(idle));
    }

    fn barrier(&mut self, barrier: Barrier) {
        self.each(&Sent::Barrier(barrier.checkpoint.get()));
    }

    fn end(&mut self) {
        self.each(&Sent::End);
    }
}

/// The only subtask of a vertex, with 128 key groups and this batch size.
pub fn args(batch_records_max: usize) -> OpenArgs {
    OpenArgs {
        job: JobNonce::new(1),
        subtask: SubtaskId::new(VertexId::new(0), SubtaskIndex::new(0)),
        parallelism: Parallelism::ONE,
        max_parallelism: MaxParallelism::default(),
        batch_records_max,
        attempt: AttemptNumber::new(1),
        restored: None,
        commits: CommitRule::AtEnd,
        commit_timeout: Duration::from_mins(1),
        surroundings: Surroundings::nowhere(),
    }
}

/// A call at processing time 0 that may fire 256 timers, with records of `words.txt`.
pub fn context() -> Context {
    context_with_timers_max(256)
}

/// The same with another limit of timers.
pub fn context_with_timers_max(timers_max: usize) -> Context {
    let mut cx = Context::new(ProcessingTime::from_millis(0), timers_max);
    cx.position = Position::Source {
        split: "words.txt".into(),
        from: 100,
        to: 200,
        unit: "byte",
    };
    cx
}

/// A slice of records with event times in milliseconds.
pub fn timed<T>(records: impl IntoIterator<Item = (T, i64)>) -> Batch<T> {
    let (records, times): (Vec<_>, Vec<_>) = records.into_iter().unzip();
    let times = times.into_iter().map(EventTime::from_millis).collect();
    Batch::from_parts(records, Some(times))
}

/// A slice of records without event times.
pub fn untimed<T>(records: impl IntoIterator<Item = T>) -> Batch<T> {
    Batch::from_parts(records.into_iter().collect(), None)
}

/// Runs one slice, and then perhaps a watermark (in milliseconds) until it is done.
pub fn run<T>(consumer: &mut dyn Consumer<T>, mut slice: Batch<T>, watermark: Option<i64>) {
    let cx = &mut context();
    consumer.slice(&mut slice, cx).expect("the slice is good");
    assert!(slice.is_empty(), "a slice is taken as a whole");
    if let Some(millis) = watermark {
        let watermark = Watermark::at(EventTime::from_millis(millis));
        let mut progress = consumer.watermark(watermark, cx).expect("nothing fails");
        while progress != Progress::Done {
            progress = consumer.resume(cx).expect("nothing fails");
        }
    }
}

/// Runs one slice that must fail.
pub fn failure_of<T>(
    consumer: &mut dyn Consumer<T>,
    mut slice: Batch<T>,
    cx: &mut Context,
) -> OperatorError {
    consumer
        .slice(&mut slice, cx)
        .expect_err("the slice is bad")
}
