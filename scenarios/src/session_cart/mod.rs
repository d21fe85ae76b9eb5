//! `session_cart`: things put into carts in, carts out: a cart is closed when its user has done
//! nothing for a while of event time.
//!
//! Every event sets a timer for the end of the while and takes back the one that it outlives, so
//! timers are set, deleted, kept over restarts, and fire.

mod reference;
#[cfg(feature = "sim")]
mod trial;
mod workload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sameriver::JobResult;
use sameriver::connectors::{CollectedResults, Draws, FileSink, Generator};
use sameriver::prelude::*;
use sameriver_cli::summary::grouped;
use sameriver_cli::{JobArguments, JobFunction, MakeJob, NamedJob};
use serde::{Deserialize, Serialize};

#[cfg(feature = "sim")]
pub use self::trial::TRIAL;
use crate::story::{Rows, Story};
pub use workload::{PARTITIONS, Put};

/// The scenario.
pub const STORY: Story = Story {
    job: NamedJob {
        name: "session_cart",
        about: "closes carts that nobody touches for a while (generated: --records, --seed)",
        make: MakeJob::Given(make),
        show,
    },
    draw: workload::draw,
    reference: reference::rows,
    collected,
};

/// How long a cart stays open after its last event.
pub const GAP: Duration = Duration::from_millis(400);
/// How far behind the newest event of its partition an event may be.
pub const DISORDER: Duration = Duration::from_millis(150);
const RECORDS: u64 = 100_000;
/// After how many puts of a partition its shop asks for a checkpoint (if the job takes them so).
const HOUR: u64 = 10_000;
const SEED: u64 = 42;

/// A closed cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// Whose.
    pub user: u32,
    /// The first event, in milliseconds of event time.
    pub first: i64,
    /// The last event, in milliseconds of event time.
    pub last: i64,
    /// How many things are in it.
    pub things: u64,
    /// What they cost together.
    pub cents: u64,
}

impl fmt::Display for Cart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user,
            first,
            last,
            things,
            cents,
        } = self;
        write!(f, "{user} {first} {last} {things} {cents}")
    }
}

/// Describes the job: puts in, closed carts out.
///
/// # Errors
/// [`BuildError`] when the settings do not fit.
pub fn session_cart(env: &mut Environment, arguments: &JobArguments) -> Result<(), BuildError> {
    env.name("session_cart");
    let seed = arguments.seed.unwrap_or(SEED);
    let each = arguments
        .records
        .unwrap_or(RECORDS)
        .div_ceil(u64::from(PARTITIONS));
    let make = move |partition, offset, _: &mut Draws| workload::put(seed, partition, offset);
    let puts = Generator::new("puts", PARTITIONS, each, make).marker_every(HOUR);
    let carts = env
        .source("puts", puts)
        .watermarks(Watermarks::bounded(DISORDER).event_time(|put: &Put| put.at))
        .key_by(|put| put.user)
        .process("carts", Carts);
    match &arguments.output {
        Some(folder) => carts.sink("files", FileSink::lines(folder)),
        None => carts.collect("carts"),
    }
}

/// Things that are in no closed cart yet: event time and price.
#[derive(Clone, Copy, Debug)]
struct Carts;

impl KeyedProcess<u32, Put> for Carts {
    type Out = Cart;
    type States = ValueState<Vec<(i64, u64)>>;

    fn states(&self, declare: &mut Declare<'_, u32>) -> Result<Self::States, DeclareError> {
        declare.value("open")
    }

    fn record(
        &self,
        open: &Self::States,
        put: Put,
        at: &mut At<'_, u32>,
        _out: &mut Out<'_, Cart>,
    ) -> Result<(), UserError> {
        let gap = GAP.as_millis() as i64;
        let (outlived, is_outlived) = open.update(at, |open| {
            let open = open.get_or_insert_default();
            let times = || open.iter().map(|(time, _)| *time);
            let outlived: Vec<i64> = times()
                .filter(|time| *time < put.at && put.at - time < gap)
                .collect();
            let is_outlived = times().any(|time| put.at < time && time - put.at < gap);
            open.push((put.at, put.cents));
            (outlived, is_outlived)
        })?;
        for time in outlived {
            at.delete_timer(time + gap)?;
        }
        if !is_outlived {
            at.timer_at(put.at + gap)?;
        }
        Ok(())
    }

    fn timer(
        &self,
        open: &Self::States,
        timer: Timer,
        at: &mut At<'_, u32>,
        out: &mut Out<'_, Cart>,
    ) -> Result<(), UserError> {
        let last = timer.time().as_millis() - GAP.as_millis() as i64;
        let closed = open.update(at, |open| {
            let all = open.take().unwrap_or_default();
            let (closed, left): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|(time, _)| *time <= last);
            *open = (!left.is_empty()).then_some(left);
            closed
        })?;
        let Some(first) = closed.iter().map(|(time, _)| *time).min() else {
            return Err(UserError::msg(format!("a timer at {last} without a cart")));
        };
        out.emit(Cart {
            user: *at.key(),
            first,
            last,
            things: closed.len() as u64,
            cents: closed.iter().map(|(_, cents)| cents).sum(),
        });
        Ok(())
    }
}

fn make(arguments: &JobArguments) -> Result<JobFunction, String> {
    crate::story::generated_only("session_cart", arguments)?;
    let arguments = arguments.clone();
    Ok(Arc::new(move |env| session_cart(env, &arguments)))
}

const SHOWN: usize = 10;

fn show(arguments: &JobArguments, result: &JobResult) -> Result<String, String> {
    if arguments.output.is_some() {
        return Ok(String::new());
    }
    let carts = result.collected::<Cart>("carts");
    let mut carts = carts.map_err(|error| error.to_string())?;
    carts.sort_by_key(|cart| (cart.first, cart.user));
    let head = format!("{} carts; the first:", grouped(carts.len() as u64));
    let lines = carts.iter().take(SHOWN).map(|cart| {
        format!(
            "  user {:>3} {:>13} {:>5} things {:>9} cents",
            cart.user, cart.first, cart.things, cart.cents
        )
    });
    let lines: Vec<String> = std::iter::once(head).chain(lines).collect();
    Ok(lines.join("\n"))
}

fn collected(results: &CollectedResults) -> Result<Rows, String> {
    let carts = results.take::<Cart>("carts");
    let carts = carts.map_err(|error| error.to_string())?;
    Ok(Rows::new(carts.iter().map(ToString::to_string)))
}
