//! Carries out the acts of a plan, and sees each of them through.
//!
//! Invariant: an act begins with a job that runs and has published a checkpoint, and ends when it
//! runs again. A kill counts as one during restore only if the victim's own lines say so.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "how long a recovery took"
)]

use std::time::{Duration, Instant};

use super::Outcome;
use super::fleet::{Fleet, PATIENCE};
use super::plan::{Act, Last, Moment, Plan};
use super::seen::{Attempt, Life, Node, Seen};

/// How often a process is to be hit in the middle of a restore before it is given up.
const TRIES: u32 = 5;

/// Does all that the plan says.
pub(super) fn carry_out(fleet: &mut Fleet, plan: &Plan) -> Outcome<()> {
    for (number, (pause, act)) in (1..).zip(&plan.acts) {
        let done = one(fleet, *pause, *act);
        done.map_err(|error| format!("act {number} ({act}): {error}"))?;
        if fleet.seen.is_finished {
            let acts = plan.acts.len();
            return Err(format!("the job was over after act {number} of {acts}"));
        }
    }
    settled(fleet)?;
    let patience = plan.pace.lasts + PATIENCE;
    fleet.until_within(patience, "the job comes to its end", |seen| {
        seen.is_finishing.then_some(())
    })?;
    at_the_end(fleet, plan.last)
}

/// Kills a process when subtasks have ended already; the job finishes all the same.
fn at_the_end(fleet: &mut Fleet, last: Last) -> Outcome<()> {
    match last {
        Last::TaskManager { nth } => kill_host(fleet, nth).map(drop)?,
        Last::Leader => {
            let victim = leader(fleet)?;
            fleet.kill(victim)?;
            fleet.begin(victim.node)?;
        }
    }
    fleet.until("the job is finished", |seen| seen.is_finished.then_some(()))
}

fn one(fleet: &mut Fleet, pause: Duration, act: Act) -> Outcome<()> {
    settled(fleet)?;
    fleet.pause(pause);
    settled(fleet)?;
    match act {
        Act::KillTaskManager { nth } => {
            let began = Instant::now();
            let attempt = kill_host(fleet, nth)?;
            runs_again(fleet, attempt, began)
        }
        Act::KillLeader => kill_leader(fleet),
        Act::KillStandby => {
            let standby = standby(fleet)?;
            fleet.kill(standby)?;
            fleet.begin(standby.node).map(drop)
        }
        Act::KillInRestore { nth, moment } => {
            again(fleet, |fleet| kill_in_restore(fleet, nth, moment))
        }
        Act::KillLeaderInRestore { nth } => {
            again(fleet, |fleet| kill_leader_in_restore(fleet, nth))
        }
        Act::FreezeTaskManager { nth, is_replaced } => freeze_host(fleet, nth, is_replaced),
        Act::FreezeLeader => freeze_leader(fleet),
    }
}

/// Waits until all subtasks run and a checkpoint was published since.
fn settled(fleet: &mut Fleet) -> Outcome<()> {
    fleet.until("the job runs and publishes checkpoints", |seen| {
        (seen.is_running && seen.published > 0).then_some(())
    })
}

/// Waits until a later attempt than this one runs.
fn runs_again(fleet: &mut Fleet, than: Attempt, began: Instant) -> Outcome<()> {
    fleet.until("another attempt runs", |seen| {
        (seen.is_running && seen.attempt > than).then_some(())
    })?;
    fleet.recoveries.push(began.elapsed());
    Ok(())
}

/// Repeats an act until the restore was hit.
fn again(fleet: &mut Fleet, mut act: impl FnMut(&mut Fleet) -> Outcome<bool>) -> Outcome<()> {
    for _ in 0..TRIES {
        settled(fleet)?;
        if act(fleet)? {
            fleet.counts.in_restore += 1;
            return Ok(());
        }
    }
    Err(format!("no restore was met in {TRIES} tries"))
}

/// A task manager that runs subtasks.
fn host(fleet: &Fleet, nth: usize) -> Outcome<Life> {
    let hosts = fleet.newest(|node| matches!(node, Node::TaskManager(_)));
    let hosts: Vec<Life> = hosts
        .into_iter()
        .filter(|life| fleet.seen.hosts(*life))
        .collect();
    let chosen = nth.checked_rem(hosts.len()).map(|nth| hosts[nth]);
    chosen.ok_or_else(|| "no task manager runs subtasks".to_owned())
}

fn leader(fleet: &Fleet) -> Outcome<Life> {
    let leader = fleet.seen.leader();
    leader.ok_or_else(|| "no job master leads".to_owned())
}

