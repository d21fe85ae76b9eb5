//! What is done to the processes of a run, and when: drawn from a seed.
//!
//! Invariant: equal seeds give equal plans; whatever the seed, a plan has at least what
//! [`Plan::counts`] says.

use std::fmt;
use std::time::Duration;

use sameriver_runtime::RandomStream;

/// How much of a task manager's restore is over when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It was told what to run, and fetches the snapshots.
    Told,
    /// It has read one of its snapshots.
    Read,
}

/// Something that is done to the processes. `nth` chooses among those that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// SIGKILL for a task manager that runs subtasks.
    KillTaskManager { nth: usize },
    /// SIGKILL for the job master that leads.
    KillLeader,
    /// SIGKILL for the job master that stands by.
    KillStandby,
    /// SIGKILL for a task manager, and for another one while the job is restored.
    KillInRestore { nth: usize, moment: Moment },
    /// SIGKILL for a task manager, and for the job master that restores the job.
    KillLeaderInRestore { nth: usize },
    /// SIGSTOP for a task manager, SIGCONT once the job goes on without it; meanwhile another
    /// process may have taken its place.
    FreezeTaskManager { nth: usize, is_replaced: bool },
    /// SIGSTOP for the job master that leads, SIGCONT once another one does.
    FreezeLeader,
}

/// Who is killed when the first subtasks have come to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    TaskManager { nth: usize },
    Leader,
}

/// How often each thing has happened, or has to happen at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// SIGKILLs.
    pub kills: u32,
    /// Those of them that hit a process in the middle of a restore.
    pub in_restore: u32,
    /// How often another job master took the lead.
    pub leaders: u32,
    /// Processes that were stopped beyond the time-outs, and continued.
    pub zombies: u32,
}

impl Counts {
    /// Whether each of these is at least that of `least`.
    pub fn reach(self, least: Self) -> bool {
        self.kills >= least.kills
            && self.in_restore >= least.in_restore
            && self.leaders >= least.leaders
            && self.zombies >= least.zombies
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kills, in_restore) = (self.kills, self.in_restore);
        write!(f, "{kills} SIGKILLs ({in_restore} during restore), ")?;
        let (leaders, zombies) = (self.leaders, self.zombies);
        write!(f, "{leaders} changes of leader, {zombies} zombies")
    }
}

/// The job of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Events a second.
    pub(super) rate: u64,
    /// How long the job lasts if nothing goes wrong.
    pub(super) lasts: Duration,
    /// How many keys; together with the window, what makes the state large.
    pub(super) keys: u32,
    pub(super) window: Duration,
}

/// A run: its job, and what is done to it.
///
/// ```
/// use sameriver_tests::havoc::plan::Plan;
/// assert_eq!(Plan::long(7), Plan::long(7));
/// assert_ne!(Plan::long(7), Plan::long(8));
/// assert!(Plan::long(7).counts().kills >= 15);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) seed: u64,
    pub(super) pace: Pace,
    /// Each with the pause that comes before it, while the job runs.
    pub(super) acts: Vec<(Duration, Act)>,
    /// What comes when the job is about to finish.
    pub(super) last: Last,
}

impl Plan {
    /// A job of 90 s and 17 acts, the one at its end included.
    pub fn long(seed: u64) -> Self {
        let mut random = RandomStream::named(seed, "havoc");
        let mut nth = || random.below(12) as usize;
        let mut acts = vec![
            Act::KillLeader,
            Act::KillLeader,
            Act::KillStandby,
            Act::KillLeaderInRestore { nth: nth() },
            Act::FreezeLeader,
        ];
        for is_replaced in [false, true] {
            let nth = nth();
            acts.push(Act::FreezeTaskManager { nth, is_replaced });
        }
        for moment in [Moment::Told, Moment::Read, Moment::Told] {
            let nth = nth();
            acts.push(Act::KillInRestore { nth, moment });
        }
        acts.extend((0..6).map(|_| Act::KillTaskManager { nth: nth() }));
        let pace = Pace {
            rate: 20_000,
            lasts: Duration::from_secs(90),
            keys: 1_000_000,
            window: Duration::from_secs(10),
        };
        Self::shuffled(seed, pace, acts, &mut random, 1_000..6_000)
    }

