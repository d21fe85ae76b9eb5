//! What may happen to a node: power cuts from outside and from inside, lost disks, standstill.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sameriver_model::CheckpointId;
use sameriver_model::probe::{Probe, crash_point, observe};
use sameriver_runtime::io::AsyncReadExt as _;
use sameriver_runtime::{Lane, World};
use sameriver_sim::{
    Episode, FaultFamily, Generation, Limits, Parameters, Seen, SimWorld, Target, Trigger, run_seed,
};

use crate::rig::{SECOND, begin, connected, holds, node, now};

const PLACE: &str = "test.step";

fn at_pass(ordinal: u64) -> Episode {
    let at = Trigger::Pass {
        node: "worker".to_owned(),
        place: PLACE.to_owned(),
        ordinal,
    };
    Episode::new(at, FaultFamily::CrashPoint, node("worker")).lasting(SECOND)
}

/// Counts how often a node has come so far.
fn counter() -> (Arc<AtomicU32>, Arc<AtomicU32>) {
    let count = Arc::<AtomicU32>::default();
    (Arc::clone(&count), count)
}

fn spawn(world: &World, task: impl Future<Output = ()> + Send + 'static) {
    world.spawn(Lane::Control, "task", task).detach();
}

#[test]
fn a_crashed_node_boots_again_when_the_fault_is_over() {
    holds(|sim| async move {
        let (booted, count) = counter();
        sim.boot("worker", move |_| {
            booted.fetch_add(1, Ordering::Relaxed);
        });
        let _nemesis = begin(
            &sim,
            now(FaultFamily::Crash, node("worker"), Parameters::default()),
        )
        .await;
        assert!(!sim.is_up("worker"));
        sim.supervisor().sleep(3 * SECOND).await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
        assert_eq!(sim.generation("worker").get(), 1);
        assert_eq!(sim.effects().count(FaultFamily::Crash), 1);
        Ok(())
    });
}

#[test]
fn a_lost_disk_comes_back_with_nothing_but_what_was_put_in() {
    holds(|sim| async move {
        sim.files("worker").preload("in/words", "given");
        let world = sim.node("worker");
        world.disk().create("made".as_ref()).await.unwrap();
        world.disk().sync_directory("".as_ref()).await.unwrap();
        let wiped = now(
            FaultFamily::RestartWiped,
            node("worker"),
            Parameters::default(),
        );
        begin(&sim, wiped).await.heal();
        let left = sim.files("worker").all();
        assert_eq!(left.into_keys().collect::<Vec<_>>(), ["in/words"]);
        assert_eq!(sim.effects().count(FaultFamily::RestartWiped), 1);
        Ok(())
    });
}

#[test]
fn a_paused_node_wakes_its_sleepers_late() {
    for family in [FaultFamily::Pause, FaultFamily::Zombie] {
        holds(move |sim| async move {
            let (inside, at) = (sim.clone(), Arc::new(std::sync::Mutex::new(None)));
            let (slot, world) = (Arc::clone(&at), sim.node("worker"));
            let sleeper = world.clone();
            spawn(&world, async move {
                sleeper.sleep(Duration::from_millis(5)).await;
                *slot.lock().unwrap() = Some(inside.now());
            });
            let _nemesis = begin(&sim, now(family, node("worker"), Parameters::default())).await;
            sim.supervisor().sleep(3 * SECOND).await;
            let woken = at.lock().unwrap().unwrap();
            assert!(woken.elapsed() >= 2 * SECOND, "{woken}");
            assert_eq!(sim.effects().count(family), 1);
            Ok(())
        });
    }
}

