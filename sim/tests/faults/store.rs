//! What the blob store does, and what may go wrong with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::{BlobError, BlobStore, Created, Lane};
use sameriver_sim::{
    BlobOutcome, BlobRequest, FaultFamily, Limits, Parameters, SimWorld, Target, run_seed,
};

use crate::rig::{begin, holds, now, took};

const URL: &str = "blob://checkpoints";

fn store(sim: &SimWorld, node: &str) -> Arc<dyn BlobStore> {
    sim.node(node).service::<dyn BlobStore>(URL).unwrap()
}

fn parts(text: &'static str) -> Vec<Bytes> {
    vec![Bytes::from_static(text.as_bytes())]
}

fn always() -> Parameters {
    Parameters {
        per_mille: 1_000,
        ..Parameters::default()
    }
}

#[test]
fn of_two_creates_of_one_path_exactly_one_wins_and_its_bytes_stay() {
    holds(|sim| async move {
        let (a, b) = (store(&sim, "a"), store(&sim, "b"));
        let first = a.create("log/1", parts("a"));
        let second = b.create("log/1", parts("b"));
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert_ne!(first, second);
        let winner = if first == Created::Created { "a" } else { "b" };
        assert_eq!(a.read("log/1").await.unwrap(), winner);
        assert_eq!(sim.blobs(URL).object("log/1").unwrap(), winner);
        Ok(())
    });
}

#[test]
fn nobody_sees_an_upload_before_it_is_finished() {
    holds(|sim| async move {
        let (a, b) = (store(&sim, "a"), store(&sim, "b"));
        let mut upload = a.upload("snap/1").await.unwrap();
        upload.write(Bytes::from_static(b"one ")).await.unwrap();
        upload.write(Bytes::from_static(b"two")).await.unwrap();
        assert!(matches!(
            b.read("snap/1").await,
            Err(BlobError::NotFound { .. })
        ));
        assert_eq!(b.list("").await.unwrap(), []);
        assert_eq!(upload.finish().await.unwrap(), Created::Created);
        assert_eq!(b.read_range("snap/1", 4, 99).await.unwrap(), "two");
        assert_eq!(b.list("sn").await.unwrap().len(), 1);
        b.remove("snap/1").await.unwrap();
        assert!(sim.blobs(URL).objects().is_empty());
        Ok(())
    });
}

#[test]
fn an_upload_that_lost_a_part_makes_no_object() {
    holds(|sim| async move {
        let a = store(&sim, "a");
        let mut upload = a.upload("snap/1").await.unwrap();
        let burst = now(FaultFamily::BlobErrorBurst, Target::Store, always());
        let nemesis = begin(&sim, burst).await;
        drop(upload.write(Bytes::from_static(b"lost")));
        nemesis.heal();
        upload.write(Bytes::from_static(b"kept")).await.unwrap();
        assert!(upload.finish().await.is_err());
        assert!(sim.blobs(URL).objects().is_empty());
        Ok(())
    });
}

#[test]
fn a_path_with_an_empty_part_is_refused() {
    holds(|sim| async move {
        for path in ["", "a//b", "../a", "a/."] {
            let created = store(&sim, "a").create(path, parts("x")).await;
            assert!(matches!(created, Err(BlobError::Refused { .. })), "{path}");
        }
        Ok(())
    });
}

#[test]
fn a_burst_of_errors_carries_nothing_out() {
    holds(|sim| async move {
        let a = store(&sim, "a");
        let burst = now(FaultFamily::BlobErrorBurst, Target::Store, always());
        let nemesis = begin(&sim, burst).await;
        let failed = a.create("log/1", parts("x")).await;
        assert!(matches!(failed, Err(BlobError::Unavailable { .. })));
        assert!(sim.blobs(URL).objects().is_empty());
        nemesis.heal();
        let again = a.create("log/1", parts("x")).await;
        assert_eq!(again, Ok(Created::Created));
        assert_eq!(sim.effects().count(FaultFamily::BlobErrorBurst), 1);
        Ok(())
    });
}

#[test]
fn a_create_without_an_answer_was_carried_out_all_the_same() {
    holds(|sim| async move {
        let a = store(&sim, "a");
        let silent = now(FaultFamily::BlobUnanswered, Target::Store, always());
        let nemesis = begin(&sim, silent).await;
        let silent = a.create("log/1", parts("x")).await;
        assert!(matches!(silent, Err(BlobError::Unavailable { .. })));
        nemesis.heal();
        assert_eq!(a.create("log/1", parts("x")).await, Ok(Created::Exists));
        let history = sim.blobs(URL).history();
        let answered: Vec<bool> = history.iter().map(|event| event.answered).collect();
        assert_eq!(answered, [false, true]);
        assert_eq!(sim.effects().count(FaultFamily::BlobUnanswered), 1);
        Ok(())
    });
}

