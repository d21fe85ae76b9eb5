//! Chains for tests: a source of numbers, a tail, and a sink that remembers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sameriver_graph::{Body, JobGraph, JobVertex};
use sameriver_model::codec::wire;
use sameriver_model::{
    AnyBatch, Barrier, Batch, CheckpointId, EdgeId, EventTime, JobPlan, MaxParallelism,
    Parallelism, Partitioning, PlanEdge, PlanVertex, SectionId, SectionKind, SectionWriter, Uid,
    VertexId, Watermark,
};
use sameriver_operator::{
    Chain, Consumer, Context, OpenArgs, OperatorError, Outputs, Position, Progress, SourceHead,
    SourceProgress, TypedHead, UserError, Walk, WireEdge,
};
use sameriver_runtime::{Monotonic, Wake};

/// A split: the numbers `.0 .. .1`.
pub(super) type Numbers = (u64, u64);

/// The bytes of a split.
pub(super) fn split(numbers: Numbers) -> Vec<u8> {
    wire::encode(&numbers).unwrap()
}

/// What a sink saw, and what it is told to do.
#[derive(Default)]
pub(super) struct Seen {
    /// Numbers, watermarks and marks in order of arrival.
    log: Mutex<Vec<String>>,
    /// Whether the sink has room; the slot is woken when this changes.
    closed: AtomicBool,
    wake: Mutex<Option<Wake>>,
    /// What `finish` waits for.
    pub(super) lingers: AtomicBool,
}

impl Seen {
    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The numbers alone, in ascending order.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.log().iter().filter_map(|s| s.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }

    fn note(&self, text: &impl ToString) {
        self.log.lock().unwrap().push(text.to_string());
    }

    /// Opens or closes the sink.
    pub(super) fn set_room(&self, room: bool) {
        self.closed.store(!room, Ordering::SeqCst);
        if let Some(wake) = &*self.wake.lock().unwrap() {
            wake.wake();
        }
    }
}

/// What is unusual about a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Twist {
    #[default]
    None,
    /// The sink panics at this number.
    PanicAt(u64),
    /// The sink returns an error at this number.
    ErrorAt(u64),
    /// The source reads one number, then waits so many milliseconds, and so on.
    Every(u64),
    /// Each number becomes so many.
    Copies(u64),
    /// Opening the sink panics.
    PanicAtStart,
}

/// Numbers from a source with `sources` subtasks to a sink with `sinks`.
pub(super) fn numbers(sources: u32, sinks: u32, twist: Twist, seen: &Arc<Seen>) -> Arc<JobGraph> {
    let vertex = |id, name: &str, parallelism, is_source| PlanVertex {
        id: VertexId::new(id),
        name: name.to_owned(),
        parallelism: Parallelism::new(parallelism).unwrap(),
        is_source,
    };
    let plan = JobPlan {
        name: "numbers".to_owned(),
        max_parallelism: MaxParallelism::default(),
        vertices: vec![
            vertex(0, "numbers", sources, true),
            vertex(1, "seen", sinks, false),
        ],
        edges: vec![PlanEdge {
            id: EdgeId::new(0),
            from: VertexId::new(0),
            to: VertexId::new(1),
            partitioning: Partitioning::Rebalance,
        }],
    };
    let open_source = move |args: &OpenArgs, mut outputs: Vec<Box<dyn Outputs>>| {
        let tail = Tail::new(outputs.remove(0), args.batch_records_max);
        Ok(Body::Source(Box::new(NumberSource::new(twist, tail, args))))
    };
    let seen = Arc::clone(seen);
    let open_sink = move |args: &OpenArgs, _: Vec<Box<dyn Outputs>>| {
        assert!(twist != Twist::PanicAtStart, "no sink today");
        *seen.wake.lock().unwrap() = Some(args.surroundings.wake.clone());
        let sink = Sink {
            seen: Arc::clone(&seen),
            twist,
            finishing: false,
        };
        Ok(Body::Chain(Box::new(TypedHead::new(Box::new(sink)))))
    };
    let vertices = vec![
        JobVertex::new(Arc::new(open_source), None),
        JobVertex::new(Arc::new(open_sink), None),
    ];
    let codec = Arc::new(WireEdge::<u64>::new());
    Arc::new(JobGraph::new(plan, vertices, vec![codec], 0xF00D))
}

fn section(operator: &str, kind: SectionKind) -> SectionId {
    SectionId {
        operator: Uid::new(operator),
        state: String::new(),
        kind,
        group: None,
    }
}

