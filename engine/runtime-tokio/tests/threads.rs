//! What only the real world promises: which threads do what, and when they end.
//!
//! Invariant: no test waits for a length of time; each waits for an event that must come.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Lane, World};
use sameriver_runtime_tokio::TokioWorld;

fn start() -> TokioWorld {
    TokioWorld::builder()
        .build()
        .expect("the process may start threads")
}

/// The name of the thread on which a task of this lane runs.
async fn thread_name(world: &World, lane: Lane, task: &str) -> Option<String> {
    let (tx, rx) = oneshot::channel();
    let task = world.spawn(lane, task, async move {
        let name = thread::current().name().map(str::to_owned);
        tx.send(name).expect("the test waits");
    });
    task.join().await.expect("asking for a name does not panic");
    rx.await.expect("the name was sent")
}

#[test]
fn a_data_thread_bears_the_name_of_its_task() {
    let tokio = start();
    let name = tokio.block_on(thread_name(&tokio.world(), Lane::Data, "tm0-slot-3"));
    assert_eq!(name.as_deref(), Some("tm0-slot-3"));
}

#[test]
fn the_name_of_a_task_may_hold_a_zero_byte() {
    let tokio = start();
    let name = tokio.block_on(thread_name(&tokio.world(), Lane::Data, "a\0b"));
    assert_eq!(name.as_deref(), Some("a?b"));
}

#[test]
fn control_tasks_share_the_control_threads() {
    let tokio = start();
    let name = tokio.block_on(thread_name(&tokio.world(), Lane::Control, "heartbeat"));
    assert_eq!(name.as_deref(), Some("sameriver-control"));
}

#[test]
fn a_data_task_that_blocks_its_thread_stalls_no_other() {
    let tokio = start();
    let world = tokio.world();
    let (to_blocked, from_others) = mpsc::channel();
    let blocked = world.spawn(Lane::Data, "blocked", async move {
        let mut heard: Vec<&str> = from_others.iter().collect();
        heard.sort_unstable();
        assert_eq!(heard, ["beat", "control", "slot"]);
    });
    let beat = world.clone();
    let (one, two, three) = (to_blocked.clone(), to_blocked.clone(), to_blocked);
    tokio.block_on(async {
        let slot = world.spawn(Lane::Data, "slot", async move { one.send("slot").unwrap() });
        let control = world.spawn(Lane::Control, "control", async move {
            two.send("control").unwrap();
        });
        let timer = world.spawn(Lane::Control, "beat", async move {
            beat.sleep(Duration::from_millis(1)).await;
            three.send("beat").unwrap();
        });
        for task in [slot, control, timer, blocked] {
            assert_eq!(task.join().await, Ok(()));
        }
    });
}

#[test]
fn the_last_handle_may_be_dropped_inside_a_users_async_code() {
    let user = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    user.block_on(async {
        let tokio = start();
        let world = tokio.world();
        drop(tokio);
        world.sleep(Duration::from_millis(1)).await;
        drop(world);
    });
}

#[test]
fn the_last_handle_may_be_dropped_by_a_task_of_its_own() {
    let tokio = start();
    let world = tokio.world();
    let (dropped, ended) = mpsc::channel();
    let (gate, opened) = oneshot::channel();
    let own = world.clone();
    world
        .spawn(Lane::Control, "last", async move {
            opened.await.expect("the gate is opened");
            drop(own);
            dropped.send(()).expect("the test waits");
        })
        .detach();
    drop((tokio, world));
    gate.send(()).expect("the task waits");
    assert_eq!(ended.recv(), Ok(()));
}

#[test]
fn what_is_awaited_outlives_the_handles() {
    let tokio = start();
    let world = tokio.world();
    let sleep = world.sleep(Duration::from_millis(1));
    let task = world.spawn(Lane::Control, "outlives", sleep);
    let list = world.disk().list(".".as_ref());
    drop((tokio, world));
    let user = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(user.block_on(task.join()), Ok(()));
    assert!(
        user.block_on(list)
            .unwrap()
            .contains(&"Cargo.toml".to_owned())
    );
}

#[test]
fn a_fixed_seed_fixes_the_random_streams_of_every_node() {
    let draw = |seed, node: &str| {
        let builder = TokioWorld::builder();
        let tokio = match seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        };
        tokio
            .build()
            .unwrap()
            .node(node)
            .random("jitter")
            .next_u64()
    };
    assert_eq!(draw(Some(7), "tm0"), draw(Some(7), "tm0"));
    assert_ne!(draw(Some(7), "tm0"), draw(Some(7), "tm1"));
    assert_ne!(draw(Some(7), "tm0"), draw(Some(8), "tm0"));
    assert_ne!(
        draw(None, "tm0"),
        draw(None, "tm0"),
        "left out, the seed is drawn"
    );
}

#[test]
fn a_file_that_may_only_be_read_can_be_opened() {
    let tokio = start();
    let disk = tokio.world().disk();
    let read = tokio.block_on(async {
        let file = disk.open("/proc/version".as_ref()).await?;
        file.read_at(0, 5).await
    });
    assert_eq!(read.unwrap(), "Linux");
}

#[test]
fn a_program_that_runs_can_be_read() {
    let tokio = start();
    let (disk, program) = (tokio.world().disk(), std::env::current_exe().unwrap());
    let read = tokio.block_on(async { disk.open(&program).await?.read_at(0, 4).await });
    assert_eq!(read.unwrap(), b"\x7fELF".as_slice());
}
