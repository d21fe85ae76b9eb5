//! Promises of the slot loop, with chains inside one process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sameriver_model::{
    AttemptNumber, CheckpointId, FailureKind, ReadReports, ReadSteps, SlotIndex,
};
use sameriver_runtime_tokio::TokioWorld;

use super::chains::{Seen, Twist, numbers};
use super::rig::{ATTEMPT, Ended, Rig, subtask};
use super::store::Store;
use crate::testing::TestWorld;
use crate::{SlotEvent, SlotMail, SlotSettings};

/// Runs numbers `0..count` in two splits through `sources` and `sinks` on `nodes`.
fn check(nodes: u32, sources: u32, sinks: u32, settings: SlotSettings) -> Vec<String> {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let worlds: Vec<_> = (0..nodes).map(|n| world.node(&format!("n{n}"))).collect();
    let graph = numbers(sources, sinks, Twist::None, &seen);
    let metrics = world.block_on(async move {
        let rig = Rig::start(&worlds, graph, settings, None).await;
        let mut rig = rig.splits([(0, 1_000), (1_000, 3_000)]);
        let metrics = rig.finish().await;
        rig.stop().await;
        metrics
    });
    assert_eq!(seen.numbers(), (0..3_000).collect::<Vec<u64>>());
    let total = |count: fn(&crate::SubtaskMetrics) -> u64, vertex| {
        let of_vertex = metrics.iter().filter(|(id, _)| id.vertex.get() == vertex);
        of_vertex.map(|(_, metrics)| count(metrics)).sum::<u64>()
    };
    assert_eq!(total(|m| m.records_in, 0), 3_000);
    assert_eq!(total(|m| m.records_out, 0), 3_000);
    assert_eq!(total(|m| m.records_in, 1), 3_000);
    assert_eq!(total(|m| m.batches_in, 1), total(|m| m.batches_out, 0));
    seen.log()
}

fn small() -> SlotSettings {
    SlotSettings {
        slice_records: 7,
        batch_records: 3,
        buffers_per_channel: 1,
        ..SlotSettings::default()
    }
}

#[test]
fn a_job_in_one_slot_runs_to_its_end() {
    let log = check(1, 1, 1, SlotSettings::default());
    assert_eq!(log.last().map(String::as_str), Some("finish"));
    assert_eq!(log[log.len() - 2], "w-max");
}

#[test]
fn one_buffer_and_tiny_slices_lose_nothing() {
    check(1, 1, 1, small());
    check(1, 3, 2, small());
}

#[test]
fn slices_of_one_record_lose_nothing() {
    let settings = SlotSettings {
        slice_records: 1,
        batch_records: 1,
        buffers_per_channel: 1,
        batch_timeout: Duration::ZERO,
        ..SlotSettings::default()
    };
    check(2, 2, 2, settings);
}

#[test]
fn records_and_watermarks_of_a_channel_keep_their_order() {
    let log = check(1, 1, 1, small());
    let mut latest = 0;
    for entry in &log {
        if let Ok(number) = entry.parse::<i64>() {
            latest = latest.max(number + 1);
        } else if let Some(watermark) = entry.strip_prefix('w').and_then(|w| w.parse().ok()) {
            assert!(latest <= watermark, "{entry} came before its records");
        }
    }
}

#[test]
fn slots_on_threads_of_their_own_exchange_all_records() {
    let world = TokioWorld::builder().build().unwrap();
    let seen = Arc::new(Seen::default());
    let graph = numbers(4, 4, Twist::None, &seen);
    world.block_on(async {
        let rig = Rig::start_slots(&world.world(), 4, graph).await;
        let mut rig = rig.splits((0..20).map(|n| (n * 1_000, (n + 1) * 1_000)));
        rig.finish().await;
        rig.stop().await;
    });
    assert_eq!(seen.numbers(), (0..20_000).collect::<Vec<u64>>());
}

#[test]
fn an_equal_run_gives_an_equal_order() {
    assert_eq!(check(2, 3, 2, small()), check(2, 3, 2, small()));
}

/// Runs one source and one sink on one node until the test's `act` is done.
fn act<R: Send + 'static, F: Future<Output = R> + Send + 'static>(
    twist: Twist,
    settings: SlotSettings,
    act: impl FnOnce(TestWorld, Arc<Seen>, Rig) -> F + Send + 'static,
) -> R {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let graph = numbers(1, 1, twist, &seen);
    let node = world.node("n0");
    let inside = world.clone();
    world.block_on(async move {
        let rig = Rig::start(&[node], graph, settings, None).await;
        act(inside, seen, rig.splits([(0, 1_000_000)])).await
    })
}

