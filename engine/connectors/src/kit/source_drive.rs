//! Plays the engine for the readers and the enumerator of a source.
//!
//! Invariant: splits travel as the engine sends them, in bytes; a snapshot of the enumerator and of
//! all readers is one step. What was read is kept by split, in the order of assignment.

use std::collections::BTreeMap;

use bytes::Bytes;
use sameriver_model::codec::wire;
use sameriver_model::{AttemptNumber, Parallelism, SubtaskId, SubtaskIndex, VertexId};
use sameriver_operator::source::{
    Enumerator, EnumeratorArgs, ReadBatch, ReadStatus, Reader, ReaderArgs, Source, Surroundings,
};
use sameriver_runtime::{Wake, World};

use super::failure::{Broken, Rule, patiently};

/// What a checkpoint holds of a source.
#[derive(Clone)]
pub(super) struct SourceSnapshot {
    enumerator: Bytes,
    /// For each reader the splits that go on, in bytes, and where they were in its order.
    pub(super) readers: Vec<Vec<(usize, Vec<u8>)>>,
}

/// A reader and what it has read.
struct Subtask<S: Source> {
    reader: Reader<S>,
    wake: Wake,
    index: SubtaskIndex,
    /// Records by split, in the order of assignment.
    read: Vec<Vec<S::Out>>,
    ended: Vec<bool>,
    finished: bool,
}

/// A source that is read.
pub(super) struct Reading<S: Source> {
    world: World,
    enumerator: Enumerator<S>,
    subtasks: Vec<Subtask<S>>,
    turn: usize,
    max: usize,
}

impl<S: Source> Reading<S> {
    /// Starts at the beginning, or from a snapshot, and reads up to `max` records at once.
    pub(super) async fn open(
        source: &S,
        world: &World,
        parallelism: Parallelism,
        max: usize,
        from: Option<&SourceSnapshot>,
    ) -> Result<Self, Broken> {
        let enumerating = source.enumerate(EnumeratorArgs {
            world: world.clone(),
            parallelism,
            restored: from.map(|from| from.enumerator.clone()),
        });
        let enumerator = patiently(world, "enumerate", enumerating).await?;
        let enumerator = enumerator.map_err(|error| Broken::works(&error))?;
        let mut subtasks = Vec::new();
        for index in 0..parallelism.get() {
            let mut subtask = Subtask::open(source, world, parallelism, index)?;
            if let Some(from) = from {
                let splits = from.readers[index as usize].iter();
                subtask.assign(splits.map(|(_, split)| split.as_slice()), false)?;
            }
            subtasks.push(subtask);
        }
        Ok(Self {
            world: world.clone(),
            enumerator,
            subtasks,
            turn: 0,
            max,
        })
    }

    /// Whether all readers have finished.
    pub(super) fn is_finished(&self) -> bool {
        self.subtasks.iter().all(|subtask| subtask.finished)
    }

    /// Lets the next reader read once.
    pub(super) async fn step(&mut self) -> Result<(), Broken> {
        let count = self.subtasks.len();
        let turns = (self.turn..self.turn + count).map(|turn| turn % count);
        let mut turns = turns.filter(|turn| !self.subtasks[*turn].finished);
        let Some(turn) = turns.next() else {
            return Ok(());
        };
        self.turn = turn + 1;
        let subtask = &mut self.subtasks[turn];
        match subtask.read(self.max)? {
            ReadStatus::Ready => {}
            ReadStatus::Waiting => {
                let woken = subtask.wake.wait();
                patiently(&self.world, "read", woken).await?;
            }
            ReadStatus::Until(instant) => {
                let left = instant.since(self.world.now());
                self.world.sleep(left).await;
            }
            ReadStatus::NeedSplit => {
                let assignment = self.enumerator.assign(subtask.index);
                if assignment.splits.is_empty() && !assignment.no_more {
                    let seen = "an enumerator has no split for a reader, and more to come";
                    return Err(Broken::new(Rule::Answers, seen));
                }
                let travelling = assignment.splits.iter().map(wire::encode);
                let travelling = travelling.collect::<Result<Vec<_>, _>>();
                let splits = travelling.map_err(|error| Broken::works(&error))?;
                let splits = splits.iter().map(Vec::as_slice);
                subtask.assign(splits, assignment.no_more)?;
            }
            ReadStatus::Finished => subtask.finished = true,
        }
        Ok(())
    }

    /// Reads to the end.
    pub(super) async fn run(&mut self) -> Result<(), Broken> {
        while !self.is_finished() {
            self.step().await?;
        }
        Ok(())
    }

