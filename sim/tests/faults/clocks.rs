//! What may be wrong with a node's clocks.

use std::time::Duration;

use sameriver_sim::{FaultFamily, Parameters};

use crate::rig::{SECOND, begin, holds, node, now};

#[test]
fn a_jump_moves_the_wall_clock_alone_and_back_when_it_is_over() {
    holds(|sim| async move {
        let world = sim.node("a");
        let (wall, steady) = (world.wall().as_millis(), world.now());
        let back = Parameters {
            offset_nanos: -3_600_000_000_000,
            ..Parameters::default()
        };
        let _nemesis = begin(&sim, now(FaultFamily::ClockJump, node("a"), back)).await;
        assert!(world.wall().as_millis() < wall - 3_599_000);
        assert!(world.now() >= steady, "the monotonic clock never goes back");
        sim.supervisor().sleep(3 * SECOND).await;
        assert!(world.wall().as_millis() >= wall);
        assert_eq!(sim.effects().count(FaultFamily::ClockJump), 1);
        Ok(())
    });
}

#[test]
fn a_fast_clock_gains_while_it_drifts_and_keeps_what_it_gained() {
    holds(|sim| async move {
        let (world, exact) = (sim.node("a"), sim.node("b"));
        let fast = Parameters {
            drift_ppm: 100_000,
            ..Parameters::default()
        };
        let _nemesis = begin(&sim, now(FaultFamily::ClockDrift, node("a"), fast)).await;
        sim.supervisor().sleep(3 * SECOND).await;
        let gained = world.now().since(exact.now());
        let expected = Duration::from_millis(199)..Duration::from_millis(201);
        assert!(expected.contains(&gained), "{gained:?}");
        Ok(())
    });
}

#[test]
fn a_node_with_a_fast_clock_sleeps_less() {
    holds(|sim| async move {
        let fast = Parameters {
            drift_ppm: 1_000_000,
            ..Parameters::default()
        };
        let _nemesis = begin(&sim, now(FaultFamily::ClockDrift, node("a"), fast)).await;
        let start = sim.now();
        sim.node("a").sleep(SECOND).await;
        assert!(sim.now().since(start) < Duration::from_millis(501));
        assert_eq!(sim.effects().count(FaultFamily::ClockDrift), 1);
        Ok(())
    });
}
