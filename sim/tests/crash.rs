//! A crash, a pause and a restart: what is left of a node, and what its peers are told.
//!
//! Invariant: each promise is held under many seeds.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sameriver_connectors::{STDOUT, TextOut};
use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{ByteStream, Lane, World};
use sameriver_sim::{Finding, Generation, Limits, SimWorld, run_seed};

const HOUR: Duration = Duration::from_secs(3_500);

fn holds<F>(scenario: impl Fn(SimWorld) -> F + Copy + Send + 'static)
where
    F: Future<Output = Result<(), Finding>> + Send + 'static,
{
    for seed in 0..30 {
        let outcome = run_seed(seed, &Limits::default(), scenario);
        assert_eq!(outcome.verdict, Ok(()), "seed {seed}");
    }
}

async fn connected(near: &World, far: &World) -> (Box<dyn ByteStream>, Box<dyn ByteStream>) {
    let mut listener = far.listen(&far.any_port()).await.unwrap();
    let stream = near.connect(&listener.address()).await.unwrap();
    (stream, listener.accept().await.unwrap())
}

/// Counts when it is dropped.
struct Bell(Arc<AtomicU32>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_destructor_of_a_crashed_node_runs_before_the_end_of_the_run() {
    let rung = Arc::new(AtomicU32::new(0));
    let bell = Arc::clone(&rung);
    let outcome = run_seed(3, &Limits::default(), move |sim| async move {
        let (world, inside) = (sim.node("worker"), Bell(Arc::clone(&bell)));
        let hold = async move {
            let _inside = inside;
            std::future::pending::<()>().await;
        };
        world.spawn(Lane::Control, "holder", hold).detach();
        sim.supervisor().sleep(Duration::from_secs(1)).await;
        sim.crash("worker");
        sim.supervisor().sleep(Duration::from_secs(1)).await;
        Ok(bell.load(Ordering::Relaxed))
    });
    assert_eq!(outcome.verdict, Ok(0));
    assert_eq!(rung.load(Ordering::Relaxed), 1, "nothing is leaked");
}

#[test]
fn a_task_that_crashes_its_own_node_goes_no_further_than_its_next_wait() {
    holds(|sim| async move {
        let (world, inside) = (sim.node("worker"), sim.clone());
        let reached = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&reached);
        let task = world.clone().spawn(Lane::Control, "faller", async move {
            inside.crash("worker");
            let out = world.service::<dyn TextOut>(STDOUT).unwrap();
            out.write("from the grave".into()).await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let joined = sim.supervisor().timeout(HOUR, task.join()).await;
        assert!(joined.is_err(), "a dead task is never joined");
        assert_eq!(reached.load(Ordering::Relaxed), 0);
        assert!(sim.ledger().effects().is_empty());
        Ok(())
    });
}

#[test]
fn the_world_of_an_earlier_life_answers_nothing() {
    holds(|sim| async move {
        let before = sim.node("worker");
        let after = sim.restart("worker");
        let supervisor = sim.supervisor();
        let ran = Arc::new(AtomicU32::new(0));
        let count = |ran: &Arc<AtomicU32>| {
            let ran = Arc::clone(ran);
            async move {
                ran.fetch_add(1, Ordering::Relaxed);
            }
        };
        before.spawn(Lane::Control, "ghost", count(&ran)).detach();
        after.spawn(Lane::Control, "alive", count(&ran)).detach();
        let slept = supervisor.timeout(HOUR, before.sleep(Duration::ZERO)).await;
        assert!(slept.is_err());
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        assert_eq!(sim.generation("worker").get(), Generation::FIRST.get() + 1);
        Ok(())
    });
}

#[test]
fn a_crashed_peer_is_silent_while_it_is_down() {
    holds(|sim| async move {
        let (near, far) = (sim.node("near"), sim.node("far"));
        let (mut stream, kept) = connected(&near, &far).await;
        sim.crash("far");
        drop(kept);
        let read = near.timeout(HOUR / 2, stream.read(&mut [0; 8])).await;
        assert!(read.is_err(), "neither an end nor a reset: {read:?}");
        Ok(())
    });
}

#[test]
fn a_restarted_peer_resets_the_connections_of_its_earlier_life_when_written_to() {
    holds(|sim| async move {
        let (near, far) = (sim.node("near"), sim.node("far"));
        let (mut stream, _kept) = connected(&near, &far).await;
        sim.restart("far");
        let silent = near.timeout(HOUR / 4, stream.read(&mut [0; 8])).await;
        assert!(silent.is_err(), "who sends nothing learns nothing");
        stream.write_all(b"still there?").await.unwrap();
        let reset = stream.read(&mut [0; 8]).await.err().unwrap();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn of_what_a_crashed_writer_sent_some_first_part_arrives() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let outcome = run_seed(seed, &Limits::default(), |sim| async move {
            let (near, far) = (sim.node("near"), sim.node("far"));
            let (mut stream, mut accepted) = connected(&near, &far).await;
            let sent: Vec<u8> = (0..3_000_u32).map(|at| (at % 251) as u8).collect();
            stream.write_all(&sent).await.unwrap();
            sim.crash("near");
            let mut got = Vec::new();
            let end = far.timeout(HOUR, accepted.read_to_end(&mut got)).await;
            assert!(end.is_err(), "a crash sends no end");
            assert_eq!(got, sent[..got.len()]);
            Ok(got.len())
        });
        lengths.insert(outcome.verdict.unwrap());
    }
    assert!(lengths.len() > 20, "cut at few places: {lengths:?}");
}

#[test]
fn a_listener_of_an_earlier_life_holds_no_port() {
    holds(|sim| async move {
        let before = sim.node("far");
        let listener = before.listen(&before.any_port()).await.unwrap();
        let at = listener.address();
        let after = sim.restart("far");
        let refused = sim.node("near").connect(&at).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let again = after.listen(&at).await;
        assert!(again.is_ok());
        drop(listener);
        let second = after.listen(&at).await.err().unwrap();
        assert_eq!(
            second.kind(),
            ErrorKind::AddrInUse,
            "a stale drop frees nothing"
        );
        Ok(())
    });
}

#[test]
fn a_sleep_that_ends_during_a_pause_fires_once_and_afterwards() {
    holds(|sim| async move {
        let (world, supervisor) = (sim.node("worker"), sim.supervisor());
        let fired = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&fired);
        let sleeper = async move {
            world.sleep(Duration::from_secs(5)).await;
            counted.fetch_add(1, Ordering::Relaxed);
        };
        let worker = sim.node("worker");
        worker.spawn(Lane::Control, "sleeper", sleeper).detach();
        supervisor.sleep(Duration::from_secs(1)).await;
        sim.pause("worker");
        supervisor.sleep(Duration::from_mins(1)).await;
        assert_eq!(fired.load(Ordering::Relaxed), 0);
        sim.resume("worker");
        supervisor.sleep(Duration::from_millis(1)).await;
        assert_eq!(fired.load(Ordering::Relaxed), 1);
        supervisor.sleep(Duration::from_mins(1)).await;
        assert_eq!(fired.load(Ordering::Relaxed), 1);
        Ok(())
    });
}

#[test]
fn an_effect_that_was_asked_for_before_a_crash_happens_once_or_never() {
    let mut counts = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let outcome = run_seed(seed, &Limits::default(), |sim| async move {
            let (world, supervisor) = (sim.node("worker"), sim.supervisor());
            let out = world.service::<dyn TextOut>(STDOUT).unwrap();
            let write = async move { out.write("paid".into()).await.unwrap() };
            world.spawn(Lane::Control, "writer", write).detach();
            let nanos = sim.random("crash").between(1_000, 500_000);
            supervisor.sleep(Duration::from_nanos(nanos)).await;
            sim.crash("worker");
            supervisor.sleep(Duration::from_secs(10)).await;
            Ok(sim.ledger().effects().len())
        });
        counts.insert(outcome.verdict.unwrap());
    }
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn blocking_work_of_a_crashed_node_hands_over_no_result() {
    holds(|sim| async move {
        let world = sim.node("worker");
        let (done, got) = sameriver_runtime::sync::oneshot::channel();
        let work = async move {
            let result = world.blocking("sum", || 1 + 1).await;
            let _ = done.send(result);
        };
        let worker = sim.node("worker");
        worker.spawn(Lane::Control, "caller", work).detach();
        sim.supervisor().sleep(Duration::from_nanos(1_500)).await;
        sim.crash("worker");
        assert!(sim.supervisor().timeout(HOUR, got).await.is_err());
        Ok(())
    });
}
