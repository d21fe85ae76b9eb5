//! Plays the engine for one subtask of a sink, and keeps the books.
//!
//! Invariant: the books say which records were committed, by what was asked and answered alone;
//! after each step what is visible must be just that. A record's number is its place in the input,
//! so a restored attempt writes the same records again.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use sameriver_model::{
    AttemptNumber, Batch, CheckpointId, Element, JobNonce, Parallelism, SubtaskId, SubtaskIndex,
    VertexId,
};
use sameriver_operator::sink::{CommitError, Committable, Committer, SinkWriter, WriterArgs};
use sameriver_operator::source::Surroundings;
use sameriver_operator::{CommitRule, Progress};
use sameriver_runtime::{Wake, World};

use super::failure::{Broken, Rule, patiently};
use super::sink_case::Step;
use super::sink_kit::SinkTrial;

/// How often a commit that answers `Retry` is repeated.
const RETRIES: u32 = 100;
/// The job of every trial.
const JOB: JobNonce = JobNonce::new(0x1f3c_09ab_0000_0000);
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// What one snapshot added: committables, and the records that they stand for.
#[derive(Clone)]
struct Group {
    /// Which attempt, and which of its groups.
    name: (AttemptNumber, u64),
    checkpoint: u64,
    committables: Vec<Committable>,
    records: Range<u64>,
}

/// A checkpoint that exists.
#[derive(Clone, Default)]
struct Published {
    /// Whether it is one, or the beginning.
    exists: bool,
    /// How many records it covers.
    position: u64,
    /// What was not confirmed when it was taken, its own group included.
    held: Vec<Group>,
}

/// One attempt of the subtask.
struct Attempt<T> {
    number: AttemptNumber,
    world: World,
    wake: Wake,
    writer: Box<dyn SinkWriter<T>>,
    committer: Box<dyn Committer>,
    /// How many records were written, counted from the beginning of the input.
    position: u64,
    /// How many of them are in a group.
    grouped: u64,
    groups: u64,
    /// Where the last barrier was.
    barrier: u64,
    held: Vec<Group>,
    /// The checkpoints whose snapshots are taken.
    taken: BTreeMap<u64, Published>,
}

/// A trial that runs.
pub(super) struct Drive<'a, T, F> {
    trial: &'a SinkTrial<T>,
    record: &'a F,
    commits: CommitRule,
    attempt: Option<Attempt<T>>,
    lost: Option<Attempt<T>>,
    last: AttemptNumber,
    published: BTreeMap<u64, Published>,
    /// The groups that were committed.
    committed: BTreeMap<(AttemptNumber, u64), Range<u64>>,
    /// Groups of which a part may be committed.
    in_part: Vec<Group>,
}

