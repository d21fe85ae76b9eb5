//! What a disk may do: fail, fill up, be slow, lie after a failed sync; and the disk of all nodes.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::{DiskFile, World};
use sameriver_sim::{FaultFamily, Finding, Limits, Parameters, SimWorld, VOLUME, run_seed};

use crate::rig::{SECOND, begin, disk, holds, now, took};

async fn create(world: &World, path: &str) -> Box<dyn DiskFile> {
    let file = world.disk().create(Path::new(path)).await.unwrap();
    let folder = Path::new(path).parent().unwrap();
    world.disk().sync_directory(folder).await.unwrap();
    file
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn always() -> Parameters {
    Parameters {
        per_mille: 1_000,
        ..Parameters::default()
    }
}

#[test]
fn a_bad_disk_fails_reads_writes_and_syncs_and_works_again() {
    holds(|sim| async move {
        let file = create(&sim.node("a"), "file").await;
        file.append(text("before")).await.unwrap();
        let nemesis = begin(&sim, now(FaultFamily::DiskEio, disk("a"), always())).await;
        assert!(file.append(text("during")).await.is_err());
        assert!(file.read_at(0, 6).await.is_err());
        assert_eq!(file.sync().await.unwrap_err().raw_os_error(), Some(5));
        nemesis.heal();
        file.sync().await.unwrap();
        assert_eq!(file.read_at(0, 20).await.unwrap(), "before");
        assert_eq!(sim.effects().count(FaultFamily::DiskEio), 3);
        Ok(())
    });
}

#[test]
fn a_full_disk_takes_a_part_until_there_is_room() {
    holds(|sim| async move {
        let world = sim.node("a");
        create(&world, "ballast")
            .await
            .append(text("12345"))
            .await
            .unwrap();
        let file = create(&world, "file").await;
        let few = Parameters {
            free_bytes: 4,
            ..Parameters::default()
        };
        let nemesis = begin(&sim, now(FaultFamily::DiskEnospc, disk("a"), few)).await;
        let full = file.append(text("abcdef")).await.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        assert_eq!(file.read_at(0, 10).await.unwrap(), "abcd");
        world.disk().remove(Path::new("ballast")).await.unwrap();
        file.append(text("efghi")).await.unwrap();
        assert!(file.append(text("j")).await.is_err());
        nemesis.heal();
        file.append(text("j")).await.unwrap();
        assert_eq!(sim.effects().count(FaultFamily::DiskEnospc), 2);
        Ok(())
    });
}

#[test]
fn a_full_disk_takes_no_new_name_and_tells_so_its_own_nodes_only() {
    holds(|sim| async move {
        let world = sim.node("a");
        let kept = create(&world, "data/kept").await;
        let none = Parameters::default();
        let nemesis = begin(&sim, now(FaultFamily::DiskEnospc, disk(VOLUME), none)).await;
        let made = world.disk().create_new(Path::new("data/new")).await;
        assert_eq!(made.err().unwrap().kind(), ErrorKind::StorageFull);
        let folders = world.disk().create_directories(Path::new("data/folder"));
        assert_eq!(folders.await.unwrap_err().kind(), ErrorKind::StorageFull);
        let full = kept.append(text("x")).await.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        create(&world, "own").await.append(text("x")).await.unwrap();
        nemesis.heal();
        create(&world, "data/new").await;
        assert_eq!(sim.effects().count(FaultFamily::DiskEnospc), 3);
        Ok(())
    });
}

#[test]
fn a_slow_disk_takes_longer() {
    holds(|sim| async move {
        let file = create(&sim.node("a"), "file").await;
        let slow = Parameters {
            delay_nanos: 500_000_000,
            ..Parameters::default()
        };
        let _nemesis = begin(&sim, now(FaultFamily::DiskSlow, disk("a"), slow)).await;
        let write = took(&sim, async { file.append(text("x")).await.unwrap() });
        assert!(write.await >= Duration::from_millis(500));
        assert_eq!(sim.effects().count(FaultFamily::DiskSlow), 1);
        Ok(())
    });
}

#[test]
fn after_a_failed_sync_a_later_one_succeeds_and_the_bytes_are_gone_at_the_crash() {
    holds(|sim| async move {
        let file = create(&sim.node("a"), "file").await;
        file.append(text("durable")).await.unwrap();
        file.sync().await.unwrap();
        file.append(text(" lost")).await.unwrap();
        let nemesis = begin(&sim, now(FaultFamily::DiskFsyncLost, disk("a"), always())).await;
        assert!(file.sync().await.is_err());
        nemesis.heal();
        file.sync().await.unwrap();
        assert_eq!(file.read_at(0, 20).await.unwrap(), "durable lost");
        sim.restart("a");
        assert_eq!(sim.files("a").read("file").unwrap(), b"durable");
        assert_eq!(sim.effects().count(FaultFamily::DiskFsyncLost), 1);
        Ok(())
    });
}

#[test]
fn a_publish_whose_sync_fails_gives_no_name() {
    holds(|sim| async move {
        let world = sim.node("a");
        let file = create(&world, "part").await;
        file.append(text("bytes")).await.unwrap();
        let nemesis = begin(&sim, now(FaultFamily::DiskFsyncLost, disk("a"), always())).await;
        let published = world.disk().publish(Path::new("part"), Path::new("whole"));
        assert!(published.await.is_err());
        nemesis.heal();
        assert_eq!(sim.files("a").read("whole"), None);
        Ok(())
    });
}

#[test]
fn what_one_node_has_synced_in_data_every_node_reads_whoever_crashes() {
    holds(|sim| async move {
        let file = create(&sim.node("a"), "data/file").await;
        file.append(text("shared")).await.unwrap();
        file.sync().await.unwrap();
        sim.crash("a");
        sim.restart("b");
        let there = sim.node("b").disk().open(Path::new("data/file")).await;
        assert_eq!(there.unwrap().read_at(0, 10).await.unwrap(), "shared");
        assert_eq!(sim.files(VOLUME).read("data/file").unwrap(), b"shared");
        let names = sim.node("b").disk().list(Path::new("")).await.unwrap();
        assert_eq!(names, ["data"]);
        Ok(())
    });
}

/// What is left below `data/` of files that `a` and `b` have written, after `a` has crashed.
async fn shared_after_crash(sim: SimWorld) -> Result<(Option<Vec<u8>>, Option<Vec<u8>>), Finding> {
    for (node, path) in [("a", "data/of-a"), ("b", "data/of-b")] {
        let file = sim.node(node).disk().create(Path::new(path)).await.unwrap();
        file.append(text("written")).await.unwrap();
    }
    sim.crash("a");
    let files = sim.files(VOLUME);
    Ok((files.read("data/of-a"), files.read("data/of-b")))
}

#[test]
fn a_crash_takes_from_data_only_what_its_node_wrote_and_nobody_synced() {
    let left = |seed| run_seed(seed, &Limits::default(), shared_after_crash).verdict;
    let mut of_a = BTreeSet::new();
    for seed in 0..60 {
        let (a, b) = left(seed).unwrap();
        assert_eq!(b.as_deref(), Some(&b"written"[..]), "seed {seed}");
        of_a.insert(a);
    }
    let outcomes = [None, Some(Vec::new()), Some(b"written".to_vec())];
    assert_eq!(of_a, BTreeSet::from(outcomes));
}

#[test]
fn nothing_is_renamed_from_one_disk_to_the_other() {
    holds(|sim| async move {
        let world = sim.node("a");
        create(&world, "file").await;
        let moved = world
            .disk()
            .rename(Path::new("file"), Path::new("data/file"));
        assert_eq!(moved.await.unwrap_err().kind(), ErrorKind::CrossesDevices);
        sim.supervisor().sleep(SECOND).await;
        assert!(sim.files("a").read("file").is_some());
        Ok(())
    });
}
