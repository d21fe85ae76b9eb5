//! Promises of snapshots: what a subtask's checkpoint holds, and what it costs the records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sameriver_model::codec::wire;
use sameriver_model::{CheckpointId, FailureKind, SubtaskId, SubtaskState};
use sameriver_runtime::World;

use super::chains::{Numbers, Seen, Totals, Twist, numbers, split, splits_section, totals_section};
use super::rig::{ATTEMPT, Ended, Rig, subtask};
use super::store::Store;
use crate::testing::TestWorld;
use crate::{SlotEvent, SlotMail, SlotSettings, SnapshotMeasures};

/// The end of every split: none is read to it.
const FAR: u64 = 1 << 40;

/// A job whose sources are on several nodes, its sink on the last one, and their store.
struct Scene {
    world: TestWorld,
    seen: Arc<Seen>,
    store: Store,
    rig: Rig,
}

impl Scene {
    fn clock(&self) -> World {
        self.world.node("clock")
    }

    async fn sleep(&self, millis: u64) {
        self.clock().sleep(Duration::from_millis(millis)).await;
    }

    /// Deploys everything and waits until every source reads its split.
    async fn begin(&mut self) {
        self.rig.checkpoints.get_or_insert(self.store.checkpoints());
        self.rig.deploy_all().await;
        let mut asked = 0;
        while asked + 1 < self.rig.hosts.len() {
            asked += usize::from(matches!(self.next().await, SlotEvent::SplitRequest { .. }));
        }
        self.sleep(5).await;
    }

    /// The next event, answered if it is a request; no subtask may fail.
    async fn next(&mut self) -> SlotEvent {
        let event = self.rig.events.recv().await.unwrap();
        assert!(!matches!(event, SlotEvent::Failed { .. }), "{event:?}");
        self.rig.answer(&event).await;
        event
    }

    /// Waits until every subtask has acknowledged the checkpoint.
    async fn acknowledged(&mut self, wanted: u64) -> BTreeMap<SubtaskId, Acknowledged> {
        let mut all = BTreeMap::new();
        while all.len() < self.rig.hosts.len() {
            if let SlotEvent::Acknowledged {
                subtask,
                checkpoint,
                state,
                measured,
                ..
            } = self.next().await
                && checkpoint == CheckpointId::new(wanted)
            {
                assert!(
                    all.insert(subtask, Acknowledged { state, measured })
                        .is_none()
                );
            }
        }
        all
    }

    async fn checkpoint(&mut self, id: u64) -> BTreeMap<SubtaskId, Acknowledged> {
        self.rig.trigger_all(id).await;
        self.acknowledged(id).await
    }

    /// The declined checkpoints so far that wait to be heard of, after some time.
    async fn declined(&mut self) -> Vec<(SubtaskId, u64, String)> {
        self.sleep(20).await;
        let mut declined = Vec::new();
        while let Ok(event) = self.rig.events.try_recv() {
            self.rig.answer(&event).await;
            if let SlotEvent::Declined {
                subtask,
                checkpoint,
                failure,
                ..
            } = event
            {
                declined.push((subtask, checkpoint.get(), failure.message));
            }
        }
        declined
    }

    async fn totals(&self, all: &BTreeMap<SubtaskId, Acknowledged>) -> Totals {
        let restored = self.store.restored(&all[&subtask(1, 0)].state).await;
        wire::decode(restored.only(&totals_section()).unwrap()).unwrap()
    }

    async fn splits(&self, state: &SubtaskState) -> Vec<Numbers> {
        let restored = self.store.restored(state).await;
        wire::decode(restored.only(&splits_section()).unwrap()).unwrap()
    }

    /// The sink's totals are those of the numbers that the sources had read.
    async fn assert_consistent(&self, all: &BTreeMap<SubtaskId, Acknowledged>) {
        let (mut count, mut sum) = (0, 0);
        for (id, acknowledged) in all.iter().filter(|(id, _)| id.vertex.get() == 0) {
            let splits = self.splits(&acknowledged.state).await;
            let (from, to) = *splits.first().expect("no split is read to its end");
            let begin = to - FAR;
            assert!(from > begin, "{id} had read something");
            count += from - begin;
            sum += (begin..from).sum::<u64>();
        }
        assert_eq!(self.totals(all).await, (count, sum));
    }