struct NumberSource {
    splits: Vec<Numbers>,
    no_more: bool,
    twist: Twist,
    now: Box<dyn Fn() -> Monotonic + Send>,
    /// When the next number is due.
    next: Monotonic,
    tail: Tail,
}

impl NumberSource {
    fn new(twist: Twist, tail: Tail, args: &OpenArgs) -> Self {
        let world = args.surroundings.world.clone();
        Self {
            splits: Vec::new(),
            no_more: false,
            twist,
            now: Box::new(move || world.now()),
            next: Monotonic::default(),
            tail,
        }
    }
}

impl SourceHead for NumberSource {
    fn assign(&mut self, splits: &[Vec<u8>], no_more: bool) -> Result<(), OperatorError> {
        for bytes in splits {
            self.splits.push(wire::decode(bytes).unwrap());
        }
        self.no_more = no_more;
        Ok(())
    }

    fn slice(&mut self, max: usize, cx: &mut Context) -> Result<SourceProgress, OperatorError> {
        let Some((from, to)) = self.splits.first_mut() else {
            return Ok(if self.no_more {
                SourceProgress::Finished
            } else {
                SourceProgress::NeedSplit
            });
        };
        if (self.now)() < self.next {
            return Ok(SourceProgress::Until(self.next));
        }
        let max = match self.twist {
            Twist::Every(_) => 1,
            Twist::None
            | Twist::PanicAt(_)
            | Twist::ErrorAt(_)
            | Twist::Copies(_)
            | Twist::PanicAtStart => max as u64,
        };
        let end = (*from + max).min(*to);
        let copies = match self.twist {
            Twist::Copies(copies) => copies,
            Twist::None
            | Twist::PanicAt(_)
            | Twist::ErrorAt(_)
            | Twist::Every(_)
            | Twist::PanicAtStart => 1,
        };
        let read: Vec<u64> = (*from..end)
            .flat_map(|n| std::iter::repeat_n(n, copies as usize))
            .collect();
        cx.records_read = end - *from;
        *from = end;
        if from == to {
            self.splits.remove(0);
        }
        self.tail.slice(&mut Batch::from_parts(read, None), cx)?;
        Ok(match self.twist {
            Twist::Every(millis) => {
                let pause = std::time::Duration::from_millis(millis);
                self.next = (self.now)().saturating_add(pause);
                SourceProgress::Until(self.next)
            }
            Twist::None
            | Twist::PanicAt(_)
            | Twist::ErrorAt(_)
            | Twist::Copies(_)
            | Twist::PanicAtStart => {
                let watermark = Watermark::at(EventTime::from_millis(end as i64));
                match self.tail.watermark(watermark, cx)? {
                    Progress::Done => SourceProgress::Ready,
                    progress @ (Progress::More | Progress::Waiting) => {
                        SourceProgress::Resume(progress)
                    }
                }
            }
        })
    }
}

impl Chain for NumberSource {
    fn watermark(&mut self, w: Watermark, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.tail.watermark(w, cx)
    }
    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.tail.resume(cx)
    }
    fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
        self.tail.idle(idle, cx)
    }
    fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        self.tail.flush(cx)
    }
    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.tail.finish(cx)
    }
    fn barrier(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError> {
        self.tail.barrier(barrier, cx)
    }
    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        let bytes = wire::encode(&self.splits).unwrap();
        sections.section(section("numbers", SectionKind::Splits), |out| {
            out.extend(bytes)
        });
        Ok(())
    }
    fn walk(&mut self, _: usize, _: &mut SectionWriter) -> Result<Walk, OperatorError> {
        Ok(Walk::Done)
    }
    fn drop_snapshot(&mut self) {}
    fn complete(&mut self, _: CheckpointId) -> Result<(), OperatorError> {
        Ok(())
    }
    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
    fn has_room(&self) -> bool {
        true
    }
}

/// Sends number `n` on channel `n % channels`.
struct Tail {
    outputs: Box<dyn Outputs>,
    partial: Vec<Batch<u64>>,
    max: usize,
}

impl Tail {
    fn new(outputs: Box<dyn Outputs>, max: usize) -> Self {
        let partial = vec![Batch::new(); outputs.channels()];
        Self {
            outputs,
            partial,
            max,
        }
    }

    fn send(&mut self, channel: usize) {
        let batch = std::mem::take(&mut self.partial[channel]);
        if !batch.is_empty() {
            let batch: Box<dyn AnyBatch> = Box::new(batch);
            self.outputs.send(channel, batch);
        }
    }

