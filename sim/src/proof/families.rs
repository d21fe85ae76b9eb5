//! Every family of faults is felt and counted, or neither.
//!
//! Invariant: the same work is done in two worlds of one seed, with the fault and without: what is
//! counted must show, and what shows must be counted.

use std::time::Duration;

use super::defect;
use super::exercise::{PLACE, exercise};
use crate::fault::{Episode, FaultFamily, FaultScript, Parameters, Target, TargetKind, Trigger};
use crate::finding::Finding;
use crate::sim_world::SimWorld;
use crate::supervisor::{Limits, run_seed};

const SEED: u64 = 1;

pub(super) fn prove() -> Result<(), Finding> {
    let (usual, _) = seen(FaultScript::default(), None)?;
    for family in FaultFamily::ALL {
        let script = FaultScript(vec![episode(family)]);
        let (hurt, effects) = seen(script, Some(family))?;
        let is_felt = hurt != usual;
        if effects == 0 || !is_felt {
            return Err(defect(format!(
                "{family} is counted {effects} times, and what two nodes do is {}",
                if is_felt { "different" } else { "the same" }
            )));
        }
    }
    Ok(())
}

/// What two nodes do under a script, and how often a family took effect.
fn seen(script: FaultScript, family: Option<FaultFamily>) -> Result<(Vec<String>, u64), Finding> {
    let run = move |sim: SimWorld| {
        let script = script.clone();
        async move {
            let lines = exercise(sim.clone(), script).await?;
            let count = |family| sim.effects().count(family);
            Ok((lines, family.map_or(0, count)))
        }
    };
    run_seed(SEED, &Limits::default(), run).verdict
}

/// An episode that nobody can miss.
fn episode(family: FaultFamily) -> Episode {
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let target = match family.target_kind() {
        TargetKind::Node => Target::Node(b.clone()),
        TargetKind::Link => Target::Link {
            from: a,
            to: b.clone(),
        },
        TargetKind::Disk => Target::Disk(a),
        TargetKind::Store => Target::Store,
    };
    let at = if family == FaultFamily::CrashPoint {
        Trigger::Pass {
            node: b,
            place: PLACE.to_owned(),
            ordinal: 1,
        }
    } else {
        Trigger::Nanos(0)
    };
    Episode::new(at, family, target)
        .lasting(Duration::from_secs(3))
        .with(Parameters {
            delay_nanos: 700_000_000,
            per_mille: 1_000,
            bytes_per_second: 2_000,
            after_bytes: 100,
            offset_nanos: 3_600_000_000_000,
            drift_ppm: 100_000,
            ..Parameters::default()
        })
}