    /// How many numbers the sink saw of the source with these.
    fn seen_from(&self, begin: u64) -> usize {
        let numbers = self.seen.numbers();
        let own = numbers.iter().filter(|n| (begin..begin + FAR).contains(n));
        own.count()
    }
}

struct Acknowledged {
    state: SubtaskState,
    measured: SnapshotMeasures,
}

/// Source `i` reads the numbers from `i * FAR`.
fn far(index: u64) -> Numbers {
    (index * FAR, (index + 1) * FAR)
}

fn scene<R: Send + 'static, F: Future<Output = R> + Send + 'static>(
    nodes: u32,
    sources: u32,
    twist: Twist,
    act: impl FnOnce(Scene) -> F + Send + 'static,
) -> R {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let worlds: Vec<_> = (0..nodes).map(|n| world.node(&format!("n{n}"))).collect();
    let graph = numbers(sources, 1, twist, &seen);
    let inside = world.clone();
    world.block_on(async move {
        let settings = SlotSettings {
            slice_records: 16,
            ..SlotSettings::default()
        };
        let rig = Rig::start(&worlds, graph, settings, Some(nodes - 1)).await;
        let rig = rig.splits((0..u64::from(sources)).map(far));
        let store = Store::new(&inside.node("store"));
        act(Scene {
            world: inside,
            seen,
            store,
            rig,
        })
        .await
    })
}

#[test]
fn an_aligned_snapshot_holds_exactly_what_came_before_the_barriers() {
    scene(1, 2, Twist::None, |mut scene| async move {
        scene.begin().await;
        for id in 1..=3 {
            let all = scene.checkpoint(id).await;
            scene.assert_consistent(&all).await;
            scene.sleep(3).await;
        }
        let names = scene.store.begun();
        assert!(
            names[0].starts_with("numbers/snap/0/1/c1/v0-0-"),
            "{names:?}"
        );
    });
}

#[test]
fn barriers_cross_task_managers_behind_what_was_sent_before() {
    scene(3, 2, Twist::None, |mut scene| async move {
        scene.begin().await;
        for id in [4, 9] {
            let all = scene.checkpoint(id).await;
            scene.assert_consistent(&all).await;
        }
    });
}

#[test]
fn a_restored_job_goes_on_exactly_where_the_snapshot_was() {
    scene(1, 2, Twist::None, |mut scene| async move {
        scene.begin().await;
        let all = scene.checkpoint(1).await;
        let before = scene.totals(&all).await;
        scene.sleep(10).await;
        scene
            .rig
            .tell_all(SlotMail::Cancel { attempt: ATTEMPT })
            .await;
        while !matches!(scene.next().await, SlotEvent::Cancelled { .. }) {}
        let seen_before = scene.seen.numbers().len();
        for (id, acknowledged) in &all {
            let restored = scene.store.restored(&acknowledged.state).await;
            scene.rig.restored.insert(*id, Arc::new(restored));
        }
        scene.rig.restored_from = Some(CheckpointId::new(1));
        scene.rig.deploy_all().await;
        scene.sleep(10).await;
        let all = scene.checkpoint(2).await;
        scene.assert_consistent(&all).await;
        assert!(scene.totals(&all).await.0 > before.0);
        assert!(scene.seen.numbers().len() > seen_before);
    });
}

#[test]
fn a_channel_waits_behind_its_barrier_until_the_checkpoint_is_given_up() {
    scene(1, 2, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.rig.trigger(subtask(0, 0), 1).await;
        scene.sleep(50).await;
        let (blocked, open) = (scene.seen_from(0), scene.seen_from(FAR));
        scene.sleep(50).await;
        assert_eq!(scene.seen_from(0), blocked);
        assert!(scene.seen_from(FAR) > open, "the other channel goes on");
        let abort = SlotMail::Abort {
            attempt: ATTEMPT,
            checkpoint: CheckpointId::new(1),
        };
        scene.rig.tell_all(abort).await;
        scene.sleep(50).await;
        assert!(scene.seen_from(0) > blocked);
        // What is left of it changes nothing, and the next one is whole.
        scene.rig.trigger(subtask(0, 1), 1).await;
        scene.sleep(5).await;
        let all = scene.checkpoint(2).await;
        scene.assert_consistent(&all).await;
    });
}

