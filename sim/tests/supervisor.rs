//! Every run ends, and says why: by its deadline, by its polls, by having nothing to wait for, by
//! a panic, or by the watchdog outside.
//!
//! Invariant: only the watchdog's test looks at the real clock, and it waits for no moment of it.

use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use sameriver_runtime::Lane;
use sameriver_sim::{Batch, Finding, FindingKind, Limits, Outcome, SimWorld, Watchdog, run_seed};

/// The finding of a run that cannot end well.
fn finding<F>(limits: &Limits, scenario: fn(SimWorld) -> F) -> Finding
where
    F: Future<Output = Result<(), Finding>> + Send + 'static,
{
    let outcome = run_seed(7, limits, scenario);
    outcome.verdict.expect_err("a run that cannot end well")
}

/// Spins through the executor without anything that moves.
async fn spin() {
    std::future::poll_fn::<(), _>(|cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_run_beyond_its_virtual_deadline_is_a_liveness_finding_with_the_tasks() {
    let limits = Limits {
        virtual_time: Duration::from_secs(10),
        ..Limits::default()
    };
    let found = finding(&limits, |sim| async move {
        loop {
            sim.node("worker").sleep(Duration::from_millis(900)).await;
        }
    });
    assert_eq!(found.kind, FindingKind::Liveness);
    assert!(
        found
            .evidence
            .contains("did not end within 10s of virtual time"),
        "{found}"
    );
    assert!(found.evidence.contains("scenario"), "{found}");
}

#[test]
fn a_task_that_wakes_itself_for_ever_is_counted_out() {
    let limits = Limits {
        idle_polls: 10_000,
        ..Limits::default()
    };
    let found = finding(&limits, |sim| async move {
        let worker = sim.node("worker");
        worker.spawn(Lane::Control, "spinner", spin()).detach();
        sim.supervisor().sleep(Duration::from_mins(50)).await;
        Ok(())
    });
    assert_eq!(found.kind, FindingKind::Liveness);
    assert!(
        found.evidence.contains("a task wakes itself for ever"),
        "{found}"
    );
    assert!(found.evidence.contains("spinner"), "{found}");
}

#[test]
fn a_world_in_which_nothing_can_happen_any_more_is_a_liveness_finding() {
    let found = finding(&Limits::default(), |sim| async move {
        let waiting = std::future::pending::<()>();
        let task = sim.node("worker").spawn(Lane::Control, "waiter", waiting);
        task.join().await.expect("it never ends");
        Ok(())
    });
    assert_eq!(found.kind, FindingKind::Liveness);
    assert!(
        found
            .evidence
            .contains("every task waits and no timer is set"),
        "{found}"
    );
    assert!(found.evidence.contains("waiter"), "{found}");
}

#[test]
fn a_panic_of_any_task_is_a_finding_with_node_task_and_place() {
    let found = finding(&Limits::default(), |sim| async move {
        let fall = async { panic!("the bank is wet") };
        sim.node("worker")
            .spawn(Lane::Control, "walker", fall)
            .detach();
        sim.supervisor().sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    assert_eq!(found.kind, FindingKind::Panic);
    for part in ["worker", "walker", "the bank is wet", "supervisor.rs"] {
        assert!(found.evidence.contains(part), "{part} in {found}");
    }
}

#[test]
fn each_kind_of_finding_has_an_exit_code_of_its_own() {
    let codes = [
        FindingKind::Safety,
        FindingKind::Liveness,
        FindingKind::Nondeterminism,
        FindingKind::Panic,
        FindingKind::Vacuous,
        FindingKind::Harness,
    ]
    .map(FindingKind::exit_code);
    assert_eq!(codes, [1, 2, 3, 4, 5, 6]);
}

const CHILD: &str = "SAMERIVER_TEST_LOOPING_SEED";

/// A seed whose task never yields: no count inside can see it.
fn play_a_loop() {
    let dog = Watchdog::new(Duration::from_millis(200), |seed| {
        format!("sameriver sim all --seeds {seed}..{}", seed + 1)
    });
    let play = |seed| -> Outcome<()> {
        run_seed(seed, &Limits::default(), |_| async {
            loop {
                std::hint::spin_loop();
            }
        })
    };
    Batch::of([7]).jobs(1).watchdog(dog).run(play, |_| true);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a process that ends must be another one"
)]
fn a_seed_that_never_yields_ends_the_process_with_the_command_that_repeats_it() {
    if std::env::var_os(CHILD).is_some() {
        return play_a_loop();
    }
    let name = "a_seed_that_never_yields_ends_the_process_with_the_command_that_repeats_it";
    let output = Command::new(std::env::current_exe().expect("this test runs"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it runs again");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("liveness: seed 7 did not end within"),
        "{said}"
    );
    assert!(
        said.contains("repeat it with: sameriver sim all --seeds 7..8"),
        "{said}"
    );
}
