//! A hand-made job: numbers → rebalance → a ledger in memory that commits with checkpoints.
//!
//! Knows nothing of the front door: the graph is put together as that would.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use sameriver_cluster::{ClusterSettings, EmbeddedCluster};
use sameriver_graph::{Body, JobGraph, JobVertex};
use sameriver_model::codec::wire;
use sameriver_model::{
    EdgeId, JobPlan, MaxParallelism, Parallelism, Partitioning, PlanEdge, PlanVertex, SubtaskIndex,
    VertexId,
};
use sameriver_operator::build::{erase_enumerator, source_driver};
use sameriver_operator::source::{
    Assignment, Enumerating, EnumeratorArgs, ReadBatch, ReadStatus, SourceError, SourceReader,
    SplitEnumerator,
};
use sameriver_operator::{EdgeCodec, OpenArgs, Outputs, TypedHead, WireEdge, tail};
use sameriver_runtime::Wake;
use sameriver_runtime_tokio::TokioWorld;

use crate::ledger::{Committed, Ledger, Poison};

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

/// Holds readers back before a split, until the test lets them go on.
#[derive(Default)]
pub(crate) struct Gate {
    is_open: AtomicBool,
    waiting: Mutex<Vec<Wake>>,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
        for wake in self.waiting.lock().unwrap().drain(..) {
            wake.wake();
        }
    }

    /// Whether a reader may pass; if not, it is woken when it may.
    fn lets_pass(&self, wake: &Wake) -> bool {
        let mut waiting = self.waiting.lock().unwrap();
        let is_open = self.is_open.load(Ordering::SeqCst);
        if !is_open {
            waiting.push(wake.clone());
        }
        is_open
    }
}

/// Blocks the first reader that comes, thread and all, until the test lets it go on.
#[derive(Default)]
pub(crate) struct Block {
    state: Mutex<Blocked>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Blocked {
    #[default]
    Nobody,
    One,
    Over,
}

impl Block {
    pub(crate) fn lift(&self) {
        *self.state.lock().unwrap() = Blocked::Over;
        self.changed.notify_all();
    }

    pub(crate) fn holds_one(&self) -> bool {
        *self.state.lock().unwrap() == Blocked::One
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        if *state != Blocked::Nobody {
            return;
        }
        *state = Blocked::One;
        let is_held = |state: &mut Blocked| *state == Blocked::One;
        drop(self.changed.wait_while(state, is_held).unwrap());
    }
}

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) input: Input,
    pub(crate) parallelism: u32,
    pub(crate) poison: Option<Poison>,
    pub(crate) fingerprint: u64,
    pub(crate) committed: Committed,
    /// Splits from this one on are read once the gate is open.
    pub(crate) gate: Option<(u64, Arc<Gate>)>,
    pub(crate) block: Option<Arc<Block>>,
}

impl Job {
    pub(crate) fn new(input: Input, parallelism: u32) -> Self {
        Self {
            input,
            parallelism,
            poison: None,
            fingerprint: 7,
            committed: Committed::default(),
            gate: None,
            block: None,
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
        let (input, gate, block) = (self.input, self.gate.clone(), self.block.clone());
        let open = move |args: &OpenArgs, mut outputs: Vec<Box<dyn Outputs>>| {
            let output = outputs.remove(0);
            let tail = tail::rebalance::<u64>("numbers", args, Arc::clone(&codec), output);
            let reader = Numbers {
                input,
                gate: gate.clone(),
                block: block.clone(),
                wake: args.surroundings.wake.clone(),
                splits: Vec::new(),
                taken: 0,
                no_more: false,
            };
            let head = source_driver("numbers", Box::new(reader), None, args, tail)?;
            Ok(Body::Source(head))
        };
        let enumerate = move |args: EnumeratorArgs| -> Enumerating {
            Box::pin(async move { find_splits(input, &args) })
        };
        JobVertex::new(Arc::new(open), Some(Arc::new(enumerate)))
    }

    fn collect(&self) -> JobVertex {
        let (committed, poison) = (self.committed.clone(), self.poison.clone());
        let open = move |args: &OpenArgs, _: Vec<Box<dyn Outputs>>| {
            let ledger = Ledger::open(args, committed.clone(), poison.clone());
            Ok(Body::Chain(Box::new(TypedHead::new(Box::new(ledger)))))
        };
        JobVertex::new(Arc::new(open), None)
    }
}

fn find_splits(
    input: Input,
    args: &EnumeratorArgs,
) -> Result<Box<dyn sameriver_operator::source::AnyEnumerator>, SourceError> {
    let splits = match (&args.restored, input) {
        (Some(bytes), _) => wire::decode(bytes).unwrap(),
        (None, Input::Splits(count)) => (0..count).rev().collect(),
        (None, Input::Endless | Input::Silent) => Vec::new(),
        (None, Input::Missing) => {
            return Err(SourceError::Unreadable {
                input: "numbers.txt".to_owned(),
                cause: std::io::ErrorKind::NotFound.into(),
                remedy: "create it",
            });
        }
        (None, Input::Panicking) => panic!("the enumerator trips"),
    };
    Ok(erase_enumerator("numbers", Box::new(OneByOne(splits))))
}

struct OneByOne(Vec<u64>);

impl SplitEnumerator<(u64, u64)> for OneByOne {
    fn assign(&mut self, _reader: SubtaskIndex) -> Assignment<(u64, u64)> {
        let splits: Vec<_> = self.0.pop().into_iter().map(|split| (split, 0)).collect();
        let no_more = splits.is_empty();
        Assignment { splits, no_more }
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        Ok(wire::encode(&self.0).unwrap())
    }
}

/// A split is its number, and how many of its records were read.
struct Numbers {
    input: Input,
    gate: Option<(u64, Arc<Gate>)>,
    block: Option<Arc<Block>>,
    wake: Wake,
    splits: Vec<(usize, u64, u64)>,
    taken: usize,
    no_more: bool,
}

impl SourceReader<u64, (u64, u64)> for Numbers {
    fn add_splits(&mut self, splits: Vec<(u64, u64)>, no_more: bool) -> Result<(), SourceError> {
        for (split, done) in splits {
            self.splits.push((self.taken, split, done));
            self.taken += 1;
        }
        self.no_more |= no_more;
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<u64>, max: usize) -> Result<ReadStatus, SourceError> {
        if let Some(block) = &self.block {
            block.pass();
        }
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
        if let Some((from, gate)) = &self.gate
            && *split >= *from
            && !gate.lets_pass(&self.wake)
        {
            return Ok(ReadStatus::Waiting);
        }
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

    fn snapshot(&mut self) -> Result<Vec<(usize, (u64, u64))>, SourceError> {
        let all = self.splits.iter();
        Ok(all
            .map(|(at, split, done)| (*at, (*split, *done)))
            .collect())
    }
}

/// All numbers of so many splits.
pub(crate) fn all_of(splits: u64) -> Vec<u64> {
    (0..splits * PER_SPLIT).collect()
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
