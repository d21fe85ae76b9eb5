//! Chains for tests: a source of numbers, a tail, and a sink that remembers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sameriver_graph::{Body, JobGraph, JobVertex};
use sameriver_model::codec::wire;
use sameriver_model::{
    AnyBatch, Barrier, Batch, CheckpointId, EdgeId, EventTime, JobPlan, MaxParallelism,
    Parallelism, Partitioning, PlanEdge, PlanVertex, SectionId, SectionKind, SectionWriter, Uid,
    VertexId, Watermark,
};
use sameriver_operator::sink::SinkError;
use sameriver_operator::source::SourceError;
use sameriver_operator::{
    Chain, Consumer, Context, EdgeCodec, OpenArgs, OperatorError, Outputs, Position, Progress,
    SourceHead, SourceProgress, TypedHead, UserError, Walk, WireEdge,
};
use sameriver_runtime::{Monotonic, Wake};

/// A split: the numbers `.0 .. .1`.
pub(super) type Numbers = (u64, u64);

/// The bytes of a split.
pub(super) fn split(numbers: Numbers) -> Vec<u8> {
    wire::encode(&numbers).unwrap()
}

/// What a sink did in a slice, besides looking at its numbers.
pub(super) type OnSlice = Box<dyn FnMut() + Send>;

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
    /// What `settle` waits for.
    pub(super) unconfirmed: AtomicBool,
    /// How many sections of 16 KiB the sink's snapshot has besides its count.
    pub(super) padding: AtomicUsize,
    pub(super) on_slice: Mutex<Option<OnSlice>>,
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
    /// The source cannot take part in checkpoints.
    NoSourceSnapshot,
    /// The sink lost something, and says so at the snapshot.
    LossySink,
}

impl Twist {
    fn copies(self) -> usize {
        match self {
            Self::Copies(copies) => copies as usize,
            Self::None
            | Self::PanicAt(_)
            | Self::ErrorAt(_)
            | Self::Every(_)
            | Self::PanicAtStart
            | Self::NoSourceSnapshot
            | Self::LossySink => 1,
        }
    }

    fn pause_millis(self) -> Option<u64> {
        match self {
            Self::Every(millis) => Some(millis),
            Self::None
            | Self::PanicAt(_)
            | Self::ErrorAt(_)
            | Self::Copies(_)
            | Self::PanicAtStart
            | Self::NoSourceSnapshot
            | Self::LossySink => None,
        }
    }
}

/// What a sink's snapshot says: how many numbers it saw, and their sum.
pub(super) type Totals = (u64, u64);

/// The section of a source's splits.
pub(super) fn splits_section() -> SectionId {
    section("numbers", SectionKind::Splits)
}

/// The section of a sink's totals.
pub(super) fn totals_section() -> SectionId {
    section("seen", SectionKind::Operator)
}

/// Numbers from a source with `sources` subtasks to a sink with `sinks`.
pub(super) fn numbers(sources: u32, sinks: u32, twist: Twist, seen: &Arc<Seen>) -> Arc<JobGraph> {
    numbers_over(
        Arc::new(WireEdge::<u64>::new()),
        sources,
        sinks,
        twist,
        seen,
    )
}

