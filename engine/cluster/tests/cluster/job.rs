//! A hand-made job: numbers → rebalance → a sink in memory.
//!
//! Knows nothing of the front door: the graph is put together as that would.

use std::sync::{Arc, Mutex};

use sameriver_cluster::{ClusterSettings, EmbeddedCluster};
use sameriver_graph::{Body, JobGraph, JobVertex};
use sameriver_model::{
    Batch, EdgeId, JobPlan, MaxParallelism, Parallelism, Partitioning, PlanEdge, PlanVertex,
    SubtaskIndex, VertexId,
};
use sameriver_operator::build::{erase_enumerator, sink, source_driver};
use sameriver_operator::sink::{SinkError, SinkWriter};
use sameriver_operator::source::{
    Assignment, Enumerating, ReadBatch, ReadStatus, SourceError, SourceReader, SplitEnumerator,
};
use sameriver_operator::{EdgeCodec, OpenArgs, Outputs, Progress, TypedHead, WireEdge, tail};
use sameriver_runtime_tokio::TokioWorld;

/// How many numbers one split has.
pub(crate) const PER_SPLIT: u64 = 1_000;

/// What the source does instead of coming to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// So many splits.
    Splits(u64),
    /// Numbers without end.
    Endless,
    /// Nothing, for ever.
    Silent,
    /// The splits cannot be found.
    Missing,
    /// Looking for the splits panics.
    Panicking,
}

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) input: Input,
    pub(crate) parallelism: u32,
    /// The number at which the sink fails.
    pub(crate) poison: Option<u64>,
    pub(crate) fingerprint: u64,
    pub(crate) collected: Arc<Mutex<Vec<u64>>>,
}

impl Job {
    pub(crate) fn new(input: Input, parallelism: u32) -> Self {
        Self {
            input,
            parallelism,
            poison: None,
            fingerprint: 7,
            collected: Arc::default(),
        }
    }

    pub(crate) fn graph(&self) -> JobGraph {
        let parallelism = Parallelism::new(self.parallelism).unwrap();
        let vertex = |id, name: &str| PlanVertex {
            id: VertexId::new(id),
            name: name.to_owned(),
            parallelism,
            is_source: id == 0,
        };
        let edge = PlanEdge {
            id: EdgeId::new(0),
            from: VertexId::new(0),
            to: VertexId::new(1),
            partitioning: Partitioning::Rebalance,
        };
        let plan = JobPlan {
            name: "numbers".to_owned(),
            max_parallelism: MaxParallelism::default(),
            vertices: vec![vertex(0, "numbers -> rebalance"), vertex(1, "collect")],
            edges: vec![edge],
        };
        let codec: Arc<dyn EdgeCodec> = Arc::new(WireEdge::<u64>::new());
        let vertices = vec![self.source(Arc::clone(&codec)), self.collect()];
        JobGraph::new(plan, vertices, vec![codec], self.fingerprint)
    }

    fn source(&self, codec: Arc<dyn EdgeCodec>) -> JobVertex {
        let input = self.input;
        let open = move |args: &OpenArgs, mut outputs: Vec<Box<dyn Outputs>>| {
            let output = outputs.remove(0);
            let tail = tail::rebalance::<u64>("numbers", args, Arc::clone(&codec), output);
            let reader = Numbers {
                input,
                splits: Vec::new(),
                taken: 0,
                no_more: false,
            };
            let head = source_driver::<u64, u64>("numbers", Box::new(reader), None, tail);
            Ok(Body::Source(head))
        };
        let enumerate = move |_| -> Enumerating { Box::pin(async move { find_splits(input) }) };
        JobVertex::new(Arc::new(open), Some(Arc::new(enumerate)))
    }

    fn collect(&self) -> JobVertex {
        let (collected, poison) = (Arc::clone(&self.collected), self.poison);
        let open = move |_: &OpenArgs, _: Vec<Box<dyn Outputs>>| {
            let collected = Arc::clone(&collected);
            let writer = Collect { collected, poison };
            let head = TypedHead::new(sink::<u64>("collect", Box::new(writer)));
            Ok(Body::Chain(Box::new(head)))
        };
        JobVertex::new(Arc::new(open), None)
    }

