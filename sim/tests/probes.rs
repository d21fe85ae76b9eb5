//! Each thing that once made two runs of a seed differ, or a crash too gentle, probed again.
//!
//! Invariant: a probe fails as soon as a new version of the executor, of tokio or of our kernel
//! brings the old behaviour back. The probes of crashes and power cuts are in `crash.rs` and
//! `disk.rs`, those of stuck runs in `supervisor.rs`.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sameriver::{Environment, Settings};
use sameriver_runtime::io::AsyncReadExt as _;
use sameriver_runtime::sync::{Notify, mpsc};
use sameriver_runtime::{Address, Lane, expansion};
use sameriver_sim::{
    Batch, Finding, FindingKind, Limits, Outcome, SimJob, SimWorld, run_seed, self_check,
};

fn play<T, F>(seed: u64, scenario: impl FnOnce(SimWorld) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = Result<T, Finding>> + Send + 'static,
{
    let outcome = run_seed(seed, &Limits::default(), scenario);
    outcome
        .verdict
        .unwrap_or_else(|found| panic!("seed {seed}: {found}"))
}

/// Which branch an unbiased `select!` of two ready ones takes, many times.
async fn selects(_: SimWorld) -> Result<String, Finding> {
    let mut picks = String::new();
    for _ in 0..32 {
        picks.push(expansion::select! {
            () = std::future::ready(()) => 'a',
            () = std::future::ready(()) => 'b',
        });
    }
    Ok(picks)
}

/// The order in which tasks that await one event go on.
async fn wakes(sim: SimWorld) -> Result<String, Finding> {
    let world = sim.node("worker");
    let order = Arc::new(Mutex::new(String::new()));
    let event = Arc::new(Notify::new());
    let mut tasks = Vec::new();
    for name in "abcdefghijkl".chars() {
        let (order, event) = (Arc::clone(&order), Arc::clone(&event));
        let wait = async move {
            event.notified().await;
            order.lock().unwrap().push(name);
        };
        tasks.push(world.spawn(Lane::Control, "waiter", wait));
    }
    world.sleep(Duration::from_millis(1)).await;
    event.notify_waiters();
    for task in tasks {
        task.join().await.unwrap();
    }
    let order = order.lock().unwrap().clone();
    Ok(order)
}

/// The order in which watchers of one value are woken, by the tasks' own counters.
#[expect(
    clippy::disallowed_methods,
    reason = "this probe looks at what is banned elsewhere"
)]
async fn watches(sim: SimWorld) -> Result<String, Finding> {
    let world = sim.node("worker");
    let order = Arc::new(Mutex::new(String::new()));
    let (tx, rx) = tokio::sync::watch::channel(0);
    let mut tasks = Vec::new();
    for name in "abcdefghijkl".chars() {
        let (order, mut rx) = (Arc::clone(&order), rx.clone());
        let wait = async move {
            rx.changed().await.unwrap();
            order.lock().unwrap().push(name);
        };
        tasks.push(world.spawn(Lane::Control, "watcher", wait));
    }
    world.sleep(Duration::from_millis(1)).await;
    tx.send(1).unwrap();
    for task in tasks {
        task.join().await.unwrap();
    }
    let order = order.lock().unwrap().clone();
    Ok(order)
}

/// The order of a set with the default hasher.
#[expect(
    clippy::disallowed_types,
    reason = "its seeded order is what is tested"
)]
async fn hash_order(_: SimWorld) -> Result<String, Finding> {
    let set: std::collections::HashSet<char> = ('a'..='p').collect();
    Ok(set.into_iter().collect())
}

fn fixed_by_the_seed<F>(scenario: fn(SimWorld) -> F)
where
    F: Future<Output = Result<String, Finding>> + Send + 'static,
{
    let alone: Vec<String> = (0..20).map(|seed| play(seed, scenario)).collect();
    let distinct: BTreeSet<&String> = alone.iter().collect();
    assert!(
        distinct.len() > 10,
        "the seed decides nothing: {distinct:?}"
    );
    let mut batched = Vec::new();
    Batch::of((0..20).rev()).jobs(3).run(
        |seed| run_seed(seed, &Limits::default(), scenario),
        |outcome| {
            batched.push(outcome.verdict.unwrap());
            true
        },
    );
    batched.reverse();
    assert_eq!(alone, batched);
}

#[test]
fn a_biased_select_takes_the_first_ready_branch_under_every_seed() {
    for seed in 0..20 {
        let picked = play(seed, |_| async {
            Ok(sameriver_runtime::select! {
                () = std::future::ready(()) => 'a',
                () = std::future::ready(()) => 'b',
            })
        });
        assert_eq!(picked, 'a');
    }
}