/// The same, with this codec between the two.
pub(super) fn numbers_over(
    codec: Arc<dyn EdgeCodec>,
    sources: u32,
    sinks: u32,
    twist: Twist,
    seen: &Arc<Seen>,
) -> Arc<JobGraph> {
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
        let restored = args
            .restored
            .as_ref()
            .and_then(|r| r.only(&totals_section()));
        let sink = Sink {
            seen: Arc::clone(&seen),
            twist,
            finishing: false,
            totals: restored.map_or((0, 0), |bytes| wire::decode(bytes).unwrap()),
            unwritten: None,
        };
        Ok(Body::Chain(Box::new(TypedHead::new(Box::new(sink)))))
    };
    let vertices = vec![
        JobVertex::new(Arc::new(open_source), None),
        JobVertex::new(Arc::new(open_sink), None),
    ];
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
        let restored = args
            .restored
            .as_ref()
            .and_then(|r| r.only(&splits_section()));
        Self {
            splits: restored.map_or_else(Vec::new, |bytes| wire::decode(bytes).unwrap()),
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
        let max = self.twist.pause_millis().map_or(max as u64, |_| 1);
        let end = (*from + max).min(*to);
        let copies = self.twist.copies();
        let read: Vec<u64> = (*from..end)
            .flat_map(|n| std::iter::repeat_n(n, copies))
            .collect();
        cx.records_read = end - *from;
        *from = end;
        if from == to {
            self.splits.remove(0);
        }
        self.tail.slice(&mut Batch::from_parts(read, None), cx)?;
        if let Some(millis) = self.twist.pause_millis() {
            let pause = std::time::Duration::from_millis(millis);
            self.next = (self.now)().saturating_add(pause);
            return Ok(SourceProgress::Until(self.next));
        }
        let watermark = Watermark::at(EventTime::from_millis(end as i64));
        Ok(match self.tail.watermark(watermark, cx)? {
            Progress::Done => SourceProgress::Ready,
            progress @ (Progress::More | Progress::Waiting) => SourceProgress::Resume(progress),
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
        if self.twist == Twist::NoSourceSnapshot {
            return Err(OperatorError::Source {
                operator: "numbers".to_owned(),
                cause: SourceError::Other {
                    input: "numbers".to_owned(),
                    cause: "they forget where they were".to_owned(),
                },
            });
        }
        let bytes = wire::encode(&self.splits).unwrap();
        sections.section(splits_section(), |out| out.extend(bytes));
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
    totals: Totals,
    /// The totals at the snapshot, and how many sections are still to be written before them.
    unwritten: Option<(Totals, usize)>,
}

impl Consumer<u64> for Sink {
    fn slice(&mut self, batch: &mut Batch<u64>, cx: &mut Context) -> Result<(), OperatorError> {
        assert!(self.has_room(), "a slice came without room");
        if let Some(on_slice) = &mut *self.seen.on_slice.lock().unwrap() {
            on_slice();
        }
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
            self.totals = (self.totals.0 + 1, self.totals.1 + number);
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
        if self.twist == Twist::LossySink {
            return Err(OperatorError::Sink {
                operator: "seen".to_owned(),
                cause: SinkError::Other {
                    output: "seen".to_owned(),
                    cause: "an earlier write was lost".to_owned(),
                },
            });
        }
        assert_eq!(self.unwritten, None, "one walk at a time");
        let padding = self.seen.padding.load(Ordering::SeqCst);
        self.unwritten = Some((self.totals, padding));
        Ok(())
    }
    fn walk(&mut self, _: usize, sections: &mut SectionWriter) -> Result<Walk, OperatorError> {
        let Some((totals, padding)) = &mut self.unwritten else {
            return Ok(Walk::Done);
        };
        if *padding > 0 {
            *padding -= 1;
            let state = format!("padding {padding}");
            let id = SectionId {
                state,
                ..totals_section()
            };
            sections.section(id, |out| out.extend([7; 16 << 10]));
            return Ok(Walk::More);
        }
        let bytes = wire::encode(totals).unwrap();
        sections.section(totals_section(), |out| out.extend(bytes));
        self.unwritten = None;
        Ok(Walk::Done)
    }
    fn drop_snapshot(&mut self) {
        self.unwritten = None;
    }
    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        self.seen.note(&format!("complete {checkpoint}"));
        Ok(())
    }
    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(if self.seen.unconfirmed.load(Ordering::SeqCst) {
            Progress::Waiting
        } else {
            Progress::Done
        })
    }
    fn has_room(&self) -> bool {
        !self.seen.closed.load(Ordering::SeqCst)
    }
}