    /// What came out, in ascending order.
    pub(crate) fn sorted(&self) -> Vec<u64> {
        let mut numbers = self.collected.lock().unwrap().clone();
        numbers.sort_unstable();
        numbers
    }
}

fn find_splits(
    input: Input,
) -> Result<Box<dyn sameriver_operator::source::AnyEnumerator>, SourceError> {
    let splits = match input {
        Input::Splits(count) => (0..count).rev().collect(),
        Input::Endless | Input::Silent => Vec::new(),
        Input::Missing => {
            return Err(SourceError::Unreadable {
                input: "numbers.txt".to_owned(),
                cause: std::io::ErrorKind::NotFound.into(),
                remedy: "create it",
            });
        }
        Input::Panicking => panic!("the enumerator trips"),
    };
    Ok(erase_enumerator("numbers", Box::new(OneByOne(splits))))
}

struct OneByOne(Vec<u64>);

impl SplitEnumerator<u64> for OneByOne {
    fn assign(&mut self, _reader: SubtaskIndex) -> Assignment<u64> {
        let splits: Vec<_> = self.0.pop().into_iter().collect();
        let no_more = splits.is_empty();
        Assignment { splits, no_more }
    }
}

struct Numbers {
    input: Input,
    splits: Vec<(usize, u64, u64)>,
    taken: usize,
    no_more: bool,
}

impl SourceReader<u64, u64> for Numbers {
    fn add_splits(&mut self, splits: Vec<u64>, no_more: bool) -> Result<(), SourceError> {
        for split in splits {
            self.splits.push((self.taken, split, 0));
            self.taken += 1;
        }
        self.no_more |= no_more;
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<u64>, max: usize) -> Result<ReadStatus, SourceError> {
        match self.input {
            Input::Silent => return Ok(ReadStatus::Waiting),
            Input::Endless => {
                batch.records.extend(0..max as u64);
                return Ok(ReadStatus::Ready);
            }
            Input::Splits(_) | Input::Missing | Input::Panicking => {}
        }
        let Some((position, split, done)) = self.splits.first_mut() else {
            let finished = self.no_more;
            return Ok(if finished {
                ReadStatus::Finished
            } else {
                ReadStatus::NeedSplit
            });
        };
        let end = (*done + max as u64).min(PER_SPLIT);
        batch.split = *position;
        batch
            .records
            .extend((*done..end).map(|number| *split * PER_SPLIT + number));
        *done = end;
        if end == PER_SPLIT {
            batch.ended.push(*position);
            self.splits.remove(0);
        }
        Ok(ReadStatus::Ready)
    }
}

struct Collect {
    collected: Arc<Mutex<Vec<u64>>>,
    poison: Option<u64>,
}

impl SinkWriter<u64> for Collect {
    fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
        let (records, _) = batch.parts_mut();
        if self.poison.is_some_and(|poison| records.contains(&poison)) {
            return Err(SinkError::Unwritable {
                output: "memory".to_owned(),
                cause: std::io::ErrorKind::StorageFull.into(),
                remedy: "make room",
            });
        }
        self.collected.lock().unwrap().append(records);
        batch.clear();
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        Ok(Progress::Done)
    }
}

/// A cluster of so many task managers over the sockets of this machine.
pub(crate) fn cluster(tokio: &TokioWorld, task_managers: u32) -> EmbeddedCluster {
    let worlds = (0..task_managers).map(|index| tokio.node(&format!("tm{index}")));
    EmbeddedCluster {
        master: tokio.node("master"),
        task_managers: worlds.collect(),
    }
}

/// Settings with so many slots on each task manager.
pub(crate) fn slots(slots: u32) -> ClusterSettings {
    ClusterSettings {
        slots,
        ..ClusterSettings::default()
    }
}

pub(crate) fn world() -> TokioWorld {
    TokioWorld::builder().node("test").build().unwrap()
}