#[test]
fn an_unbiased_select_is_fixed_by_the_seed() {
    fixed_by_the_seed(selects);
}

#[test]
fn the_order_of_woken_tasks_is_fixed_by_the_seed() {
    fixed_by_the_seed(wakes);
}

#[test]
fn the_order_of_watchers_is_fixed_by_the_seed() {
    fixed_by_the_seed(watches);
}

#[test]
fn the_order_of_a_hash_set_is_fixed_by_the_seed() {
    fixed_by_the_seed(hash_order);
}

#[test]
fn a_channel_of_a_hundred_thousand_messages_is_not_starved() {
    let sum = play(7, |sim| async move {
        let (tx, mut rx) = mpsc::channel(100_000);
        let world = sim.node("worker");
        let send = async move {
            for number in 0..100_000_u64 {
                tx.send(number).await.unwrap();
            }
        };
        world.spawn(Lane::Control, "sender", send).detach();
        let mut sum = 0;
        while let Some(number) = rx.recv().await {
            sum += number;
        }
        Ok(sum)
    });
    assert_eq!(sum, 4_999_950_000);
}

#[test]
fn nothing_tells_a_reader_behind_a_cut_that_its_peer_has_crashed() {
    for seed in 0..20 {
        play(seed, |sim| async move {
            let (near, far) = (sim.node("near"), sim.node("far"));
            let mut listener = far.listen(&far.any_port()).await.unwrap();
            let mut stream = near.connect(&listener.address()).await.unwrap();
            let accepted = listener.accept().await.unwrap();
            sim.cut("far", "near");
            // Closed in good order: even that end may not cross the cut.
            drop(accepted);
            let hour = Duration::from_mins(50);
            assert!(near.timeout(hour, stream.read(&mut [0; 8])).await.is_err());
            sim.heal("far", "near");
            assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
            Ok(())
        });
    }
}

#[test]
fn connecting_into_a_cut_hangs_as_long_as_the_system_tries() {
    for (from, to) in [("near", "far"), ("far", "near")] {
        let kind = play(7, move |sim| async move {
            let (near, far) = (sim.node("near"), sim.node("far"));
            let listener = far.listen(&Address::new("far:1")).await.unwrap();
            sim.cut(from, to);
            let start = near.now();
            let error = near.connect(&listener.address()).await.err().unwrap();
            assert!(near.now().since(start) > Duration::from_mins(2));
            Ok(error.kind())
        });
        assert_eq!(kind, ErrorKind::TimedOut);
    }
}