#[test]
fn a_later_checkpoint_supersedes_one_that_waits_for_barriers() {
    scene(1, 2, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.rig.trigger(subtask(0, 0), 1).await;
        scene.sleep(20).await;
        scene.rig.trigger(subtask(0, 1), 2).await;
        let declined = scene.declined().await;
        let message = "snapshot for c1 was given up: the barrier of c2 came first".to_owned();
        assert_eq!(declined, [(subtask(1, 0), 1, message)]);
        scene.rig.trigger(subtask(0, 0), 2).await;
        scene.sleep(20).await;
        let all = scene.checkpoint(3).await;
        scene.assert_consistent(&all).await;
    });
}

#[test]
fn at_least_once_no_channel_waits_and_nothing_before_the_barriers_is_missing() {
    scene(1, 2, Twist::None, |mut scene| async move {
        let mut checkpoints = scene.store.checkpoints();
        checkpoints.aligned = false;
        scene.rig.checkpoints = Some(checkpoints);
        scene.begin().await;
        scene.rig.trigger(subtask(0, 0), 1).await;
        scene.sleep(20).await;
        let passed = scene.seen_from(0);
        scene.sleep(20).await;
        assert!(scene.seen_from(0) > passed);
        scene.rig.trigger(subtask(0, 1), 1).await;
        let all = scene.acknowledged(1).await;
        let (count, _) = scene.totals(&all).await;
        let mut read = 0;
        for index in 0..2_u64 {
            let state = &all[&subtask(0, index as u32)].state;
            read += scene.splits(state).await[0].0 - index * FAR;
        }
        assert!(
            count > read,
            "{count} numbers took effect, {read} are not read again"
        );
    });
}

#[test]
fn a_subtask_that_has_ended_passes_barriers_and_snapshots_until_it_is_released() {
    scene(2, 2, Twist::None, |mut scene| async move {
        scene.rig = scene.rig.splits([(0, 100), (100, 200)]);
        scene.begin().await;
        let mut ended = 0;
        while ended < 3 {
            ended += usize::from(matches!(scene.next().await, SlotEvent::Ended { .. }));
        }
        for id in 1..=2 {
            let all = scene.checkpoint(id).await;
            assert!(all.values().all(|a| a.state.is_ended));
            assert_eq!(scene.totals(&all).await, (200, (0..200).sum()));
        }
        scene.seen.unconfirmed.store(true, Ordering::SeqCst);
        let complete = SlotMail::Complete {
            attempt: ATTEMPT,
            checkpoint: CheckpointId::new(2),
        };
        scene.rig.tell_all(complete).await;
        scene
            .rig
            .tell_all(SlotMail::Release { attempt: ATTEMPT })
            .await;
        for _ in 0..2 {
            let finished = scene.next().await;
            let is_source = |id: SubtaskId| id.vertex.get() == 0;
            assert!(matches!(finished, SlotEvent::Finished { subtask, .. } if is_source(subtask)));
        }
        scene.sleep(100).await;
        assert!(
            scene.rig.events.try_recv().is_err(),
            "a commit is unconfirmed"
        );
        assert!(scene.seen.log().contains(&"complete c2".to_owned()));
        scene.seen.unconfirmed.store(false, Ordering::SeqCst);
        scene.seen.set_room(true);
        assert!(matches!(scene.next().await, SlotEvent::Finished { .. }));
        scene.rig.stop().await;
    });
}

#[test]
fn a_source_that_has_ended_takes_part_beside_one_that_goes_on() {
    scene(1, 2, Twist::None, |mut scene| async move {
        scene.rig = scene.rig.splits([(0, 64), far(1)]);
        scene.begin().await;
        while !matches!(scene.next().await, SlotEvent::Ended { .. }) {}
        let all = scene.checkpoint(1).await;
        let ended: Vec<bool> = all.values().map(|a| a.state.is_ended).collect();
        assert_eq!(ended.iter().filter(|is_ended| **is_ended).count(), 1);
        let running = all.values().find(|a| !a.state.is_ended).unwrap();
        let read = scene.splits(&running.state).await[0].0 - FAR;
        assert_eq!(scene.totals(&all).await.0, 64 + read);
    });
}

