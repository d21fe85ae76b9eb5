//! Jobs of many shapes under drawn settings: streams of different parallelism joined and split,
//! broadcast, rebalanced, windowed twice, with timers and late records, from sources that are slow,
//! empty, a socket or a standard input.
//!
//! Every row that comes out is compared with a pass over all events that knows nothing of the
//! engine.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod job;
mod shape;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use sameriver::model::Element;
use sameriver::runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver::runtime::{Address, Lane};
use sameriver::{FailureKind, JobEnd, Settings};
use sameriver_sim::{
    Batch, Finding, FindingKind, Limits, Outcome, SimJob, SimWorld, draw_settings, run_seed,
    self_check,
};

use crate::job::{FOLDER, POISONED, SERVER};
use crate::shape::{BUCKET, Event, Feed, Kind, LARGE, SMALL, Shape, Total, totals};

const SEEDS: u64 = 150;

#[test]
fn jobs_of_many_shapes_give_what_one_pass_over_the_events_gives() {
    let seeds = 0..SEEDS;
    let run = |seed| play(seed, &Limits::default());
    Batch::of(seeds).jobs(2).run(run, |played| {
        assert_eq!(played.verdict, Ok(()), "seed {}", played.seed);
        self_check(&played, &Limits::default(), play).unwrap();
        true
    });
}

#[test]
fn a_job_that_fails_says_why_under_every_schedule_and_leaves_nothing_half_written() {
    let seeds = SEEDS..2 * SEEDS;
    let run = |seed| fail(seed, &Limits::default());
    let summary = Batch::of(seeds).jobs(2).run(run, |played| {
        let vacuous = played.verdict.as_ref().err().map(|found| found.kind);
        if vacuous != Some(FindingKind::Vacuous) {
            assert_eq!(played.verdict, Ok(()), "seed {}", played.seed);
        }
        true
    });
    assert!(summary.findings < SEEDS / 2, "most seeds have events");
}

async fn run(sim: &SimWorld, shape: &Shape, settings: Settings) -> Result<JobEnd, Finding> {
    sim.mark(&format!("{shape:?} {settings:?}"));
    offer(sim, shape).await;
    let own = shape.clone();
    let job = SimJob {
        job: Arc::new(move |env| job::job(env, &own)),
        settings,
        files: Vec::new(),
    };
    Ok(job.run(sim).await?.status)
}

fn play(seed: u64, limits: &Limits) -> Outcome<()> {
    run_seed(seed, limits, |sim| async move {
        let shape = Shape::draw(&mut sim.random("shape"));
        let settings = draw_settings(&mut sim.random("settings"));
        let end = run(&sim, &shape, settings).await?;
        if end != JobEnd::Finished {
            return Err(Finding::safety(format!("{end:?}")));
        }
        judge(&sim, &shape)
    })
}

fn fail(seed: u64, limits: &Limits) -> Outcome<()> {
    run_seed(seed, limits, |sim| async move {
        let mut random = sim.random("shape");
        let shape = Shape::draw(&mut random).poisoned(&mut random);
        let shape = shape.ok_or(Finding::vacuous("no event to fail at"))?;
        let settings = draw_settings(&mut sim.random("settings"));
        let task_managers = settings.task_managers;
        let end = run(&sim, &shape, settings).await?;
        let is_told = matches!(&end, JobEnd::Failed(failure)
            if failure.kind == FailureKind::User && failure.message.contains(POISONED));
        if !is_told {
            return Err(Finding::safety(format!("{end:?}")));
        }
        let files = SimJob::written(&sim, task_managers, FOLDER);
        let growing = files
            .iter()
            .filter(|(path, _)| path.ends_with("inprogress"));
        same("growing files", &growing.collect::<Vec<_>>(), &[])
    })
}

/// Starts the servers of sockets, and fills the standard inputs.
async fn offer(sim: &SimWorld, shape: &Shape) {
    for feed in &shape.feeds {
        match feed.kind {
            Kind::Generator { .. } => {}
            Kind::Socket => serve(sim, feed).await,
            // Whoever gets the one split reads it.
            Kind::Stdin => sim.offer_input(
                (0..4)
                    .map(|node| (format!("task-manager-{node}"), feed.text().into()))
                    .collect(),
            ),
        }
    }
}