    fn send_all(&mut self) {
        for channel in 0..self.partial.len() {
            self.send(channel);
        }
    }
}

impl Consumer<u64> for Tail {
    fn slice(&mut self, batch: &mut Batch<u64>, _: &mut Context) -> Result<(), OperatorError> {
        for number in batch.parts_mut().0.drain(..) {
            let channel = number as usize % self.partial.len();
            self.partial[channel].push(number, None);
            if self.partial[channel].len() >= self.max {
                self.send(channel);
            }
        }
        Ok(())
    }
    fn watermark(&mut self, w: Watermark, _: &mut Context) -> Result<Progress, OperatorError> {
        self.send_all();
        self.outputs.watermark(w);
        Ok(Progress::Done)
    }
    fn resume(&mut self, _: &mut Context) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
    fn idle(&mut self, idle: bool, _: &mut Context) -> Result<(), OperatorError> {
        self.send_all();
        self.outputs.idle(idle);
        Ok(())
    }
    fn flush(&mut self, _: &mut Context) -> Result<(), OperatorError> {
        self.send_all();
        Ok(())
    }
    fn finish(&mut self, _: &mut Context) -> Result<Progress, OperatorError> {
        self.send_all();
        self.outputs.end();
        Ok(Progress::Done)
    }
    fn barrier(&mut self, barrier: Barrier, _: &mut Context) -> Result<(), OperatorError> {
        self.send_all();
        self.outputs.barrier(barrier);
        Ok(())
    }
    fn snapshot(&mut self, _: &mut SectionWriter) -> Result<(), OperatorError> {
        Ok(())
    }
    fn walk(&mut self, _: usize, _: &mut SectionWriter) -> Result<Walk, OperatorError> {
        Ok(Walk::Done)
    }
    fn drop_snapshot(&mut self) {}
    fn complete(&mut self, _: CheckpointId) -> Result<(), OperatorError> {
        Ok(())
    }
    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
    fn has_room(&self) -> bool {
        true
    }
}

/// Remembers what it saw.
struct Sink {
    seen: Arc<Seen>,
    twist: Twist,
    finishing: bool,
}

impl Consumer<u64> for Sink {
    fn slice(&mut self, batch: &mut Batch<u64>, cx: &mut Context) -> Result<(), OperatorError> {
        assert!(self.has_room(), "a slice came without room");
        for number in batch.parts_mut().0.drain(..) {
            assert!(
                self.twist != Twist::PanicAt(number),
                "I cannot bear {number}"
            );
            if self.twist == Twist::ErrorAt(number) {
                return Err(OperatorError::User {
                    operator: "seen".to_owned(),
                    position: cx.position.clone(),
                    cause: UserError::msg(format!("no {number} please")).into_inner(),
                });
            }
            self.seen.note(&number);
        }
        assert!(matches!(cx.position, Position::Channel { .. }));
        Ok(())
    }
    fn watermark(&mut self, w: Watermark, _: &mut Context) -> Result<Progress, OperatorError> {
        let text = if w == Watermark::MAX {
            "w-max".to_owned()
        } else {
            w.to_string()
        };
        self.seen.note(&text);
        Ok(Progress::Done)
    }
    fn resume(&mut self, _: &mut Context) -> Result<Progress, OperatorError> {
        Ok(if self.seen.lingers.load(Ordering::SeqCst) {
            Progress::Waiting
        } else {
            Progress::Done
        })
    }
    fn idle(&mut self, idle: bool, _: &mut Context) -> Result<(), OperatorError> {
        self.seen.note(&if idle { "idle" } else { "active" });
        Ok(())
    }
    fn flush(&mut self, _: &mut Context) -> Result<(), OperatorError> {
        assert!(!self.finishing, "a flush came after the end");
        Ok(())
    }
    fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        self.finishing = true;
        self.seen.note(&"finish");
        self.resume(cx)
    }
    fn barrier(&mut self, barrier: Barrier, _: &mut Context) -> Result<(), OperatorError> {
        self.seen.note(&barrier.checkpoint);
        Ok(())
    }
    fn snapshot(&mut self, _: &mut SectionWriter) -> Result<(), OperatorError> {
        Ok(())
    }
    fn walk(&mut self, _: usize, _: &mut SectionWriter) -> Result<Walk, OperatorError> {
        Ok(Walk::Done)
    }
    fn drop_snapshot(&mut self) {}
    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        self.seen.note(&format!("complete {checkpoint}"));
        Ok(())
    }
    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
    fn has_room(&self) -> bool {
        !self.seen.closed.load(Ordering::SeqCst)
    }
}
