//! Named random streams.
//!
//! Invariant: a stream is fixed by its node and its name, not by who asked before.

use std::sync::Arc;

use sameriver_runtime::World;

use super::Nodes;

fn draws(world: &World, stream: &str) -> [u64; 4] {
    let mut stream = world.random(stream);
    std::array::from_fn(|_| stream.next_u64())
}

/// Equal names give equal numbers within a node, through any handle.
pub async fn a_random_stream_starts_anew_at_each_call(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let first = draws(&world, "jitter");
    draws(&world, "other");
    assert_eq!(first, draws(&world, "jitter"));
    assert_eq!(first, draws(&world.clone(), "jitter"));
}

/// Other names give other numbers.
pub async fn random_streams_differ_between_names(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    assert_ne!(draws(&world, "jitter"), draws(&world, "order"));
}

/// Two nodes do not draw the same jitter.
pub async fn random_streams_differ_between_nodes(nodes: Arc<dyn Nodes>) {
    let (a, b) = (nodes.world("a"), nodes.world("b"));
    assert_ne!(draws(&a, "jitter"), draws(&b, "jitter"));
}