#[test]
fn a_source_that_waits_for_splits_answers_a_trigger() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.rig.checkpoints = Some(scene.store.checkpoints());
        scene.rig.deploy_all().await;
        while !matches!(
            scene.rig.events.recv().await,
            Some(SlotEvent::SplitRequest { .. })
        ) {}
        let all = scene.checkpoint(1).await;
        assert_eq!(scene.splits(&all[&subtask(0, 0)].state).await, []);
        assert_eq!(scene.totals(&all).await, (0, 0));
    });
}

#[test]
fn a_trigger_that_is_not_above_the_last_changes_nothing() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.checkpoint(5).await;
        for stale in [5, 4] {
            scene.rig.trigger_all(stale).await;
        }
        scene.checkpoint(6).await;
        let log = scene.seen.log();
        let barriers: Vec<_> = log.iter().filter(|entry| entry.starts_with('c')).collect();
        assert_eq!(barriers, ["c5", "c6"]);
    });
}

#[test]
fn an_upload_that_fails_is_tried_again_under_another_name() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.seen.padding.store(20, Ordering::SeqCst);
        scene.store.fail(3);
        let all = scene.checkpoint(1).await;
        scene.assert_consistent(&all).await;
        let mut names = scene.store.begun();
        assert_eq!(names.len(), 5, "two files, three failures: {names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 5, "no name is used twice");
    });
}

#[test]
fn an_upload_that_is_refused_or_never_succeeds_declines_the_snapshot_and_records_go_on() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.store.refuse(2);
        scene.rig.trigger_all(1).await;
        let declined = scene.declined().await;
        assert_eq!(declined.len(), 2, "{declined:?}");
        let expected = "snapshot for c1 cannot be uploaded: memory:tests refuses ";
        assert!(declined[0].2.starts_with(expected), "{declined:?}");
        scene.store.fail(1_000);
        scene.rig.trigger_all(2).await;
        scene.sleep(60_000).await;
        let declined = scene.declined().await;
        assert_eq!(declined.len(), 2, "{declined:?}");
        assert_eq!(scene.store.begun().len(), 2 + 2 * 10);
        scene.store.fail(0);
        let all = scene.checkpoint(3).await;
        scene.assert_consistent(&all).await;
    });
}

#[test]
fn a_snapshot_that_grew_above_what_is_kept_is_declined_when_its_upload_fails() {
    scene(1, 1, Twist::None, |mut scene| async move {
        let mut checkpoints = scene.store.checkpoints();
        checkpoints.upload_retry.kept_bytes_max = 256 << 10;
        scene.rig.checkpoints = Some(checkpoints);
        scene.begin().await;
        scene.checkpoint(1).await;
        scene.seen.padding.store(20, Ordering::SeqCst);
        scene.store.fail(1_000);
        scene.rig.trigger_all(2).await;
        let declined = scene.declined().await;
        assert_eq!(declined.len(), 1, "{declined:?}");
        assert_eq!((declined[0].0, declined[0].1), (subtask(1, 0), 2));
    });
}

#[test]
fn a_slow_store_holds_the_walk_back_and_no_record() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.seen.padding.store(200, Ordering::SeqCst);
        scene.store.set_pace(Duration::from_millis(50));
        let before = scene.seen.numbers().len();
        scene.rig.trigger_all(1).await;
        scene.sleep(1_000).await;
        let after = scene.seen.numbers().len();
        assert!(
            after - before > 10_000,
            "{} records in a second",
            after - before
        );
        let all = scene.acknowledged(1).await;
        scene.assert_consistent(&all).await;
        let measured = all[&subtask(1, 0)].measured;
        assert!(measured.bytes > 200 * (16 << 10));
        let took = scene.world.elapsed();
        assert!(took > Duration::from_secs(2), "it was slow: {took:?}");
    });
}

