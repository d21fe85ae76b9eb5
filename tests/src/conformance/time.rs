//! Clocks, sleeps and time-outs.
//!
//! Invariant: a case says "not before" and "in this order", never "soon": machines differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sameriver_runtime::{TimedOut, select};

use super::Nodes;

const MILLI: Duration = Duration::from_millis(1);

/// Later reads never give earlier instants.
pub async fn the_monotonic_clock_never_goes_back(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let mut last = world.now();
    for _ in 0..1_000 {
        let now = world.now();
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
}

/// At least the asked time passes on the monotonic clock.
pub async fn a_sleep_never_ends_early(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    for micros in [1, 999, 1_000, 2_500] {
        let asked = Duration::from_micros(micros);
        let start = world.now();
        world.sleep(asked).await;
        let slept = world.now().since(start);
        assert!(slept >= asked, "asked for {asked:?}, slept {slept:?}");
    }
}

/// No time is a time too.
pub async fn a_sleep_of_zero_ends(nodes: Arc<dyn Nodes>) {
    nodes.world("a").sleep(Duration::ZERO).await;
}

/// A shorter sleep that began together with a longer one ends first.
pub async fn sleeps_end_in_the_order_of_their_durations(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let mut long = world.sleep(MILLI * 6);
    let mut short = world.sleep(MILLI * 2);
    let mut middle = world.sleep(MILLI * 4);
    let mut ended = Vec::new();
    while ended.len() < 3 {
        // Ties are decided in the order of the arms: only a wrong order is seen as one.
        select! {
            () = &mut short, if !ended.contains(&2) => ended.push(2),
            () = &mut middle, if !ended.contains(&4) => ended.push(4),
            () = &mut long, if !ended.contains(&6) => ended.push(6),
        }
    }
    assert_eq!(ended, [2, 4, 6]);
}

/// A sleep that nobody waits for any more is gone, and only that one.
pub async fn a_dropped_sleep_disturbs_no_other(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let start = world.now();
    let kept = world.sleep(MILLI * 2);
    drop(world.sleep(MILLI));
    drop(world.sleep(Duration::from_hours(24)));
    kept.await;
    assert!(world.now().since(start) >= MILLI * 2);
}

/// A limit that is not reached changes nothing.
pub async fn work_that_ends_in_time_gives_its_result(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let hour = Duration::from_hours(1);
    let work = async {
        world.sleep(MILLI).await;
        "done"
    };
    assert_eq!(world.timeout(hour, work).await, Ok("done"));
}

/// What took too long is dropped before the error is reported.
pub async fn a_timeout_drops_the_work(nodes: Arc<dyn Nodes>) {
    let dropped = Arc::new(AtomicBool::new(false));
    let held = TellsDrop(Arc::clone(&dropped));
    let work = async move {
        std::future::pending::<()>().await;
        drop(held);
    };
    let limit = MILLI * 2;
    let result = nodes.world("a").timeout(limit, work).await;
    assert_eq!(result, Err(TimedOut { limit }));
    assert!(dropped.load(Ordering::Acquire), "the work is dropped");
}

struct TellsDrop(Arc<AtomicBool>);

impl Drop for TellsDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