#[test]
fn a_sink_without_room_stops_the_source() {
    let settings = SlotSettings {
        buffers_per_channel: 3,
        ..SlotSettings::default()
    };
    act(Twist::None, settings, |world, seen, mut rig| async move {
        seen.set_room(false);
        rig.deploy_all().await;
        let clock = world.node("clock");
        for _ in 0..3 {
            let event = rig.events.recv().await.unwrap();
            rig.answer(&event).await;
        }
        clock.sleep(Duration::from_secs(1)).await;
        let polls = world.polls();
        let read: u64 = world.charged().iter().filter(|n| **n > 1).sum();
        assert_eq!(read, 3 * 256, "as many slices as there are buffers");
        clock.sleep(Duration::from_secs(100)).await;
        assert!(world.polls() - polls < 5, "a blocked slot sleeps");
        assert!(seen.numbers().is_empty());
        seen.set_room(true);
        clock.sleep(Duration::from_secs(100)).await;
        assert_eq!(seen.numbers().len(), 1_000_000);
    });
}

#[test]
fn a_record_waits_no_longer_than_the_batch_timeout() {
    let twist = Twist::Every(40);
    act(
        twist,
        SlotSettings::default(),
        |world, seen, mut rig| async move {
            rig.deploy_all().await;
            for _ in 0..3 {
                let event = rig.events.recv().await.unwrap();
                rig.answer(&event).await;
            }
            let clock = world.node("clock");
            while seen.numbers().is_empty() {
                clock.sleep(Duration::from_micros(500)).await;
            }
            let first = world.elapsed();
            assert!(
                first >= Duration::from_millis(5),
                "it waits for company: {first:?}"
            );
            assert!(
                first < Duration::from_millis(7),
                "but not longer: {first:?}"
            );
            while seen.numbers().len() < 2 {
                clock.sleep(Duration::from_micros(500)).await;
            }
            let gap = world.elapsed().saturating_sub(first);
            assert!(gap < Duration::from_millis(43), "{gap:?}");
        },
    );
}

#[test]
fn without_batch_timeout_a_record_is_sent_after_its_slice() {
    let settings = SlotSettings {
        batch_timeout: Duration::ZERO,
        ..SlotSettings::default()
    };
    act(
        Twist::Every(40),
        settings,
        |world, seen, mut rig| async move {
            rig.deploy_all().await;
            for _ in 0..3 {
                let event = rig.events.recv().await.unwrap();
                rig.answer(&event).await;
            }
            let clock = world.node("clock");
            while seen.numbers().is_empty() {
                clock.sleep(Duration::from_micros(100)).await;
            }
            assert!(
                world.elapsed() < Duration::from_millis(2),
                "{:?}",
                world.elapsed()
            );
        },
    );
}

#[test]
fn a_source_that_is_asked_to_tells_what_it_has_read_since_its_last_barrier() {
    let settings = SlotSettings {
        slice_records: 100,
        ..SlotSettings::default()
    };
    let told = act(Twist::None, settings, |world, _, mut rig| async move {
        let mut checkpoints = Store::new(&world.node("store")).checkpoints();
        checkpoints.reports = Some(ReadReports {
            records: Some(ReadSteps::shared(1_000, 2)),
            ..ReadReports::default()
        });
        rig.checkpoints = Some(checkpoints);
        rig.deploy_all().await;
        let mut told = Vec::new();
        while told.len() < 4 {
            let event = rig.events.recv().await.unwrap();
            rig.answer(&event).await;
            if let SlotEvent::SourceRead { after, counts, .. } = event {
                told.push((after.map(CheckpointId::get), counts.records));
                if told.len() == 2 {
                    rig.trigger(subtask(0, 0), 7).await;
                }
            }
        }
        rig.stop().await;
        told
    });
    let expected = [(None, 500), (None, 1_000), (Some(7), 500), (Some(7), 1_000)];
    assert_eq!(told, expected);
}

#[test]
fn a_panic_is_the_failure_of_its_subtask_alone() {
    let (failure, cancelled) = act(
        Twist::PanicAt(700),
        SlotSettings::default(),
        |_, _, mut rig| async move {
            let failure = rig.fail().await;
            rig.send(subtask(0, 0), SlotMail::Cancel { attempt: ATTEMPT })
                .await;
            let event = loop {
                match rig.events.recv().await.unwrap() {
                    event @ SlotEvent::Cancelled { .. } => break event,
                    SlotEvent::Running { .. }
                    | SlotEvent::SourceRead { .. }
                    | SlotEvent::SplitRequest { .. }
                    | SlotEvent::Ended { .. }
                    | SlotEvent::Acknowledged { .. }
                    | SlotEvent::Declined { .. }
                    | SlotEvent::Finished { .. }
                    | SlotEvent::Failed { .. } => {}
                }
            };
            rig.stop().await;
            (failure, event)
        },
    );
    assert_eq!(failure.kind, FailureKind::User);
    assert_eq!(failure.subtask, Some(subtask(1, 0)));
    assert_eq!(
        failure.message,
        "operator seen panicked at channel e0[0>0], records 512..768: I cannot bear 700: mend the \
         function, or let it return an error"
    );
    let (slot, attempt) = (SlotIndex::new(0), ATTEMPT);
    assert_eq!(cancelled, SlotEvent::Cancelled { slot, attempt });
}

