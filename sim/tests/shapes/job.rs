//! The job of a shape: two sources, joined and split again, into six collections.

use sameriver::connectors::Draws;
use sameriver::model::Watermark;
use sameriver::prelude::*;

use crate::shape::{BUCKET, Event, Feed, Kind, LARGE, SMALL, Shape, Total};

pub(crate) const SERVER: &str = "server";
/// Where files are written.
pub(crate) const FOLDER: &str = "out";
/// What the function says that fails.
pub(crate) const POISONED: &str = "this event is poisoned";

/// Where a feed's server listens.
pub(crate) fn address(feed: &Feed) -> String {
    format!("{SERVER}:{}", 7_000 + feed.number)
}

#[derive(Clone, Copy)]
struct Sum;

impl<T: Amount> Aggregate<T> for Sum {
    type Acc = u64;
    type Out = u64;
    fn create(&self) -> u64 {
        0
    }
    fn add(&self, sum: &mut u64, record: &T) {
        *sum += record.amount();
    }
    fn merge(&self, into: &mut u64, other: u64) {
        *into += other;
    }
    fn result(&self, sum: u64) -> u64 {
        sum
    }
}

trait Amount {
    fn amount(&self) -> u64;
}

impl Amount for Event {
    fn amount(&self) -> u64 {
        self.amount
    }
}

impl Amount for WindowResult<u8, u64> {
    fn amount(&self) -> u64 {
        self.value
    }
}

/// Adds up in buckets of event time, and empties each when its timer fires.
#[derive(Clone)]
struct Buckets;

impl KeyedProcess<u8, Event> for Buckets {
    type Out = Total;
    type States = MapState<i64, u64>;

    fn states(&self, declare: &mut Declare<'_, u8>) -> Result<Self::States, DeclareError> {
        declare.map("buckets")
    }

    fn record(
        &self,
        buckets: &Self::States,
        event: Event,
        at: &mut At<'_, u8>,
        _: &mut Out<'_, Total>,
    ) -> Result<(), UserError> {
        let start = event.at.div_euclid(BUCKET) * BUCKET;
        buckets.update(at, &start, |sum| *sum.get_or_insert(0) += event.amount)?;
        Ok(at.timer_at(start + BUCKET - 1)?)
    }

    fn timer(
        &self,
        buckets: &Self::States,
        timer: Timer,
        at: &mut At<'_, u8>,
        out: &mut Out<'_, Total>,
    ) -> Result<(), UserError> {
        let start = timer.time().as_millis() + 1 - BUCKET;
        let sum = buckets.remove(at, &start)?;
        if at.watermark() < Watermark::at(timer.time()) {
            return Err(UserError::msg("a timer fired before its time"));
        }
        let sum = sum.ok_or_else(|| UserError::msg("a timer fired twice"))?;
        out.emit((*at.key(), start, sum));
        Ok(())
    }
}

fn source(env: &mut Environment, feed: &Feed, bound: u64) -> DataStream<Event, Timed> {
    let watermarks = Watermarks::bounded(millis(bound)).event_time(|event: &Event| event.at);
    let name = format!("feed {}", feed.number);
    match feed.kind {
        Kind::Generator { rate } => {
            let (make, each) = (feed.clone(), feed.each);
            let make = move |partition, offset, _: &mut Draws| make.event(partition, offset);
            let generator = Generator::new(&name, feed.partitions, each, make);
            env.source(&name, generator.rate_per_second(rate))
                .watermarks(watermarks)
        }
        Kind::Socket => env
            .source(
                &name,
                SocketSource::lines(address(feed)).parse(Event::parse),
            )
            .watermarks(watermarks),
        Kind::Stdin => env
            .source(&name, Stdin::lines().parse(Event::parse))
            .watermarks(watermarks),
    }
}

/// Gives the operator before it a parallelism of its own, or not.
fn with<T, E>(stream: DataStream<T, E>, parallelism: u32) -> DataStream<T, E> {
    match parallelism {
        0 => stream,
        own => stream.parallelism(own),
    }
}

pub(crate) fn job(env: &mut Environment, shape: &Shape) -> Result<(), BuildError> {
    let p = shape.parallelism;
    let [one, two] = [0, 1].map(|at| with(source(env, &shape.feeds[at], shape.bound), p[at]));
    one.clone()
        .broadcast()
        .map(|event| event.from)
        .name("copies")
        .parallelism(p[2].max(1))
        .collect("copies")?;
    one.clone()
        .map(|event| event.at)
        .sink("files", FileSink::lines(FOLDER))?;
    let poison = shape.poison;
    let one = one.try_map(move |event| match poison {
        Some((from, panics)) if from == event.from => {
            assert!(!panics, "{POISONED}");
            Err(UserError::msg(POISONED))
        }
        Some(_) | None => Ok(event),
    });
    let one = with(one.name("one"), p[3]);
    let mut both = one.union(two.filter(|_| true).name("two"));
    if shape.rebalances {
        both = with(both.rebalance().map(|event| event).name("both"), p[4]);
    }
    let by_key = both.clone().key_by(|event| event.key);
    let windows = by_key.window(Tumbling::of(millis(SMALL as u64)));
    let (small, late) = windows.aggregate_with_late("small", Sum);
    late.collect("late")?;
    let small = with(small, p[5]);
    small
        .clone()
        .map(|total| (total.key, total.window.start.as_millis(), total.value))
        .collect("small")?;
    let large = small
        .key_by(|total| total.key / 4)
        .window(Tumbling::of(millis(LARGE as u64)))
        .aggregate("large", Sum);
    with(large, p[6])
        .map(|total| (total.key, total.window.start.as_millis(), total.value))
        .collect("large")?;
    let timers = both
        .clone()
        .key_by(|event| event.key)
        .process("timers", Buckets);
    with(timers, p[7]).collect("timers")?;
    let sums = both
        .key_by(|event| event.key)
        .sum("sums", |event| event.amount);
    with(sums, p[8]).collect("sums")
}
