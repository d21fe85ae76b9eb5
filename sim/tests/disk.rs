//! What a power cut leaves of a disk.
//!
//! Invariant: what was synced is always there; of the rest every outcome that a real disk could
//! show is shown by some seed.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use sameriver_runtime::{Lane, Published, World};
use sameriver_sim::{Finding, Limits, SimWorld, run_seed};

const SEEDS: u64 = 100;

/// What the disk of `node` holds after `work` and a power cut, under many seeds.
fn after_power_cut<F>(
    work: impl Fn(World) -> F + Copy + Send + 'static,
    path: &'static str,
) -> BTreeSet<Option<Vec<u8>>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let scenario = move |sim: SimWorld| async move {
        work(sim.node("node")).await;
        sim.restart("node");
        Ok::<_, Finding>(sim.files("node").read(path))
    };
    let left = |seed| {
        run_seed(seed, &Limits::default(), scenario)
            .verdict
            .unwrap()
    };
    (0..SEEDS).map(left).collect()
}

async fn write(world: &World, path: &str, text: &'static str, sync: bool) {
    let file = world.disk().create(Path::new(path)).await.unwrap();
    file.append(Bytes::from_static(text.as_bytes()))
        .await
        .unwrap();
    if sync {
        file.sync().await.unwrap();
    }
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn a_synced_file_in_a_synced_folder_survives_every_power_cut() {
    let work = |world: World| async move {
        write(&world, "a", "kept", true).await;
        world.disk().sync_directory(Path::new("")).await.unwrap();
    };
    assert_eq!(
        after_power_cut(work, "a"),
        BTreeSet::from([Some(bytes("kept"))])
    );
}

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let left = after_power_cut(
        |world| async move { write(&world, "a", "kept", true).await },
        "a",
    );
    assert_eq!(left, BTreeSet::from([None, Some(bytes("kept"))]));
}

#[test]
fn a_synced_name_of_a_file_that_was_not_synced_may_be_empty() {
    let work = |world: World| async move {
        write(&world, "a", "lost", false).await;
        world.disk().sync_directory(Path::new("")).await.unwrap();
    };
    assert_eq!(
        after_power_cut(work, "a"),
        BTreeSet::from([Some(bytes("")), Some(bytes("lost"))])
    );
}

#[test]
fn a_renamed_file_that_was_not_synced_may_be_empty_under_its_new_name() {
    let work = |world: World| async move {
        write(&world, "a", "lost", false).await;
        world
            .disk()
            .rename(Path::new("a"), Path::new("b"))
            .await
            .unwrap();
        world.disk().sync_directory(Path::new("")).await.unwrap();
    };
    assert!(after_power_cut(work, "b").contains(&Some(bytes(""))));
}

#[test]
fn a_published_file_is_there_whole_whatever_happens() {
    let work = |world: World| async move {
        write(&world, "a", "whole", false).await;
        let published = world.disk().publish(Path::new("a"), Path::new("b")).await;
        assert_eq!(published.unwrap(), Published::Created);
    };
    assert_eq!(
        after_power_cut(work, "b"),
        BTreeSet::from([Some(bytes("whole"))])
    );
}

#[test]
fn a_publish_that_a_crash_interrupts_leaves_the_whole_file_or_nothing_under_the_new_name() {
    let scenario = |sim: SimWorld| async move {
        let world = sim.node("node");
        write(&world, "a", "whole", false).await;
        let disk = world.disk();
        let publish = async move { drop(disk.publish(Path::new("a"), Path::new("b")).await) };
        world.spawn(Lane::Control, "publish", publish).detach();
        sim.supervisor()
            .sleep(std::time::Duration::from_micros(50))
            .await;
        sim.restart("node");
        Ok::<_, Finding>(sim.files("node").read("b"))
    };
    let left = |seed| {
        run_seed(seed, &Limits::default(), scenario)
            .verdict
            .unwrap()
    };
    let left: BTreeSet<_> = (0..SEEDS).map(left).collect();
    assert_eq!(left, BTreeSet::from([None, Some(bytes("whole"))]));
}

#[test]
fn a_sync_that_was_not_awaited_promises_nothing() {
    let work = |world: World| async move {
        let file = world.disk().create(Path::new("a")).await.unwrap();
        world.disk().sync_directory(Path::new("")).await.unwrap();
        file.append(Bytes::from_static(b"hope")).await.unwrap();
        drop(file.sync());
    };
    assert!(after_power_cut(work, "a").contains(&Some(bytes(""))));
}

#[test]
fn a_long_write_that_was_not_synced_may_be_torn_at_a_sector() {
    let work = |world: World| async move {
        let file = world.disk().create(Path::new("a")).await.unwrap();
        world.disk().sync_directory(Path::new("")).await.unwrap();
        file.append(Bytes::from(vec![1; 5_000])).await.unwrap();
    };
    let lengths = after_power_cut(work, "a")
        .into_iter()
        .flatten()
        .map(|bytes| bytes.len());
    let lengths: BTreeSet<usize> = lengths.collect();
    assert!(
        lengths.contains(&0) && lengths.contains(&5_000),
        "{lengths:?}"
    );
    assert!(
        lengths
            .iter()
            .any(|length| *length % 512 == 0 && *length > 0),
        "{lengths:?}"
    );
}

#[test]
fn a_file_of_an_earlier_life_writes_nothing() {
    let scenario = |sim: SimWorld| async move {
        let before = sim.node("node");
        write(&before, "a", "old", true).await;
        before.disk().sync_directory(Path::new("")).await.unwrap();
        let file = before.disk().open(Path::new("a")).await.unwrap();
        let disk = before.disk();
        sim.restart("node");
        let late = async {
            drop(disk.remove(Path::new("a")));
            file.append(Bytes::from_static(b" and new")).await
        };
        let hour = std::time::Duration::from_mins(50);
        assert!(sim.supervisor().timeout(hour, late).await.is_err());
        Ok::<_, Finding>(sim.files("node").read("a"))
    };
    for seed in 0..SEEDS {
        let left = run_seed(seed, &Limits::default(), scenario).verdict;
        assert_eq!(left, Ok(Some(bytes("old"))));
    }
}

#[test]
fn the_disks_of_two_nodes_share_nothing() {
    let scenario = |sim: SimWorld| async move {
        sim.files("a").preload("in/file", "mine");
        let missing = sim.node("b").disk().open(Path::new("in/file")).await;
        assert_eq!(missing.err().unwrap().kind(), ErrorKind::NotFound);
        let names = sim.node("a").disk().list(Path::new("in")).await.unwrap();
        assert_eq!(names, ["file"]);
        Ok::<_, Finding>(())
    };
    assert_eq!(run_seed(1, &Limits::default(), scenario).verdict, Ok(()));
}