    /// Takes a snapshot of everything.
    pub(super) fn snapshot(&mut self) -> Result<SourceSnapshot, Broken> {
        let enumerator = self.enumerator.snapshot();
        let enumerator = enumerator.map_err(|error| Broken::works(&error))?;
        let readers = self.subtasks.iter_mut().map(Subtask::snapshot);
        Ok(SourceSnapshot {
            enumerator: enumerator.into(),
            readers: readers.collect::<Result<_, _>>()?,
        })
    }

    /// What one reader has read, by split in the order of assignment.
    pub(super) fn by_split(&self, reader: usize) -> &[Vec<S::Out>] {
        &self.subtasks[reader].read
    }

    /// What all readers have read.
    pub(super) fn records(&self) -> impl Iterator<Item = &S::Out> {
        self.subtasks
            .iter()
            .flat_map(|subtask| subtask.read.iter().flatten())
    }
}

impl<S: Source> Subtask<S> {
    fn open(
        source: &S,
        world: &World,
        parallelism: Parallelism,
        index: u32,
    ) -> Result<Self, Broken> {
        let (wake, index) = (Wake::new(), SubtaskIndex::new(index));
        let reader = source.reader(ReaderArgs {
            surroundings: Surroundings {
                world: world.clone(),
                wake: wake.clone(),
            },
            subtask: SubtaskId::new(VertexId::new(0), index),
            attempt: AttemptNumber::of_epoch(1, 1),
            parallelism,
        });
        Ok(Self {
            reader: reader.map_err(|error| Broken::works(&error))?,
            wake,
            index,
            read: Vec::new(),
            ended: Vec::new(),
            finished: false,
        })
    }

    fn assign<'a>(
        &mut self,
        splits: impl Iterator<Item = &'a [u8]>,
        no_more: bool,
    ) -> Result<(), Broken> {
        let splits = splits.map(wire::decode).collect::<Result<Vec<_>, _>>();
        let splits = splits.map_err(|error| Broken::works(&error))?;
        self.read.extend(splits.iter().map(|_| Vec::new()));
        self.ended.extend(splits.iter().map(|_| false));
        let added = self.reader.add_splits(splits, no_more);
        added.map_err(|error| Broken::works(&error))
    }

    fn read(&mut self, max: usize) -> Result<ReadStatus, Broken> {
        let mut batch = ReadBatch::default();
        let status = self.reader.read(&mut batch, max);
        let status = status.map_err(|error| Broken::works(&error))?;
        if batch.records.len() > max {
            let seen = format!("{} records, asked for {max}", batch.records.len());
            return Err(Broken::new(Rule::Works, seen));
        }
        if !batch.records.is_empty() {
            let unknown = || Broken::new(Rule::SplitsOnce, "records of a split that it has not");
            let ended = self.ended.get(batch.split).ok_or_else(unknown)?;
            if *ended {
                let seen = format!("records of split {}, which has ended", batch.split);
                return Err(Broken::new(Rule::SplitsOnce, seen));
            }
            self.read[batch.split].append(&mut batch.records);
        }
        for split in batch.ended {
            match self.ended.get_mut(split) {
                Some(ended) if !*ended => *ended = true,
                Some(_) | None => {
                    let seen = format!("split {split} ends a second time, or was not assigned");
                    return Err(Broken::new(Rule::SplitsOnce, seen));
                }
            }
        }
        Ok(status)
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, Vec<u8>)>, Broken> {
        let splits = self.reader.snapshot();
        let splits = splits.map_err(|error| Broken::works(&error))?;
        let mut kept = BTreeMap::new();
        for (position, split) in splits {
            let bytes = wire::encode(&split).map_err(|error| Broken::works(&error))?;
            if kept.insert(position, bytes).is_some() {
                let seen = format!("split {position} is twice in a snapshot");
                return Err(Broken::new(Rule::SplitsOnce, seen));
            }
        }
        let going_on = self.ended.iter().enumerate().filter(|(_, ended)| !**ended);
        let going_on: Vec<usize> = going_on.map(|(position, _)| position).collect();
        if !kept.keys().eq(&going_on) {
            let kept: Vec<&usize> = kept.keys().collect();
            let seen = format!("a snapshot holds the splits {kept:?}, but {going_on:?} go on");
            return Err(Broken::new(Rule::SplitsOnce, seen));
        }
        Ok(kept.into_iter().collect())
    }
}