impl<'a, T, F> Drive<'a, T, F>
where
    T: Element + Ord + Clone + Debug,
    F: Fn(u64) -> T,
{
    /// Starts the first attempt.
    pub(super) fn open(
        trial: &'a SinkTrial<T>,
        record: &'a F,
        commits: CommitRule,
    ) -> Result<Self, Broken> {
        let last = AttemptNumber::of_epoch(1, 1);
        let mut drive = Self {
            trial,
            record,
            commits,
            attempt: None,
            lost: None,
            last,
            published: BTreeMap::new(),
            committed: BTreeMap::new(),
            in_part: Vec::new(),
        };
        drive.attempt = Some(drive.start(last, &Published::default())?);
        Ok(drive)
    }

    /// The latest attempt.
    pub(super) fn attempt(&self) -> AttemptNumber {
        self.last
    }

    fn start(&self, number: AttemptNumber, from: &Published) -> Result<Attempt<T>, Broken> {
        let (world, wake) = ((self.trial.worlds)(), Wake::new());
        let args = WriterArgs {
            surroundings: Surroundings {
                world: world.clone(),
                wake: wake.clone(),
            },
            job: JOB,
            subtask: SubtaskId::new(VertexId::new(0), SubtaskIndex::new(0)),
            attempt: number,
            is_restored: from.exists,
            parallelism: Parallelism::ONE,
            commits: self.commits,
        };
        let sink = &self.trial.sink;
        let committer = sink.committer(args.clone());
        let committer = committer.map_err(|error| Broken::works(&error))?;
        let committer = committer
            .ok_or_else(|| Broken::new(Rule::Works, "it commits, and has no committer"))?;
        let writer = sink.writer(args).map_err(|error| Broken::works(&error))?;
        Ok(Attempt {
            number,
            world,
            wake,
            writer,
            committer,
            position: from.position,
            grouped: from.position,
            groups: 0,
            barrier: from.position,
            held: from.held.clone(),
            taken: BTreeMap::new(),
        })
    }

    /// Takes a step, and looks at the outside.
    pub(super) async fn step(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Write(count) => self.write(count).await?,
            Step::Flush => self.live().flush()?,
            Step::Stage(id) => self.live().stage(id)?,
            Step::Snapshot(id) => self.live().snapshot(id).await?,
            Step::Publish(id) => {
                let taken = self.live().taken.get(&id).cloned();
                let taken = taken.expect("a case publishes what was taken");
                self.published.insert(id, taken);
            }
            Step::Notify(id) => {
                self.commit(id, usize::MAX).await?;
                self.live().held.retain(|group| group.checkpoint > id);
            }
            Step::NotifyUnheard(id) => self.commit(id, usize::MAX).await?,
            Step::NotifyPartly(id) => self.commit(id, 1).await?,
            Step::Finish => self.live().finish().await?,
            Step::Sweep => self.sweep().await?,
            Step::Crash => self.attempt = None,
            Step::Lose => self.lost = self.attempt.take(),
            Step::LostGoesOn => self.lost_goes_on().await?,
            Step::Restore => {
                let latest = self.published.values().next_back().cloned();
                self.restore(&latest.unwrap_or_default())?;
            }
            Step::RestoreOlder(id) => {
                let newer = self.published.split_off(&(id + 1));
                drop(newer);
                let older = self.published.get(&id).cloned();
                self.restore(&older.expect("a case restores what was published"))?;
            }
            Step::Recommit => {
                self.commit(u64::MAX, usize::MAX).await?;
                self.live().held.clear();
            }
        }
        self.look().await
    }

    fn live(&mut self) -> &mut Attempt<T> {
        let attempt = self.attempt.as_mut();
        attempt.expect("a case restores before it goes on")
    }

    fn restore(&mut self, from: &Published) -> Result<(), Broken> {
        // A restart by the same leader, then a new leader, in turn.
        self.last = match self.last.ordinal() {
            1 => self.last.next(),
            _ => AttemptNumber::of_epoch(self.last.epoch() + 1, 1),
        };
        self.attempt = Some(self.start(self.last, from)?);
        Ok(())
    }

    async fn write(&mut self, count: u64) -> Result<(), Broken> {
        let record = self.record;
        self.live().write(count, record).await
    }

    /// Commits what is held up to a checkpoint: of each group no more than `most` committables.
    async fn commit(&mut self, id: u64, most: usize) -> Result<(), Broken> {
        let attempt = self.attempt.as_ref().expect("a case restores first");
        for group in attempt.held.iter().filter(|group| group.checkpoint <= id) {
            let part = group.committables.iter().take(most).cloned().collect();
            if most < group.committables.len() {
                self.in_part.push(group.clone());
            }
            attempt.commit(part).await?;
            if most >= group.committables.len() {
                self.committed.insert(group.name, group.records.clone());
            }
        }
        Ok(())
    }

    async fn sweep(&mut self) -> Result<(), Broken> {
        let attempt = self.attempt.as_ref().expect("a case restores first");
        let swept = patiently(&attempt.world, "sweep", attempt.committer.sweep()).await?;
        swept.map_err(|error| Broken::works(&error))?;
        // One that is lost and goes on may begin something whenever it likes.
        let (Some(left_over), None) = (&self.trial.left_over, &self.lost) else {
            return Ok(());
        };
        let left = left_over().await;
        if left.is_empty() {
            return Ok(());
        }
        Err(Broken::new(Rule::NothingLeftOver, left.join(", ")))
    }

    /// What a dead attempt does without knowing it: it may fail, but nobody may see it.
    async fn lost_goes_on(&mut self) -> Result<(), Broken> {
        let record = self.record;
        let lost = self.lost.as_mut().expect("a case loses an attempt first");
        // It commits only what it was told to: what was published before it was lost.
        let known: Vec<u64> = self.published.keys().copied().collect();
        let held = std::mem::take(&mut lost.held);
        for group in held
            .into_iter()
            .filter(|group| known.contains(&group.checkpoint))
        {
            // Whoever fences it may refuse; the books say that it is committed already.
            let committing = lost.committer.commit(group.committables);
            let _ = patiently(&lost.world, "commit", committing).await?;
        }
        if lost.write(2, record).await.is_ok() && lost.stage(77).is_ok() {
            let _ = lost.snapshot(77).await;
        }
        Ok(())
    }

    /// Compares what is visible with the books.
    async fn look(&self) -> Result<(), Broken> {
        let mut surplus: BTreeMap<T, i64> = BTreeMap::new();
        for visible in (self.trial.visible)().await {
            *surplus.entry(visible).or_default() += 1;
        }
        let committed = self.committed.values().flat_map(Clone::clone);
        let mut expected: BTreeMap<T, i64> = BTreeMap::new();
        for number in committed {
            *expected.entry((self.record)(number)).or_default() += 1;
        }
        for (record, count) in &expected {
            *surplus.entry(record.clone()).or_default() -= count;
        }
        for group in &self.in_part {
            if !self.committed.contains_key(&group.name) {
                for number in group.records.clone() {
                    let record = (self.record)(number);
                    if let Some(count) = surplus.get_mut(&record) {
                        *count = (*count - 1).max(0);
                    }
                }
            }
        }
        for (record, surplus) in surplus {
            let seen = format!("record {record:?}");
            if surplus < 0 {
                return Err(Broken::new(Rule::CommittedIsVisible, seen));
            }
            if surplus > 0 && expected.contains_key(&record) {
                return Err(Broken::new(Rule::CommittedOnce, seen));
            }
            if surplus > 0 {
                return Err(Broken::new(Rule::HiddenBeforeCommit, seen));
            }
        }
        Ok(())
    }
}

