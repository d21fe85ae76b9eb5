//! Wakes between tasks and lanes.
//!
//! Invariant: one wake is remembered, and only one.

use std::sync::Arc;

use sameriver_runtime::{Lane, Wake};

use super::{Nodes, at_once};

/// A wake that nobody waits for is kept for the next wait.
pub async fn a_wake_before_the_wait_is_not_lost(_nodes: Arc<dyn Nodes>) {
    let wake = Wake::new();
    wake.wake();
    wake.wait().await;
}

/// Several wakes without a wait between are one.
pub async fn wakes_before_a_wait_count_once(_nodes: Arc<dyn Nodes>) {
    let wake = Wake::new();
    wake.wake();
    wake.wake();
    wake.wait().await;
    assert_eq!(at_once(wake.wait()).await, None);
}

/// A wake crosses lanes.
pub async fn a_wake_ends_the_wait_of_another_task(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let (ping, pong) = (Wake::new(), Wake::new());
    let (heard, answer) = (ping.clone(), pong.clone());
    let slot = world.spawn(Lane::Data, "slot", async move {
        heard.wait().await;
        answer.wake();
    });
    ping.wake();
    pong.wait().await;
    assert_eq!(slot.join().await, Ok(()));
}