#[test]
fn connecting_to_a_crashed_node_hangs_until_it_is_up() {
    let waited = play(7, |sim| async move {
        let near = sim.node("near");
        sim.node("far");
        sim.crash("far");
        let (at, supervisor) = (Address::new("far:1"), sim.supervisor());
        let early = supervisor
            .timeout(Duration::from_secs(20), near.connect(&at))
            .await;
        assert!(early.is_err());
        let far = sim.restart("far");
        let _listener = far.listen(&at).await.unwrap();
        Ok(near.connect(&at).await.is_ok())
    });
    assert!(waited);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that it fails is what is tested")]
fn a_thread_cannot_be_started_inside() {
    let caught = play(7, |_| async {
        let start = || std::thread::spawn(|| ()).join();
        Ok(std::panic::catch_unwind(start).is_err())
    });
    assert!(caught);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that it hangs is what is tested")]
fn a_stray_task_of_tokio_is_a_liveness_finding() {
    let outcome = run_seed(7, &Limits::default(), |_| async {
        tokio::spawn(async {}).await.unwrap();
        Ok(())
    });
    let found = outcome.verdict.expect_err("tokio runs no task here");
    assert_eq!(found.kind, FindingKind::Liveness);
}

/// What makes two runs differ: how often this very place was asked before. Tests run side by side,
/// so each place counts for itself.
macro_rules! leak {
    () => {{
        static ASKED: AtomicU64 = AtomicU64::new(0);
        ASKED.fetch_add(1, Ordering::Relaxed)
    }};
}

fn caught<F>(scenario: fn(SimWorld) -> F)
where
    F: Future<Output = Result<(), Finding>> + Send + 'static,
{
    let run = |seed, limits: &Limits| -> Outcome<()> { run_seed(seed, limits, scenario) };
    let first = run(7, &Limits::default());
    let divergence = self_check(&first, &Limits::default(), run);
    let divergence = divergence.expect_err("the runs differ");
    assert!(divergence.lines.contains("one:"), "{divergence}");
}

#[test]
fn a_second_run_that_stops_earlier_is_caught() {
    caught(|sim| async move {
        for _ in 0..(100 - leak!() % 50) {
            sim.supervisor().sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    });
}

#[test]
fn a_divergence_in_bytes_alone_is_caught() {
    caught(|sim| async move {
        let file = sim
            .node("worker")
            .disk()
            .create("out".as_ref())
            .await
            .unwrap();
        let bytes = leak!().to_le_bytes().to_vec();
        file.append(bytes.into()).await.unwrap();
        Ok(())
    });
}

#[test]
fn a_divergence_in_time_alone_is_caught() {
    caught(|sim| async move {
        let nanos = 3_000_000 + leak!();
        sim.supervisor().sleep(Duration::from_nanos(nanos)).await;
        Ok(())
    });
}

#[test]
fn a_divergence_in_the_order_of_tasks_is_caught() {
    caught(|sim| async move {
        let world = sim.node("worker");
        let names = if leak!().is_multiple_of(2) {
            ["a", "b"]
        } else {
            ["b", "a"]
        };
        for name in names {
            world.spawn(Lane::Control, name, async {}).detach();
        }
        world.sleep(Duration::from_millis(1)).await;
        Ok(())
    });
}

/// Set in a process that runs one test alone.
const CHILD: &str = "SAMERIVER_TEST_ALONE";

/// Whether this process runs `test` alone; if not, a child that does is run and must pass.
#[expect(
    clippy::disallowed_methods,
    reason = "what a process has is seen in one that runs nothing else"
)]
fn is_alone(test: &str) -> Result<(), String> {
    if std::env::var_os(CHILD).is_some() {
        return Ok(());
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    Err(said)
}

/// Every order that a process could decide, in one line.
fn orders() -> String {
    let of = |seed| {
        let all = [
            play(seed, selects),
            play(seed, watches),
            play(seed, hash_order),
        ];
        all.join(" ")
    };
    format!("orders: {}", (0..5).map(of).collect::<Vec<_>>().join(" "))
}

#[test]
fn two_processes_agree_on_every_order() {
    match is_alone("two_processes_agree_on_every_order") {
        Ok(()) => eprintln!("{}", orders()),
        Err(said) => assert!(said.contains(&orders()), "{said}\nbut here {}", orders()),
    }
}

#[test]
fn a_job_runs_on_the_one_thread_of_its_seed() {
    if is_alone("a_job_runs_on_the_one_thread_of_its_seed").is_err() {
        return;
    }
    let before = threads();
    let inside = play(7, |sim| async move {
        let job = Arc::new(|env: &mut Environment| env.elements("n", [1_u64, 2]).collect("all"));
        let (settings, files) = (Settings::default(), Vec::new());
        let run = SimJob {
            job,
            settings,
            files,
        };
        run.run(&sim).await?;
        Ok(threads())
    });
    assert_eq!(inside, before + 1);
}

#[expect(
    clippy::disallowed_methods,
    reason = "it counts the threads of this process"
)]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn only_the_executor_reaches_the_crates_that_leak_the_systems_entropy() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock: toml::Table = read(lock).parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let users = |leaky: &str, versions: &str| -> BTreeSet<&str> {
        let of_version = |package: &&toml::Value| {
            package["name"].as_str() == Some(leaky)
                && package["version"].as_str().unwrap().starts_with(versions)
        };
        let version = packages
            .iter()
            .find(of_version)
            .map(|found| &found["version"]);
        let versioned = version.map(|version| format!("{leaky} {}", version.as_str().unwrap()));
        let uses = |package: &&toml::Value| {
            let needs = package.get("dependencies").and_then(toml::Value::as_array);
            needs
                .into_iter()
                .flatten()
                .any(|need| need.as_str() == Some(leaky) || need.as_str() == versioned.as_deref())
        };
        let users = packages.iter().filter(uses);
        users
            .map(|package| package["name"].as_str().unwrap())
            .collect()
    };
    assert_eq!(users("getrandom", "0.2."), BTreeSet::from(["rand_core"]));
    assert_eq!(users("rand", "0.8."), BTreeSet::from(["madsim"]));
}

#[expect(
    clippy::disallowed_methods,
    reason = "it reads a file of the repository"
)]
fn read(path: &str) -> String {
    std::fs::read_to_string(path).expect("the lock file is there")
}