fn standby(fleet: &Fleet) -> Outcome<Life> {
    let leader = leader(fleet)?;
    let masters = fleet.newest(|node| matches!(node, Node::JobMaster(_)));
    let mut others = masters.into_iter().filter(|life| *life != leader);
    others
        .next()
        .ok_or_else(|| "no job master stands by".to_owned())
}

/// Kills a task manager and starts it anew; the attempt that is over by that.
fn kill_host(fleet: &mut Fleet, nth: usize) -> Outcome<Attempt> {
    let (victim, attempt) = (host(fleet, nth)?, fleet.seen.attempt);
    fleet.kill(victim)?;
    fleet.begin(victim.node)?;
    Ok(attempt)
}

fn kill_leader(fleet: &mut Fleet) -> Outcome<()> {
    let (victim, attempt) = (leader(fleet)?, fleet.seen.attempt);
    let began = Instant::now();
    fleet.kill(victim)?;
    led_by_another(fleet, victim)?;
    fleet.begin(victim.node)?;
    runs_again(fleet, attempt, began)
}

/// Waits until the other job master leads.
fn led_by_another(fleet: &mut Fleet, than: Life) -> Outcome<()> {
    fleet.until("another job master leads", |seen| {
        let leader = seen.leader()?;
        (leader.node != than.node).then_some(())
    })
}

/// Kills a task manager, and another one while the job is restored; whether it was met then.
fn kill_in_restore(fleet: &mut Fleet, nth: usize, moment: Moment) -> Outcome<bool> {
    let began = Instant::now();
    let over = kill_host(fleet, nth)?;
    let managers = fleet.newest(|node| matches!(node, Node::TaskManager(_)));
    let (victim, attempt) = fleet.until("a task manager restores", |seen| {
        let (attempt, _) = seen.restores.last_key_value()?;
        let is_met = |life: &&Life| {
            let progress = seen.progress(**life, *attempt);
            match moment {
                Moment::Told => progress.told > 0,
                Moment::Read => progress.read > 0,
            }
        };
        let met = managers.iter().find(is_met).filter(|_| *attempt > over)?;
        Some((*met, *attempt))
    })?;
    fleet.kill(victim)?;
    let progress = fleet.seen.progress(victim, attempt);
    fleet.begin(victim.node)?;
    runs_again(fleet, attempt, began)?;
    Ok(progress.running < progress.told)
}

/// Kills a task manager, and the leader while it restores the job; whether it was met then.
fn kill_leader_in_restore(fleet: &mut Fleet, nth: usize) -> Outcome<bool> {
    let began = Instant::now();
    let over = kill_host(fleet, nth)?;
    let (victim, attempt) = fleet.until("the leader restores", |seen: &Seen| {
        let (attempt, by) = seen.restores.last_key_value()?;
        (*attempt > over).then_some((*by, *attempt))
    })?;
    fleet.kill(victim)?;
    let is_met = !fleet.seen.has_run(attempt);
    led_by_another(fleet, victim)?;
    fleet.begin(victim.node)?;
    runs_again(fleet, attempt, began)?;
    Ok(is_met)
}

fn freeze_host(fleet: &mut Fleet, nth: usize, is_replaced: bool) -> Outcome<()> {
    let (victim, attempt) = (host(fleet, nth)?, fleet.seen.attempt);
    let began = Instant::now();
    fleet.freeze(victim)?;
    if is_replaced {
        fleet.begin(victim.node)?;
    }
    runs_again(fleet, attempt, began)?;
    settled(fleet)?;
    awaken(fleet, victim)?;
    if is_replaced {
        // It stands by under an index that another process has; the operator clears it away.
        fleet.end(victim)?;
    }
    Ok(())
}

fn freeze_leader(fleet: &mut Fleet) -> Outcome<()> {
    let (victim, attempt) = (leader(fleet)?, fleet.seen.attempt);
    let began = Instant::now();
    fleet.freeze(victim)?;
    led_by_another(fleet, victim)?;
    runs_again(fleet, attempt, began)?;
    settled(fleet)?;
    awaken(fleet, victim)
}

/// Continues a process that was given up, and waits until it knows, and one checkpoint more.
fn awaken(fleet: &mut Fleet, victim: Life) -> Outcome<()> {
    let (known, published) = (fleet.seen.awakenings(victim), fleet.seen.published_ever);
    fleet.thaw(victim)?;
    fleet.until("the zombie finds out that it was given up", |seen| {
        (seen.awakenings(victim) > known).then_some(())
    })?;
    fleet.until("a checkpoint beside the zombie", |seen| {
        (seen.published_ever > published).then_some(())
    })?;
    fleet.counts.zombies += 1;
    Ok(())
}
