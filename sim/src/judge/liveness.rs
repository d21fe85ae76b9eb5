//! L1 to L5: what has to happen once everything is healed.
//!
//! Invariant: the bounds count virtual time from the instant of healing; before it, nothing has to
//! happen at all.

use std::time::Duration;

use sameriver_runtime::Monotonic;

use super::{Compared, Invariant};
use crate::finding::Finding;

/// How long a healed job may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LivenessBounds {
    /// Until all subtasks run.
    pub running: Duration,
    /// Until a checkpoint is published.
    pub completes: Duration,
    /// From the last record's arrival, or the healing, until the job has ended.
    pub drains: Duration,
    /// The longest while without a record that moves, a published checkpoint or an end.
    pub progress: Duration,
    /// Attempts that may start after healing.
    pub attempts: u32,
}

/// What happened after the healing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AfterHealing {
    /// When everything was healed.
    pub healed: Monotonic,
    /// When the last record of the input had arrived.
    pub last_arrival: Monotonic,
    /// When the observation ended.
    pub looked_until: Monotonic,
    /// The attempts that were granted since.
    pub attempts: u32,
    /// When all subtasks of an attempt ran, the first time since.
    pub running: Option<Monotonic>,
    /// When a checkpoint was published, the first time since.
    pub completed: Option<Monotonic>,
    /// When the job ended.
    pub ended: Option<Monotonic>,
    /// Instants at which something moved, in their order.
    pub moved: Vec<Monotonic>,
    /// Tasks that run although the job has ended, as `node/task`.
    pub open_tasks: Vec<String>,
    /// Files in the making that are left although the job has ended.
    pub open_files: Vec<String>,
}

/// Compares what happened with its bounds, L1 first.
///
/// # Errors
/// [`Finding`] with the first thing that did not happen in time, or was left open.
pub fn liveness(after: &AfterHealing, bounds: &LivenessBounds) -> Result<Compared, Finding> {
    let end = after.ended.unwrap_or(after.looked_until);
    in_time(
        after,
        Invariant::Running,
        after.running,
        bounds.running,
        || "no attempt ran with all its subtasks".to_owned(),
    )?;
    if after.attempts > bounds.attempts {
        return Err(Finding::breach(
            Invariant::Running,
            format!(
                "{} attempts started after everything was healed at {}, at most {} may",
                after.attempts, after.healed, bounds.attempts
            ),
        ));
    }
    in_time(
        after,
        Invariant::Completes,
        after.completed,
        bounds.completes,
        || "no checkpoint was published".to_owned(),
    )?;
    pauses(after, bounds.progress, end)?;
    drains(after, bounds.drains)?;
    closed(after)?;
    Ok(Compared {
        invariant: Invariant::Closed,
        items: after.moved.len() as u64 + u64::from(after.ended.is_some()),
    })
}

/// What happened in time, or could still do so, or need not since the job has ended.
fn in_time(
    after: &AfterHealing,
    invariant: Invariant,
    happened: Option<Monotonic>,
    bound: Duration,
    what: impl FnOnce() -> String,
) -> Result<(), Finding> {
    let waited = happened.or(after.ended).unwrap_or(after.looked_until);
    if waited.since(after.healed) <= bound {
        return Ok(());
    }
    let evidence = match happened {
        Some(at) => format!("{} until {at}", what()),
        None => what(),
    };
    Err(Finding::breach(
        invariant,
        format!(
            "{evidence}: {bound:?} after healing at {} are allowed",
            after.healed
        ),
    ))
}

fn pauses(after: &AfterHealing, bound: Duration, end: Monotonic) -> Result<(), Finding> {
    let mut last = after.healed;
    for at in after.moved.iter().copied().chain([end]) {
        if at > last && at.since(last) > bound {
            return Err(Finding::breach(
                Invariant::Progress,
                format!("nothing moved between {last} and {at}: {bound:?} are allowed"),
            ));
        }
        last = last.max(at);
    }
    Ok(())
}