#[test]
fn a_failing_function_is_reported_with_operator_position_and_cause() {
    let failure = act(
        Twist::ErrorAt(300),
        SlotSettings::default(),
        |_, _, mut rig| async move { rig.fail().await },
    );
    assert_eq!(
        failure.to_string(),
        "subtask v1/0: operator seen failed at channel e0[0>0], records 256..512: no 300 please"
    );
}

#[test]
fn a_panic_at_the_start_is_a_failure() {
    let failure = act(
        Twist::PanicAtStart,
        SlotSettings::default(),
        |_, _, mut rig| async move { rig.fail().await },
    );
    assert_eq!(failure.kind, FailureKind::User);
    assert_eq!(
        failure.message,
        "operator seen panicked at start: no sink today"
    );
}

#[test]
fn one_slice_may_overdraw_up_to_the_limit() {
    let settings = SlotSettings {
        overdraft_batches: 100,
        ..SlotSettings::default()
    };
    let failure = act(Twist::Copies(110), settings, |_, _, mut rig| async move {
        rig.fail().await
    });
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(failure.message.contains("overdraft_batches"), "{failure}");
    let metrics = act(Twist::Copies(90), settings, |_, seen, rig| async move {
        let metrics = rig.splits([(0, 1_000)]).finish().await;
        assert_eq!(seen.numbers().len(), 90_000);
        metrics
    });
    assert!((80..=100).contains(&metrics[&subtask(0, 0)].overdraft_max));
}

#[test]
fn a_subtask_that_waits_for_the_outside_is_resumed_by_a_wake() {
    act(
        Twist::None,
        SlotSettings::default(),
        |world, seen, rig| async move {
            let mut rig = rig.splits([(0, 10)]);
            seen.lingers.store(true, Ordering::SeqCst);
            rig.deploy_all().await;
            let clock = world.node("clock");
            let source_ends = async {
                loop {
                    let event = rig.events.recv().await.unwrap();
                    rig.answer(&event).await;
                    if matches!(event, SlotEvent::Ended { .. }) {
                        return;
                    }
                }
            };
            source_ends.await;
            clock.sleep(Duration::from_secs(1)).await;
            assert!(
                rig.events.try_recv().is_err(),
                "the sink is not outside yet"
            );
            let polls = world.polls();
            clock.sleep(Duration::from_secs(1)).await;
            assert!(world.polls() - polls < 5, "it sleeps meanwhile");
            seen.lingers.store(false, Ordering::SeqCst);
            seen.set_room(true);
            assert!(matches!(
                rig.events.recv().await,
                Some(SlotEvent::Ended { .. })
            ));
        },
    );
}

#[test]
fn mail_for_a_subtask_that_is_gone_changes_nothing() {
    let mail = SlotMail::Assign {
        subtask: subtask(0, 0),
        attempt: ATTEMPT,
        splits: Vec::new(),
        no_more: true,
    };
    act(
        Twist::None,
        SlotSettings::default(),
        |_, seen, rig| async move {
            let mut rig = rig.splits([(0, 10)]);
            rig.send(subtask(0, 0), mail).await;
            rig.deploy_all().await;
            assert!(matches!(rig.run().await, Ended::Finished(_)));
            assert_eq!(seen.numbers().len(), 10);
        },
    );
}

#[test]
fn a_slot_that_nobody_listens_to_takes_no_more_mail_than_its_bound() {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let (node, clock) = (world.node("n0"), world.node("clock"));
    let graph = numbers(1, 1, Twist::None, &seen);
    let settings = SlotSettings {
        mail_letters: 3,
        ..SlotSettings::default()
    };
    world.block_on(async move {
        let mut rig = Rig::start(&[node], graph, settings, None).await;
        let mut taken = 0;
        while taken < 100 {
            let attempt = AttemptNumber::new(taken);
            let sent = rig.send(subtask(0, 0), SlotMail::Cancel { attempt });
            if clock.timeout(Duration::from_secs(1), sent).await.is_err() {
                break;
            }
            taken += 1;
        }
        // Four answers fill the channel, one waits for it, and behind it are two times three.
        assert_eq!(taken, 11);
        for attempt in (0..taken).map(AttemptNumber::new) {
            let slot = SlotIndex::new(0);
            let answer = rig.events.recv().await;
            assert_eq!(answer, Some(SlotEvent::Cancelled { slot, attempt }));
        }
    });
}

#[test]
fn a_slot_that_nobody_holds_ends() {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let (node, graph) = (world.node("n0"), numbers(1, 1, Twist::None, &seen));
    world.block_on(async move {
        let rig = Rig::start(&[node], graph, SlotSettings::default(), None).await;
        rig.deploy_all().await;
    });
    world.settle();
    assert_eq!(world.running(), 0, "slot and data port are gone");
}