async fn serve(sim: &SimWorld, feed: &Feed) {
    let (server, text) = (sim.node(SERVER), feed.text());
    let address = Address::new(job::address(feed));
    let mut listener = server.listen(&address).await.unwrap();
    let (world, mut random) = (server.clone(), server.random("pauses"));
    let send = async move {
        let mut peer = listener.accept().await.unwrap();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(rest.len().min(random.between(1, 500) as usize));
            if peer.write_all(part).await.is_err() {
                // The job has failed.
                return;
            }
            rest = behind;
            let pause = std::time::Duration::from_millis(random.below(20));
            world.sleep(pause).await;
        }
        // To leave before the job does could cost it what it has not read.
        let _ = (peer.shutdown().await, peer.read(&mut [0]).await);
    };
    server.spawn(Lane::Control, "server", send).detach();
}

/// Takes a collection, in ascending order.
fn rows<T: Element + Ord>(sim: &SimWorld, name: &str) -> Result<Vec<T>, Finding> {
    let rows = sim.ledger().collected().take::<T>(name);
    let mut rows = rows.map_err(|error| Finding::safety(error.to_string()))?;
    rows.sort();
    Ok(rows)
}

fn same<T: PartialEq + Debug>(what: &str, rows: &[T], right: &[T]) -> Result<(), Finding> {
    if rows == right {
        return Ok(());
    }
    let at = rows.iter().zip(right).take_while(|(a, b)| a == b).count();
    Err(Finding::safety(format!(
        "{what}: row {at} is {:?}, not {:?} ({} rows against {})",
        rows.get(at),
        right.get(at),
        rows.len(),
        right.len()
    )))
}

fn judge(sim: &SimWorld, shape: &Shape) -> Result<(), Finding> {
    let copies = shape.parallelism[2].max(1);
    let events = shape.events();
    let plain = |events: &[Event]| -> Vec<Total> {
        events.iter().map(|e| (e.key, e.at, e.amount)).collect()
    };
    let late: Vec<Event> = rows(sim, "late")?;
    if shape.is_in_time() {
        same("late", &late, &[])?;
        let timers: Vec<Total> = rows(sim, "timers")?;
        same("timers", &timers, &totals(&plain(&events), BUCKET))?;
    }
    // Late or not, every event is counted once: by its window or by the side output.
    let in_time: Vec<Event> = events
        .iter()
        .filter(|e| !late.contains(e))
        .cloned()
        .collect();
    same(
        "late events",
        &[in_time.len() + late.len()],
        &[events.len()],
    )?;
    let small = totals(&plain(&in_time), SMALL);
    same("small windows", &rows::<Total>(sim, "small")?, &small)?;
    let ends: Vec<Total> = small
        .iter()
        .map(|(key, start, sum)| (key / 4, start + SMALL - 1, *sum))
        .collect();
    let large: Vec<Total> = rows(sim, "large")?;
    same("large windows", &large, &totals(&ends, LARGE))?;
    let mut from: Vec<(u32, u32, u64)> = shape.feeds[0].events().map(|e| e.from).collect();
    from = from
        .iter()
        .flat_map(|from| vec![*from; copies as usize])
        .collect();
    same("copies", &rows(sim, "copies")?, &from)?;
    let mut sums = BTreeMap::<u8, u64>::new();
    for (key, sum) in rows::<(u8, u64)>(sim, "sums")? {
        let held = sums.entry(key).or_default();
        *held = sum.max(*held);
    }
    let right = totals(&plain(&events), i64::MAX);
    let mut all = BTreeMap::<u8, u64>::new();
    for (key, _, sum) in right {
        *all.entry(key).or_default() += sum;
    }
    let (sums, all): (Vec<_>, Vec<_>) = (sums.into_iter().collect(), all.into_iter().collect());
    same("sums", &sums, &all)
}