    /// A job of 12 s and five acts.
    pub fn quick(seed: u64) -> Self {
        let mut random = RandomStream::named(seed, "quick havoc");
        let mut nth = || random.below(12) as usize;
        let acts = vec![
            Act::KillTaskManager { nth: nth() },
            Act::KillInRestore {
                nth: nth(),
                moment: Moment::Told,
            },
            Act::KillLeader,
            Act::FreezeTaskManager {
                nth: nth(),
                is_replaced: false,
            },
        ];
        let pace = Pace {
            rate: 20_000,
            lasts: Duration::from_secs(12),
            keys: 1_000_000,
            window: Duration::from_secs(5),
        };
        Self::shuffled(seed, pace, acts, &mut random, 200..1_000)
    }

    fn shuffled(
        seed: u64,
        pace: Pace,
        mut acts: Vec<Act>,
        random: &mut RandomStream,
        pause_millis: std::ops::Range<u64>,
    ) -> Self {
        for last in (1..acts.len()).rev() {
            acts.swap(last, random.below(last as u64 + 1) as usize);
        }
        let mut pause = || random.between(pause_millis.start, pause_millis.end);
        let acts = acts.into_iter();
        let acts = acts.map(|act| (Duration::from_millis(pause()), act));
        let acts = acts.collect();
        let last = if random.chance(500) {
            Last::Leader
        } else {
            let nth = random.below(12) as usize;
            Last::TaskManager { nth }
        };
        Self {
            seed,
            pace,
            acts,
            last,
        }
    }

    /// What a run of this plan comes to at least; the last victim may have been faster.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, act) in &self.acts {
            match act {
                Act::KillTaskManager { .. } | Act::KillStandby => counts.kills += 1,
                Act::KillLeader => {
                    counts.kills += 1;
                    counts.leaders += 1;
                }
                Act::KillInRestore { .. } => {
                    counts.kills += 2;
                    counts.in_restore += 1;
                }
                Act::KillLeaderInRestore { .. } => {
                    counts.kills += 2;
                    counts.in_restore += 1;
                    counts.leaders += 1;
                }
                Act::FreezeTaskManager { .. } => counts.zombies += 1,
                Act::FreezeLeader => {
                    counts.zombies += 1;
                    counts.leaders += 1;
                }
            }
        }
        counts
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acts: Vec<String> = self.acts.iter().map(step).collect();
        write!(f, "{}; at the end, kill ", acts.join("; "))?;
        match self.last {
            Last::TaskManager { nth } => write!(f, "task manager {nth}"),
            Last::Leader => f.write_str("leader"),
        }
    }
}

fn step((pause, act): &(Duration, Act)) -> String {
    format!("{:.1} s, {act}", pause.as_secs_f64())
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillTaskManager { nth } => write!(f, "kill task manager {nth}"),
            Self::KillLeader => f.write_str("kill leader"),
            Self::KillStandby => f.write_str("kill standby"),
            Self::KillInRestore { nth, moment } => {
                let moment = match moment {
                    Moment::Told => "told to restore",
                    Moment::Read => "restoring",
                };
                write!(f, "kill task manager {nth}, then one {moment}")
            }
            Self::KillLeaderInRestore { nth } => {
                write!(f, "kill task manager {nth}, then the leader restoring")
            }
            Self::FreezeTaskManager { nth, is_replaced } => {
                let end = if *is_replaced { ", replaced" } else { "" };
                write!(f, "freeze task manager {nth}{end}")
            }
            Self::FreezeLeader => f.write_str("freeze leader"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_long_plan_has_what_a_run_must_show() {
        let least = Counts {
            kills: 15,
            in_restore: 3,
            leaders: 3,
            zombies: 2,
        };
        for seed in 0..50 {
            let plan = Plan::long(seed);
            assert!(plan.counts().reach(least), "{}", plan.counts());
            assert!(plan.pace.lasts >= Duration::from_secs(90));
            let pauses: Duration = plan.acts.iter().map(|(pause, _)| *pause).sum();
            assert!(pauses < plan.pace.lasts, "{pauses:?}");
        }
    }

    #[test]
    fn every_quick_plan_has_a_kill_in_a_restore_a_change_of_leader_and_a_zombie() {
        let least = Counts {
            kills: 3,
            in_restore: 1,
            leaders: 1,
            zombies: 1,
        };
        assert!((0..50).all(|seed| Plan::quick(seed).counts().reach(least)));
    }
}
