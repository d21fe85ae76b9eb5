//! Virtual time: exact, ordered, each node with its own clock, never at a standstill.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use sameriver_runtime::Lane;
use sameriver_sim::{Limits, NodeClock, SimWorld, run_seed};

#[test]
fn timers_of_one_instant_fire_in_the_order_in_which_they_were_set() {
    let outcome = run_seed(5, &Limits::default(), |sim| async move {
        let world = sim.node("worker");
        // Set in one poll, hence at one instant, and by one task: the executor's draw of the next
        // task plays no part.
        let mut sleeps: Vec<_> = (0..50)
            .map(|_| world.sleep(Duration::from_secs(1)))
            .collect();
        let woken = Arc::new(Mutex::new(Vec::new()));
        std::future::poll_fn(|cx| {
            for (number, sleep) in sleeps.iter_mut().enumerate() {
                let waker = std::task::Waker::from(Arc::new(Noted {
                    number,
                    woken: Arc::clone(&woken),
                    task: cx.waker().clone(),
                }));
                let mut cx = std::task::Context::from_waker(&waker);
                if sleep.as_mut().poll(&mut cx).is_ready() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
        let order = woken.lock().unwrap().clone();
        Ok(order)
    });
    assert_eq!(outcome.verdict, Ok((0..50).collect::<Vec<_>>()));
}

struct Noted {
    number: usize,
    woken: Arc<Mutex<Vec<usize>>>,
    task: std::task::Waker,
}

impl std::task::Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap().push(self.number);
        self.task.wake_by_ref();
    }
}

#[test]
fn a_sleep_of_a_microsecond_takes_about_a_microsecond() {
    let outcome = run_seed(5, &Limits::default(), |sim| async move {
        let world = sim.node("worker");
        let start = world.now();
        world.sleep(Duration::from_micros(1)).await;
        Ok(world.now().since(start))
    });
    let took = outcome.verdict.unwrap();
    let expected = Duration::from_micros(1)..Duration::from_micros(2);
    assert!(expected.contains(&took), "{took:?}");
}

#[test]
fn a_fast_clock_waits_less_of_the_worlds_time() {
    let outcome = run_seed(5, &Limits::default(), |sim| async move {
        let double = NodeClock {
            offset_nanos: 7_000_000_000,
            drift_ppm: 1_000_000,
        };
        sim.set_clock("fast", double);
        let (fast, start) = (sim.node("fast"), sim.now());
        assert!(fast.now().elapsed() >= Duration::from_secs(7));
        fast.sleep(Duration::from_secs(10)).await;
        Ok(sim.now().since(start).as_secs())
    });
    assert_eq!(outcome.verdict, Ok(5));
}

#[test]
fn timers_fire_in_a_busy_world_too() {
    let outcome = run_seed(5, &Limits::default(), |sim: SimWorld| async move {
        let spin = std::future::poll_fn::<(), _>(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let worker = sim.node("worker");
        worker.spawn(Lane::Control, "spinner", spin).detach();
        sim.supervisor().sleep(Duration::from_millis(5)).await;
        Ok(())
    });
    assert_eq!(outcome.verdict, Ok(()));
    assert!(outcome.polls > 10_000, "{} polls", outcome.polls);
}

#[test]
fn a_day_without_events_costs_nothing() {
    let limits = Limits {
        virtual_time: Duration::from_secs(100_000),
        ..Limits::default()
    };
    let outcome = run_seed(5, &limits, |sim| async move {
        sim.node("worker").sleep(Duration::from_hours(24)).await;
        Ok(())
    });
    assert_eq!(outcome.verdict, Ok(()));
    assert!(outcome.polls < 10, "{} polls", outcome.polls);
    assert!(outcome.virtual_time >= Duration::from_hours(24));
}

#[test]
fn the_systems_clocks_agree_with_the_worlds() {
    let outcome = run_seed(5, &Limits::default(), |sim| async move {
        let (start, leak) = (sim.now(), system_now());
        sim.node("worker").sleep(Duration::from_secs(1_000)).await;
        let (ours, theirs) = (sim.now().since(start), leak.elapsed());
        Ok(ours.abs_diff(theirs))
    });
    assert_eq!(outcome.verdict, Ok(Duration::ZERO));
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "that a stray use is harmless is what is tested"
)]
fn system_now() -> std::time::Instant {
    std::time::Instant::now()
}
