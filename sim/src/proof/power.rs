//! What a crash leaves: bytes and names that were synced, some of the others, and no task.
//!
//! Invariant: what was never synced is sometimes lost and sometimes kept, on a node's own disk and
//! on the shared one; what a failed sync has marked clean is lost.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::{Disk, Lane};

use super::defect;
use crate::disk::VOLUME;
use crate::fault::{Episode, FaultFamily, FaultScript, Nemesis, Parameters, Target, Trigger};
use crate::finding::Finding;
use crate::sim_world::SimWorld;
use crate::supervisor::{Limits, run_seed};

/// So many draws show every way in which a write can end.
const SEEDS: u64 = 40;
const DURABLE: &[u8] = b"durable";
const MILLI: Duration = Duration::from_millis(1);

pub(super) fn prove() -> Result<(), Finding> {
    for (path, disk) in [("file", "a"), ("data/file", VOLUME)] {
        let left = move |sim: SimWorld| async move { after_power_cut(&sim, path, disk).await };
        let (mut bytes, mut names) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..SEEDS {
            let (file, name) = run_seed(seed, &Limits::default(), left).verdict?;
            let file = file.filter(|file| file.starts_with(DURABLE));
            let file = file.ok_or_else(|| {
                defect(format!(
                    "a power cut took synced bytes of {path}, seed {seed}"
                ))
            })?;
            bytes.insert(file.len());
            names.insert(name);
        }
        if bytes.len() < 2 || names.len() < 2 {
            return Err(defect(format!(
                "{SEEDS} power cuts left {} lengths of {path} with bytes that were not synced, \
                 and a name that was not synced in {} ways: a cut takes some and leaves some",
                bytes.len(),
                names.len()
            )));
        }
    }
    let run = |sim: SimWorld| async move {
        failed_sync(&sim).await?;
        no_task_survives(&sim).await
    };
    run_seed(0, &Limits::default(), run).verdict
}

fn broken(error: &io::Error) -> Finding {
    defect(format!("a disk without a fault fails: {error}"))
}

async fn written(disk: &dyn Disk, path: &str, synced: bool) -> io::Result<()> {
    let file = disk.create(Path::new(path)).await?;
    file.append(Bytes::from_static(DURABLE)).await?;
    if synced {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        disk.sync_directory(folder).await?;
        file.sync().await?;
        file.append(Bytes::from_static(b" and not")).await?;
    }
    Ok(())
}

/// What a crash leaves of a file with synced and other bytes, and whether a name is there that was
/// never synced.
async fn after_power_cut(
    sim: &SimWorld,
    path: &str,
    disk: &str,
) -> Result<(Option<Vec<u8>>, bool), Finding> {
    let name = format!("{path}-unsynced");
    let world = sim.node("a");
    let done = async {
        written(&*world.disk(), path, true).await?;
        written(&*world.disk(), &name, false).await
    };
    done.await.map_err(|error| broken(&error))?;
    sim.crash("a");
    let files = sim.files(disk);
    Ok((files.read(path), files.read(&name).is_some()))
}

/// Bytes of a failed sync are read until the power goes.
async fn failed_sync(sim: &SimWorld) -> Result<(), Finding> {
    let world = sim.node("b");
    let begun = async {
        let file = world.disk().create(Path::new("file")).await?;
        world.disk().sync_directory(Path::new("")).await?;
        file.append(Bytes::from_static(DURABLE)).await?;
        Ok(file)
    };
    let file = begun.await.map_err(|error| broken(&error))?;
    let always = Parameters {
        per_mille: 1_000,
        ..Parameters::default()
    };
    let target = Target::Disk("b".to_owned());
    let episode = Episode::new(Trigger::Nanos(0), FaultFamily::DiskFsyncLost, target);
    let script = FaultScript(vec![episode.lasting(1_000 * MILLI).with(always)]);
    let nemesis = Nemesis::run(sim, &script).map_err(|error| defect(error.to_string()))?;
    sim.supervisor().sleep(MILLI).await;
    let has_failed = file.sync().await.is_err();
    nemesis.heal();
    file.sync().await.map_err(|error| broken(&error))?;
    sim.crash("b");
    if has_failed && sim.files("b").read("file") == Some(Vec::new()) {
        return Ok(());
    }
    Err(defect(
        "a sync that lost its bytes did not fail, or they are there after a power cut",
    ))
}

/// A task does nothing once its node has crashed, even when the node starts again.
async fn no_task_survives(sim: &SimWorld) -> Result<(), Finding> {
    let ticks = Arc::new(AtomicU64::new(0));
    let (world, counted) = (sim.node("c"), Arc::clone(&ticks));
    let clock = world.clone();
    let task = world.spawn(Lane::Control, "clock", async move {
        loop {
            clock.sleep(MILLI).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    task.detach();
    sim.supervisor().sleep(20 * MILLI).await;
    sim.restart("c");
    let before = ticks.load(Ordering::Relaxed);
    sim.supervisor().sleep(50 * MILLI).await;
    let after = ticks.load(Ordering::Relaxed);
    if before > 0 && after == before {
        return Ok(());
    }
    Err(defect(format!(
        "a task ran {before} times before its node crashed and {} times after that",
        after - before
    )))
}