impl<T: Element> Attempt<T> {
    async fn write(&mut self, count: u64, record: impl Fn(u64) -> T) -> Result<(), Broken> {
        let mut batch = Batch::new();
        for number in self.position..self.position + count {
            batch.push(record(number), None);
        }
        self.position += count;
        let (writer, wake) = (&self.writer, &self.wake);
        let room = async {
            while !writer.has_room() {
                wake.wait().await;
            }
        };
        patiently(&self.world, "has_room", room).await?;
        let written = self.writer.write(&mut batch);
        written.map_err(|error| Broken::works(&error))
    }

    fn flush(&mut self) -> Result<(), Broken> {
        self.writer.flush().map_err(|error| Broken::works(&error))
    }

    fn stage(&mut self, id: u64) -> Result<(), Broken> {
        self.barrier = self.position;
        let staged = self.writer.stage(CheckpointId::new(id));
        staged.map_err(|error| Broken::works(&error))
    }

    async fn finish(&mut self) -> Result<(), Broken> {
        let (writer, wake) = (&mut self.writer, &self.wake);
        let finished = async {
            loop {
                match writer.finish()? {
                    Progress::Done => return Ok(()),
                    Progress::More => {}
                    Progress::Waiting => wake.wait().await,
                }
            }
        };
        let finished: Result<(), sameriver_operator::sink::SinkError> =
            patiently(&self.world, "finish", finished).await?;
        self.barrier = self.position;
        finished.map_err(|error| Broken::works(&error))
    }

    /// Waits for what was staged, and keeps it.
    async fn snapshot(&mut self, id: u64) -> Result<(), Broken> {
        let (writer, wake) = (&mut self.writer, &self.wake);
        let staged = async {
            loop {
                match writer.staged()? {
                    Some(committables) => return Ok(committables),
                    None => wake.wait().await,
                }
            }
        };
        let staged: Result<Vec<Committable>, sameriver_operator::sink::SinkError> =
            patiently(&self.world, "staged", staged).await?;
        let committables = staged.map_err(|error| Broken::works(&error))?;
        self.held.push(Group {
            name: (self.number, self.groups),
            checkpoint: id,
            committables,
            records: self.grouped..self.barrier,
        });
        self.groups += 1;
        self.grouped = self.barrier;
        let (position, held) = (self.barrier, self.held.clone());
        let published = Published {
            exists: true,
            position,
            held,
        };
        self.taken.insert(id, published);
        Ok(())
    }

    async fn commit(&self, committables: Vec<Committable>) -> Result<(), Broken> {
        for _ in 0..RETRIES {
            let committing = self.committer.commit(committables.clone());
            match patiently(&self.world, "commit", committing).await? {
                Ok(()) => return Ok(()),
                Err(CommitError::Retry { .. }) => self.world.sleep(RETRY_PAUSE).await,
                Err(error @ CommitError::Refused { .. }) => return Err(Broken::works(&error)),
            }
        }
        let seen = format!("{RETRIES} times `Retry`");
        Err(Broken::new(Rule::Answers, seen))
    }
}
