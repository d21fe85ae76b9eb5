//! How tasks and blocking work end.
//!
//! Invariant: every case holds for both lanes.

use std::sync::Arc;

use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{Lane, Panicked, TaskGroup};

use super::{Nodes, at_once};

const LANES: [Lane; 2] = [Lane::Data, Lane::Control];

/// Joining waits for the task's last effect.
pub async fn a_task_is_joined_when_it_has_ended(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    for lane in LANES {
        let (tx, mut rx) = mpsc::channel(1);
        let (gate, opened) = oneshot::channel::<()>();
        let task = world.spawn(lane, "worker", async move {
            opened.await.expect("the gate is opened");
            tx.send("done").await.expect("the receiver is there");
        });
        assert_eq!(
            rx.try_recv().ok(),
            None,
            "nothing happens before the gate opens"
        );
        gate.send(()).expect("the task waits");
        assert_eq!(task.join().await, Ok(()));
        assert_eq!(rx.try_recv(), Ok("done"));
    }
}

/// A panic is an error of its own task, with name and message.
pub async fn a_panicking_task_is_joined_as_panicked_and_the_others_go_on(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    for lane in LANES {
        let (gate, opened) = oneshot::channel::<()>();
        let good = world.spawn(lane, "good", async move {
            opened.await.expect("the gate is opened");
        });
        let bad = world.spawn(lane, "bad", async { panic!("on purpose") });
        let expected = Panicked {
            task: "bad".to_owned(),
            message: "on purpose".to_owned(),
        };
        assert_eq!(bad.join().await, Err(expected));
        gate.send(()).expect("the other task still waits");
        assert_eq!(good.join().await, Ok(()));
    }
}

/// A task belongs to the world, not to its handle.
pub async fn a_dropped_handle_lets_the_task_go_on(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    for lane in LANES {
        let (gate, opened) = oneshot::channel::<()>();
        let (tx, done) = oneshot::channel();
        let task = world.spawn(lane, "alone", async move {
            opened.await.expect("the gate is opened");
            tx.send(7).expect("the case waits");
        });
        drop(task);
        gate.send(()).expect("the task waits");
        assert_eq!(done.await, Ok(7));
    }
}

/// Whoever waits for a group sees the last effect of all its tasks, also of those that panic.
pub async fn a_group_has_ended_when_its_last_task_has(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let tasks = TaskGroup::new();
    tasks.ended().await;
    for lane in LANES {
        let (gate, opened) = oneshot::channel::<()>();
        let (tx, mut rx) = mpsc::channel(2);
        let group = tasks.of(&world);
        let waits = async move {
            opened.await.expect("the gate is opened");
            tx.send("done").await.expect("the receiver is there");
        };
        group.spawn(lane, "waits", waits).detach();
        let bad = group.spawn(lane, "bad", async { panic!("on purpose") });
        assert!(bad.join().await.is_err());
        assert_eq!(at_once(tasks.ended()).await, None, "one task still waits");
        gate.send(()).expect("the task waits");
        tasks.ended().await;
        assert_eq!(rx.try_recv(), Ok("done"));
    }
}

/// Blocking work hands its result over.
pub async fn blocking_work_gives_its_result(nodes: Arc<dyn Nodes>) {
    let sum = nodes
        .world("a")
        .blocking("sum", || (1..=10).sum::<u32>())
        .await;
    assert_eq!(sum, Ok(55));
}

/// A panic in blocking work reaches whoever waits for it.
pub async fn blocking_work_that_panics_is_an_error(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let failed = world
        .blocking("divide", || panic!("no {}", "divisor"))
        .await;
    let expected: Result<(), _> = Err(Panicked {
        task: "divide".to_owned(),
        message: "no divisor".to_owned(),
    });
    assert_eq!(failed, expected);
    assert_eq!(world.blocking("again", || 1).await, Ok(1));
}

/// Blocking work cannot be called back.
pub async fn blocking_work_goes_on_when_its_caller_is_gone(nodes: Arc<dyn Nodes>) {
    let (tx, done) = oneshot::channel();
    let work = async move {
        let world = nodes.world("a");
        let work = move || tx.send("done").expect("the case waits");
        world.blocking("left alone", work).await
    };
    at_once(work).await;
    assert_eq!(done.await, Ok("done"));
}

/// Paying for work takes time at most.
pub async fn a_settled_charge_lets_the_task_go_on(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    for records in [0, 1, 256] {
        world.charge(records).settle().await;
    }
}