#[test]
fn a_cut_waits_for_the_walk_before_it_and_takes_no_input_meanwhile() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.seen.padding.store(100, Ordering::SeqCst);
        scene.store.set_pace(Duration::from_millis(100));
        scene.rig.trigger_all(1).await;
        scene.sleep(100).await;
        scene.rig.trigger_all(2).await;
        scene.sleep(100).await;
        let held = scene.seen.numbers().len();
        scene.sleep(500).await;
        assert_eq!(scene.seen.numbers().len(), held);
        scene.store.set_pace(Duration::ZERO);
        let all = scene.acknowledged(2).await;
        scene.assert_consistent(&all).await;
        scene.sleep(10).await;
        assert!(scene.seen.numbers().len() > held);
    });
}

#[test]
fn a_snapshot_that_is_given_up_leaves_no_file_and_the_next_one_is_whole() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        scene.seen.padding.store(100, Ordering::SeqCst);
        scene.store.set_pace(Duration::from_millis(100));
        scene.rig.trigger_all(1).await;
        scene.sleep(300).await;
        let abort = SlotMail::Abort {
            attempt: ATTEMPT,
            checkpoint: CheckpointId::new(1),
        };
        scene.rig.tell_all(abort).await;
        scene.store.set_pace(Duration::ZERO);
        scene.sleep(10_000).await;
        let files = scene
            .store
            .checkpoints()
            .store
            .list("numbers/snap/0/1/c1/v1")
            .await;
        assert_eq!(files, Ok(Vec::new()));
        let all = scene.checkpoint(2).await;
        scene.assert_consistent(&all).await;
    });
}

#[test]
fn splits_that_come_behind_a_trigger_are_not_in_its_snapshot() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.begin().await;
        let mail = SlotMail::Assign {
            subtask: subtask(0, 0),
            attempt: ATTEMPT,
            splits: vec![split((7, 8))],
            no_more: false,
        };
        // The second cut waits for the walk of the first, and the split behind it waits for both.
        scene.rig.trigger(subtask(0, 0), 1).await;
        scene.rig.trigger(subtask(0, 0), 2).await;
        scene.rig.send(subtask(0, 0), mail).await;
        let all = scene.acknowledged(2).await;
        assert_eq!(scene.splits(&all[&subtask(0, 0)].state).await.len(), 1);
        let all = scene.checkpoint(3).await;
        assert_eq!(scene.splits(&all[&subtask(0, 0)].state).await.len(), 2);
    });
}

#[test]
fn a_source_without_snapshots_declines_and_goes_on() {
    scene(1, 1, Twist::NoSourceSnapshot, |mut scene| async move {
        scene.begin().await;
        scene.rig.trigger_all(1).await;
        let declined = scene.declined().await;
        assert_eq!((declined.len(), declined[0].0), (1, subtask(0, 0)));
        assert_eq!(
            declined[0].2,
            "source numbers: numbers: they forget where they were"
        );
        let before = scene.seen.numbers().len();
        scene.sleep(10).await;
        assert!(scene.seen.numbers().len() > before);
    });
}

#[test]
fn a_sink_that_lost_something_fails_instead_of_declining() {
    scene(1, 1, Twist::LossySink, |mut scene| async move {
        scene.begin().await;
        scene.rig.trigger_all(1).await;
        match scene.rig.run().await {
            Ended::Failed(failure) => assert_eq!(failure.kind, FailureKind::Internal),
            Ended::Finished(_) => panic!("the job finished"),
        }
    });
}

#[test]
fn the_longest_time_between_two_slices_is_measured() {
    scene(1, 1, Twist::None, |mut scene| async move {
        scene.rig = scene.rig.splits([(0, 1_000)]);
        let (world, mut slices) = (scene.world.clone(), 0);
        let slow = move || {
            slices += 1;
            world.pass(Duration::from_millis(if slices == 3 { 30 } else { 0 }));
        };
        *scene.seen.on_slice.lock().unwrap() = Some(Box::new(slow));
        let metrics = scene.rig.finish().await;
        let sink = metrics[&subtask(1, 0)].longest_stop;
        assert_eq!(sink, Duration::from_millis(30));
        let source = metrics[&subtask(0, 0)].longest_stop;
        assert!(source < Duration::from_millis(1), "{source:?}");
    });
}