fn drains(after: &AfterHealing, bound: Duration) -> Result<(), Finding> {
    let since = after.healed.max(after.last_arrival);
    let end = after.ended.unwrap_or(after.looked_until);
    if after.ended.is_some() && end.since(since) <= bound {
        return Ok(());
    }
    let what = if after.ended.is_some() {
        "ended only"
    } else {
        "had not ended"
    };
    Err(Finding::breach(
        Invariant::Drains,
        format!("the job {what} at {end}: {bound:?} after {since} are allowed"),
    ))
}

fn closed(after: &AfterHealing) -> Result<(), Finding> {
    let left = [
        ("task", &after.open_tasks),
        ("unfinished file", &after.open_files),
    ];
    for (what, names) in left {
        if let Some(first) = names.first() {
            return Err(Finding::breach(
                Invariant::Closed,
                format!(
                    "the job has ended, but {} {what}(s) are left: {first}",
                    names.len()
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64) -> Monotonic {
        Monotonic::from_origin(Duration::from_secs(second))
    }

    fn bounds() -> LivenessBounds {
        LivenessBounds {
            running: Duration::from_secs(30),
            completes: Duration::from_mins(1),
            drains: Duration::from_mins(1),
            progress: Duration::from_secs(30),
            attempts: 3,
        }
    }

    fn good() -> AfterHealing {
        AfterHealing {
            healed: second(100),
            last_arrival: second(90),
            looked_until: second(300),
            attempts: 1,
            running: Some(second(110)),
            completed: Some(second(120)),
            ended: Some(second(150)),
            moved: vec![second(115), second(140)],
            ..AfterHealing::default()
        }
    }

    fn broken(change: impl FnOnce(&mut AfterHealing)) -> Option<Invariant> {
        let mut after = good();
        change(&mut after);
        liveness(&after, &bounds())
            .err()
            .and_then(|finding| finding.invariant)
    }

    #[test]
    fn a_job_that_recovers_in_time_passes() {
        assert_eq!(liveness(&good(), &bounds()).map(|c| c.items), Ok(3));
    }

    #[test]
    fn a_job_that_ends_at_once_need_not_run_again() {
        let at_once = broken(|after| {
            (after.running, after.completed) = (None, None);
            after.ended = Some(second(101));
            after.moved.clear();
        });
        assert_eq!(at_once, None);
    }

    #[test]
    fn every_way_to_get_stuck_has_its_own_promise() {
        let never = |after: &mut AfterHealing| after.ended = None;
        let late_running = broken(|after| after.running = Some(second(131)));
        assert_eq!(late_running, Some(Invariant::Running));
        assert_eq!(broken(|after| after.attempts = 4), Some(Invariant::Running));
        let no_checkpoint = broken(|after| {
            never(after);
            after.completed = None;
        });
        assert_eq!(no_checkpoint, Some(Invariant::Completes));
        assert_eq!(
            broken(|after| after.ended = Some(second(171))),
            Some(Invariant::Progress)
        );
        let moving = |after: &mut AfterHealing| {
            after.moved = (100..300).step_by(20).map(second).collect();
        };
        let slow = broken(|after| {
            moving(after);
            after.ended = Some(second(171));
        });
        assert_eq!(slow, Some(Invariant::Drains));
        let stuck = broken(|after| {
            moving(after);
            never(after);
        });
        assert_eq!(stuck, Some(Invariant::Drains));
    }

    #[test]
    fn tasks_and_files_that_are_left_are_found() {
        let task = broken(|after| after.open_tasks.push("task-manager-0/upload".to_owned()));
        let file = broken(|after| after.open_files.push("totals/a.inprogress".to_owned()));
        assert_eq!(
            (task, file),
            (Some(Invariant::Closed), Some(Invariant::Closed))
        );
    }
}