#[test]
fn a_crash_point_ends_the_life_at_its_pass_and_nothing_behind_it_happens() {
    holds(|sim| async move {
        let (behind, count) = counter();
        sim.boot("worker", move |world| {
            let behind = Arc::clone(&behind);
            spawn(&world.clone(), async move {
                for _ in 0..3 {
                    world.sleep(Duration::from_millis(1)).await;
                    crash_point(PLACE);
                    behind.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        let _nemesis = begin(&sim, at_pass(2)).await;
        sim.supervisor().sleep(Duration::from_millis(100)).await;
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(!sim.is_up("worker"));
        sim.supervisor().sleep(3 * SECOND).await;
        // The passes of all lives are counted: the second life meets no episode.
        assert_eq!(count.load(Ordering::Relaxed), 4);
        assert_eq!(sim.crash_points(), [("worker".to_owned(), PLACE, 5)]);
        assert_eq!(sim.effects().count(FaultFamily::CrashPoint), 1);
        Ok(())
    });
}

/// A crash that is armed at two places, the second one a second after the first.
fn armed(places: [&str; 2]) -> Episode {
    let at = Trigger::Armed {
        from_nanos: 2_000_000_000,
        patience_nanos: 1_000_000_000,
        places: places.map(str::to_owned).to_vec(),
        ordinal: 2,
    };
    Episode::new(at, FaultFamily::CrashPoint, Target::Passer).lasting(SECOND)
}

#[test]
fn an_armed_crash_hits_who_passes_and_falls_back_to_a_place_by_which_somebody_comes() {
    holds(|sim| async move {
        for name in ["first", "second"] {
            sim.boot(name, move |world| {
                spawn(&world.clone(), async move {
                    if name == "first" {
                        return;
                    }
                    loop {
                        world.sleep(Duration::from_millis(100)).await;
                        crash_point(PLACE);
                    }
                });
            });
        }
        let _nemesis = begin(&sim, armed(["test.nobody", PLACE])).await;
        sim.supervisor().sleep(Duration::from_millis(2_950)).await;
        assert!(sim.is_up("second"), "the place is not armed yet");
        sim.supervisor().sleep(Duration::from_millis(350)).await;
        assert!(sim.is_up("first") && !sim.is_up("second"));
        assert_eq!(sim.crashed_at().into_iter().collect::<Vec<_>>(), [PLACE]);
        sim.supervisor().sleep(SECOND).await;
        assert_eq!(sim.effects().count(FaultFamily::CrashPoint), 1);
        Ok(())
    });
}

#[test]
fn a_crash_point_in_blocking_work_takes_its_caller_along() {
    holds(|sim| async move {
        let (behind, count) = counter();
        let world = sim.node("worker");
        let _nemesis = begin(&sim, at_pass(1)).await;
        spawn(&world.clone(), async move {
            let _ = world.blocking("work", || crash_point(PLACE)).await;
            behind.fetch_add(1, Ordering::Relaxed);
        });
        sim.supervisor().sleep(3 * SECOND).await;
        assert_eq!(count.load(Ordering::Relaxed), 0);
        assert_eq!(sim.effects().count(FaultFamily::CrashPoint), 1);
        Ok(())
    });
}

#[test]
fn destructors_of_a_life_that_a_crash_point_unwinds_tell_nobody() {
    holds(|sim| async move {
        let (near, mut far) = connected(&sim.node("worker"), &sim.node("peer")).await;
        let _nemesis = begin(&sim, at_pass(1)).await;
        spawn(&sim.node("worker"), async move {
            let _near = near;
            crash_point(PLACE);
        });
        let supervisor = sim.supervisor();
        let mut byte = [0];
        let heard = supervisor.timeout(20 * SECOND, far.read(&mut byte));
        assert!(heard.await.is_err(), "neither FIN nor RST passes");
        Ok(())
    });
}

async fn speaks(sim: &SimWorld, of: u64) {
    let world = sim.node("worker");
    let task = world.spawn(Lane::Control, "speaker", async move {
        observe(&Probe::LogAppended {
            sequence: of,
            epoch: 1,
            latest: Some(CheckpointId::new(of)),
        });
    });
    let _ = task.join().await;
}

#[test]
fn what_the_engine_says_is_written_down_with_its_node_and_life() {
    holds(|sim| async move {
        speaks(&sim, 7).await;
        sim.restart("worker");
        speaks(&sim, 8).await;
        let heard = sim.ledger().probes().all();
        let lives: Vec<u64> = heard.iter().map(|entry| entry.generation.get()).collect();
        assert_eq!(lives, [Generation::FIRST.get(), 1]);
        assert!(heard.iter().all(|entry| &*entry.node == "worker"));
        assert!(heard[0].at < heard[1].at);
        let Seen::LogAppended { sequence, .. } = heard[0].seen else {
            panic!("heard {:?}", heard[0].seen);
        };
        assert_eq!(sequence, 7);
        Ok(())
    });
}

#[test]
fn nobody_hears_what_a_dead_life_says() {
    holds(|sim| async move {
        let inside = sim.clone();
        spawn(&sim.node("worker"), async move {
            inside.crash("worker");
            observe(&Probe::Reached { place: "the grave" });
        });
        sim.supervisor().sleep(SECOND).await;
        assert_eq!(sim.ledger().probes().count(), 0);
        Ok(())
    });
}

#[test]
fn what_the_engine_says_moves_the_trace() {
    let hash = |of| {
        let scenario = move |sim: SimWorld| async move {
            speaks(&sim, of).await;
            Ok(())
        };
        run_seed(3, &Limits::default(), scenario).trace_hash
    };
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
}