#[test]
fn a_silent_store_answers_nobody_and_carries_nothing_out() {
    holds(|sim| async move {
        let a = store(&sim, "a");
        let silent = now(FaultFamily::BlobSilent, Target::Store, always());
        let nemesis = begin(&sim, silent).await;
        let created = a.create("log/1", parts("x"));
        nemesis.heal();
        let supervisor = sim.supervisor();
        let waited = supervisor.timeout(Duration::from_mins(10), created);
        assert!(
            waited.await.is_err(),
            "what was asked then is never answered"
        );
        assert!(sim.blobs(URL).objects().is_empty());
        assert_eq!(a.create("log/1", parts("x")).await, Ok(Created::Created));
        assert_eq!(sim.effects().count(FaultFamily::BlobSilent), 1);
        Ok(())
    });
}

#[test]
fn a_full_store_refuses_bytes_and_hands_out_what_it_has() {
    holds(|sim| async move {
        let a = store(&sim, "a");
        a.create("log/1", parts("x")).await.unwrap();
        let full = now(FaultFamily::BlobFull, Target::Store, always());
        let nemesis = begin(&sim, full).await;
        let refused = a.create("log/2", parts("x")).await;
        assert!(matches!(refused, Err(BlobError::Refused { .. })));
        assert_eq!(a.read("log/1").await.unwrap(), "x");
        nemesis.heal();
        assert_eq!(a.create("log/2", parts("x")).await, Ok(Created::Created));
        assert_eq!(sim.effects().count(FaultFamily::BlobFull), 1);
        Ok(())
    });
}

#[test]
fn a_late_store_takes_longer() {
    holds(|sim| async move {
        let a = store(&sim, "a");
        let late = Parameters {
            delay_nanos: 700_000_000,
            ..Parameters::default()
        };
        let _nemesis = begin(&sim, now(FaultFamily::BlobLatency, Target::Store, late)).await;
        let list = took(&sim, async { assert_eq!(a.list("").await, Ok(Vec::new())) });
        assert!(list.await >= Duration::from_millis(700));
        assert_eq!(sim.effects().count(FaultFamily::BlobLatency), 1);
        Ok(())
    });
}

#[test]
fn a_request_of_a_node_that_crashed_is_carried_out_or_not() {
    let scenario = |sim: SimWorld| async move {
        drop(store(&sim, "a").create("log/1", parts("x")));
        sim.crash("a");
        sim.supervisor().sleep(Duration::from_secs(1)).await;
        Ok(sim.blobs(URL).objects().len())
    };
    let counts: BTreeSet<usize> = (0..40)
        .map(|seed| {
            run_seed(seed, &Limits::default(), scenario)
                .verdict
                .unwrap()
        })
        .collect();
    assert_eq!(counts, BTreeSet::from([0, 1]));
}

#[test]
fn a_request_whose_future_was_dropped_is_carried_out() {
    holds(|sim| async move {
        drop(store(&sim, "a").create("log/1", parts("x")));
        sim.supervisor().sleep(Duration::from_secs(1)).await;
        assert_eq!(sim.blobs(URL).objects().len(), 1);
        Ok(())
    });
}

#[test]
fn the_history_says_who_asked_for_what_and_what_came_of_it() {
    holds(|sim| async move {
        drop(sim.node("a"));
        let world = sim.restart("a");
        let task = world.clone().spawn(Lane::Control, "asks", async move {
            let store = world.service::<dyn BlobStore>(URL).unwrap();
            assert_eq!(
                store.create("log/1", parts("abc")).await,
                Ok(Created::Created)
            );
            assert!(store.read("log/2").await.is_err());
        });
        task.join().await.unwrap();
        let history = sim.blobs(URL).history();
        let said: Vec<_> = history
            .iter()
            .map(|e| (e.request, &e.path[..], e.outcome))
            .collect();
        let created = (BlobRequest::Create, "log/1", BlobOutcome::Created);
        assert_eq!(
            said,
            [created, (BlobRequest::Read, "log/2", BlobOutcome::NotFound)]
        );
        assert_eq!((&*history[0].node, history[0].generation.get()), ("a", 1));
        assert_eq!(history[0].body.len(), 3);
        Ok(())
    });
}
