//! A user's job under faults, by the front door of the simulator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sameriver::prelude::*;
use sameriver_sim::{Class, Simulation};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Click {
    user: u32,
    at: i64,
}

fn clicks(count: u32) -> Vec<Click> {
    let click = |n: u32| Click {
        user: n % 7,
        at: i64::from(n) * 10,
    };
    (0..count).map(click).collect()
}

fn clicks_per_user(env: &mut Environment) -> Result<(), BuildError> {
    env.source("clicks", Elements::of(Vec::<Click>::new()))
        .key_by(|click| click.user)
        .sum("totals", |_| 1_u64)
        .collect("totals")
}

fn running_totals(clicks: &[Click]) -> Vec<(u32, u64)> {
    let mut totals: BTreeMap<u32, u64> = BTreeMap::new();
    let row = |click: &Click| {
        let total = totals.entry(click.user).or_default();
        *total += 1;
        (click.user, *total)
    };
    clicks.iter().map(row).collect()
}

/// A folder of plans, removed with it.
struct Plans(PathBuf);

impl Plans {
    fn new(name: &str) -> Self {
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Plans {
    #[expect(
        clippy::disallowed_methods,
        reason = "the folder of the test, outside of any world"
    )]
    fn drop(&mut self) {
        // A folder that stays behind in the target folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn of_clicks<J>(job: J) -> Simulation
where
    J: Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
{
    Simulation::of(job)
        .source("clicks", clicks(300))
        .sink::<(u32, u64)>("totals")
}

#[test]
fn a_right_job_survives_faults() {
    let tally = of_clicks(clicks_per_user)
        .exactly_once_against(running_totals)
        .seeds(0..15)
        .try_run();
    let tally = tally.unwrap_or_else(|report| panic!("{report}"));
    assert!(
        tally.checkpoints > 15 && tally.effects() > 0 && tally.seeds_with_state > 0,
        "{tally:?}"
    );
}

#[test]
fn without_a_reference_fault_free_runs_agree_first() {
    let tally = of_clicks(clicks_per_user).seeds(0..5).try_run();
    assert!(tally.is_ok(), "{tally:?}");
}

#[test]
fn records_of_a_key_stay_in_order_where_the_source_is_dealt_by_key() {
    let by_key = Simulation::of(order_of_clicks)
        .source_by("clicks", clicks(100), |click| click.user)
        .sink::<(u32, i64, i64)>("totals");
    let tally = by_key.seeds(0..10).try_run();
    assert!(tally.is_ok(), "{tally:?}");
    let in_turn = Simulation::of(order_of_clicks)
        .source("clicks", clicks(100))
        .sink::<(u32, i64, i64)>("totals");
    let report = in_turn.seeds(0..10).try_run().expect_err("it depends on");
    assert!(
        report.contains("not deterministic under legal schedules") && report.contains("source_by"),
        "{report}"
    );
}

/// The instants of each two clicks of a user in turn.
fn order_of_clicks(env: &mut Environment) -> Result<(), BuildError> {
    env.source("clicks", Elements::of(Vec::<Click>::new()))
        .key_by(|click| click.user)
        .process_fn("totals", |declare| {
            let last = declare.value::<i64>("last")?;
            Ok(
                move |click: Click, at: &mut At<'_, u32>, out: &mut Out<'_, (u32, i64, i64)>| {
                    let before = last.update(at, |last| last.replace(click.at))?;
                    out.emit((click.user, before.unwrap_or(-1), click.at));
                    Ok(())
                },
            )
        })
        .collect("totals")
}

#[test]
fn what_a_test_says_of_settings_and_class_holds_for_every_seed() {
    let tally = of_clicks(clicks_per_user)
        .settings(|settings| settings.checkpoint_interval = mins(10))
        .class(Class::Calm)
        .seeds(0..3)
        .try_run();
    let tally = tally.unwrap_or_else(|report| panic!("{report}"));
    // The one at the end of the input is all there is.
    assert_eq!((tally.checkpoints, tally.effects()), (3, 0), "{tally:?}");
    let elsewhere = |settings: &mut Settings| settings.checkpoints = "kept".to_owned();
    let report = of_clicks(clicks_per_user).settings(elsewhere).try_run();
    let report = report.expect_err("it keeps its own");
    assert!(
        report.contains("leave the setting `checkpoints` alone"),
        "{report}"
    );
}

/// Counts in a static instead of in state: a restart does not take it back.
fn counts_beside_its_state(env: &mut Environment) -> Result<(), BuildError> {
    static CLICKS: AtomicU64 = AtomicU64::new(0);
    env.source("clicks", Elements::of(Vec::<Click>::new()))
        .map(|click| (click.user, CLICKS.fetch_add(1, Ordering::Relaxed)))
        .collect("totals")
}

#[test]
fn a_job_that_depends_on_the_schedule_is_told_so_with_the_row() {
    let report = of_clicks(counts_beside_its_state).seeds(0..5).try_run();
    let report = report.expect_err("it counts on and on");
    assert!(
        report.contains("not deterministic under legal schedules"),
        "{report}"
    );
    assert!(
        report.contains("row 0") && report.contains("remedies"),
        "{report}"
    );
}

/// Gives each total only once it is known that nothing follows: but forgets it in between.
fn keeps_totals_in_the_operator(env: &mut Environment) -> Result<(), BuildError> {
    env.source("clicks", Elements::of(Vec::<Click>::new()))
        .key_by(|click| click.user)
        .process("totals", Forgetful(Arc::default()))
        .collect("totals")
}

#[derive(Clone, Debug)]
struct Forgetful(Arc<Mutex<BTreeMap<u32, u64>>>);

impl KeyedProcess<u32, Click> for Forgetful {
    type Out = (u32, u64);
    type States = ();

    fn states(&self, _: &mut Declare<'_, u32>) -> Result<(), DeclareError> {
        Ok(())
    }

    fn record(
        &self,
        (): &(),
        click: Click,
        _: &mut At<'_, u32>,
        out: &mut Out<'_, (u32, u64)>,
    ) -> Result<(), UserError> {
        let mut totals = self.0.lock().map_err(|_| UserError::msg("poisoned"))?;
        let total = totals.entry(click.user).or_default();
        *total += 1;
        out.emit((click.user, *total));
        Ok(())
    }
}

#[test]
fn a_bug_in_state_handling_is_found_and_its_plan_repeats_it() {
    let plans = Plans::new("forgetful");
    let simulation = || {
        of_clicks(keeps_totals_in_the_operator)
            .exactly_once_against(running_totals)
            .plans(&plans.0)
    };
    let report = simulation().seeds(0..100).try_run();
    let report = report.expect_err("totals are lost by a restart");
    for told in [
        "keeps_totals_in_the_operator",
        "I1 safety: row ",
        "promise: committed output equals",
        "reference: the function of the test",
        "faults: ",
        "repeat: SAMERIVER_PLAN=",
        "cargo simtest a_bug_in_state_handling_is_found_and_its_plan_repeats_it -- --exact",
    ] {
        assert!(report.contains(told), "{told}: {report}");
    }
    let mut lines = report.lines();
    let plan = lines.find_map(|line| line.trim_start().strip_prefix("plan: "));
    let plan = PathBuf::from(plan.expect("the plan is named"));
    let again = std::panic::catch_unwind(|| simulation().replay(plan));
    let said = again.expect_err("the plan repeats the finding");
    let said = said.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(said.contains("I1 safety"), "{said}");
    assert!(said.contains("with the very events of the plan"), "{said}");
}

#[test]
fn a_source_or_sink_of_another_type_or_name_is_named() {
    let of = |simulation: Simulation| simulation.seeds(0..1).try_run().expect_err("it is wrong");
    let numbers = Simulation::of(clicks_per_user)
        .source("clicks", [1_u64, 2])
        .sink::<(u32, u64)>("totals");
    assert!(of(numbers).contains("source clicks has records of type"));
    let nowhere = of_clicks(clicks_per_user).sink::<u64>("nowhere");
    assert!(of(nowhere).contains("the job has no sink nowhere to replace: it has totals"));
    let other = of_clicks(clicks_per_user).exactly_once_against(|numbers: &[u64]| numbers.to_vec());
    assert!(of(other).contains("the reference takes records of u64"));
}

#[test]
fn a_job_without_a_name_of_its_own_has_that_of_its_test() {
    let job: fn(&mut Environment) -> Result<(), BuildError> = counts_beside_its_state;
    let plans = Plans::new("nameless");
    let (of, folder) = (of_clicks(job), plans.0.clone());
    let report = of
        .exactly_once_against(running_totals)
        .plans(folder)
        .try_run();
    let report = report.expect_err("it counts on and on");
    let name = "job a_job_without_a_name_of_its_own_has_that_of_its_test, seed ";
    assert!(report.starts_with(name), "{report}");
}

#[test]
fn a_plan_of_another_job_is_refused() {
    let plans = Plans::new("another");
    let failing = of_clicks(keeps_totals_in_the_operator)
        .exactly_once_against(running_totals)
        .plans(&plans.0);
    let report = failing.try_run().expect_err("totals are lost by a restart");
    let mut lines = report.lines();
    let plan = lines.find_map(|line| line.trim_start().strip_prefix("plan: "));
    let plan = PathBuf::from(plan.expect("the plan is named"));
    let other = std::panic::catch_unwind(|| of_clicks(clicks_per_user).replay(plan));
    let said = other.expect_err("it is of another job");
    let said = said.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(
        said.contains("is a plan of job keeps_totals_in_the_operator"),
        "{said}"
    );
}
