//! What the lines of the processes tell about the job.
//!
//! Invariant: of the job's state only the leader's lines tell, that of the highest epoch; what a
//! process says of itself counts at any time. Pure: lines in, knowledge out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A place in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    JobMaster(u32),
    TaskManager(u32),
}

/// A process: the place that it takes, and the how-manieth there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    pub(super) node: Node,
    pub(super) number: u32,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.node {
            Node::JobMaster(index) => write!(f, "jobmaster-{index}.{number}"),
            Node::TaskManager(index) => write!(f, "taskmanager-{index}.{number}"),
        }
    }
}

/// An attempt of the job: the epoch of its leader, then its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt(u32, u32);

impl Attempt {
    fn read(written: &str) -> Option<Self> {
        let (epoch, ordinal) = written.strip_prefix('a')?.split_once('.')?;
        Some(Self(epoch.parse().ok()?, ordinal.parse().ok()?))
    }
}

/// How far a task manager is with an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many subtasks it was told to run.
    pub(super) told: u32,
    /// How many snapshots it has read.
    pub(super) read: u32,
    /// How many subtasks run.
    pub(super) running: u32,
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The highest epoch, and who leads in it.
    leader: Option<(u32, Life)>,
    /// How often the one who leads was at another place than the one before.
    pub(super) leader_changes: u32,
    /// The attempt that the leader last spoke of.
    pub(super) attempt: Attempt,
    /// Whether all subtasks of the attempt run.
    pub(super) is_running: bool,
    /// Whether the first subtasks of the attempt have come to their end.
    pub(super) is_finishing: bool,
    /// Whether the leader says that the job is finished.
    pub(super) is_finished: bool,
    /// Checkpoints that were published since the attempt runs.
    pub(super) published: u32,
    /// Checkpoints that were published in all.
    pub(super) published_ever: u32,
    /// Who began to restore each attempt.
    pub(super) restores: BTreeMap<Attempt, Life>,
    /// The attempts that have come to run.
    ran: BTreeSet<Attempt>,
    progress: BTreeMap<(Life, Attempt), Progress>,
    /// Bytes of snapshots that each attempt was restored from.
    bytes: BTreeMap<Attempt, u64>,
    /// How often each process has told that another leads, or that its job master is lost.
    awakenings: BTreeMap<Life, u32>,
    /// Lines that no process should ever say.
    pub(super) alarms: Vec<String>,
}

impl Seen {
    /// A process has written a line.
    pub(super) fn on_line(&mut self, from: Life, line: &str) {
        if line.contains("panicked") {
            self.alarms.push(format!("{from}: {line}"));
        }
        match from.node {
            Node::JobMaster(_) => self.on_master(from, line),
            Node::TaskManager(_) => self.on_task_manager(from, line),
        }
    }

    /// Who leads.
    pub(super) fn leader(&self) -> Option<Life> {
        self.leader.map(|(_, life)| life)
    }

    /// The highest epoch; 0 before anybody led.
    pub(super) fn epoch(&self) -> u32 {
        self.leader.map_or(0, |(epoch, _)| epoch)
    }

    /// How far a task manager is with an attempt.
    pub(super) fn progress(&self, life: Life, attempt: Attempt) -> Progress {
        let progress = self.progress.get(&(life, attempt));
        progress.copied().unwrap_or_default()
    }

    /// Whether an attempt has ever run.
    pub(super) fn has_run(&self, attempt: Attempt) -> bool {
        self.ran.contains(&attempt)
    }

    /// Whether the task manager runs a part of the job now.
    pub(super) fn hosts(&self, life: Life) -> bool {
        self.progress(life, self.attempt).told > 0
    }

    /// How often a process has found out that the world has gone on without it.
    pub(super) fn awakenings(&self, life: Life) -> u32 {
        self.awakenings.get(&life).copied().unwrap_or(0)
    }

    /// The bytes of the largest state that was restored.
    pub(super) fn largest_restore_bytes(&self) -> u64 {
        self.bytes.values().copied().max().unwrap_or(0)
    }

    fn on_master(&mut self, from: Life, line: &str) {
        if let Some(epoch) = number(line, " leads the job ", "epoch") {
            let before = self.leader();
            if epoch > self.epoch() {
                let is_change = before.is_some_and(|before| before.node != from.node);
                self.leader_changes += u32::from(is_change);
                self.leader = Some((epoch, from));
                self.stop();
            }
        }
        if line.contains(" deposed: ") {
            *self.awakenings.entry(from).or_default() += 1;
        }
        self.is_finished |= line.contains(" is over already");
        if self.leader() != Some(from) {
            return;
        }
        if let Some(attempt) = attempt_of(line, " restore ") {
            self.restores.insert(attempt, from);
            self.enter(attempt);
        } else if let Some(attempt) = attempt_of(line, " job ") {
            self.enter(attempt);
            self.is_running = field(line, "to") == Some("running");
            self.is_finishing = field(line, "to") == Some("finishing");
            self.is_finished |= field(line, "to") == Some("finished");
            if self.is_running {
                self.ran.insert(attempt);
            }
        } else if line.contains(" checkpoint published ") {
            self.published += u32::from(self.is_running);
            self.published_ever += 1;
        }
    }

    fn enter(&mut self, attempt: Attempt) {
        if attempt > self.attempt {
            self.attempt = attempt;
            self.stop();
        }
    }

    /// What ran before does not any more.
    fn stop(&mut self) {
        self.is_running = false;
        self.is_finishing = false;
        self.published = 0;
    }

    fn on_task_manager(&mut self, from: Life, line: &str) {
        if [" lost the job master ", " not registered "]
            .iter()
            .any(|text| line.contains(text))
        {
            *self.awakenings.entry(from).or_default() += 1;
        }
        if let Some(attempt) = attempt_of(line, " deploy ") {
            let told = number(line, " deploy ", "subtasks").unwrap_or(0);
            self.progress.entry((from, attempt)).or_default().told = told;
        } else if let Some(attempt) = attempt_of(line, " snapshot read ") {
            self.progress.entry((from, attempt)).or_default().read += 1;
            let bytes = field(line, "bytes").and_then(|bytes| bytes.parse().ok());
            *self.bytes.entry(attempt).or_default() += bytes.unwrap_or(0);
        } else if let Some(attempt) = attempt_of(line, " subtask runs ") {
            self.progress.entry((from, attempt)).or_default().running += 1;
        }
    }
}

/// The value of a field of a log line.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let head = format!(" {name}=");
    let (_, rest) = line.split_once(&head)?;
    rest.split_whitespace().next()
}

fn number(line: &str, text: &str, name: &str) -> Option<u32> {
    if !line.contains(text) {
        return None;
    }
    field(line, name)?.parse().ok()
}

fn attempt_of(line: &str, text: &str) -> Option<Attempt> {
    if !line.contains(text) {
        return None;
    }
    Attempt::read(field(line, "attempt")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn life(node: Node) -> Life {
        Life { node, number: 1 }
    }

    const FIRST: Life = life(Node::JobMaster(0));
    const SECOND: Life = life(Node::JobMaster(1));
    const WORKER: Life = life(Node::TaskManager(2));

    fn seen(lines: &[(Life, &str)]) -> Seen {
        let mut seen = Seen::default();
        for (from, line) in lines {
            let line = format!("2026-01-01T00:00:00.000000Z  INFO sameriver_x::y: {line}");
            seen.on_line(*from, &line);
        }
        seen
    }

    #[test]
    fn only_the_newest_leader_tells_how_the_job_is() {
        let mut lines = vec![
            (FIRST, "leads the job epoch=1"),
            (
                FIRST,
                "job job=\"x\" from=deploying to=running attempt=a1.1",
            ),
            (FIRST, "checkpoint published checkpoint=c1 (a1.1)"),
        ];
        let before = seen(&lines);
        assert!(before.is_running && before.published == 1);
        lines.push((SECOND, "leads the job epoch=2"));
        lines.push((FIRST, "checkpoint published checkpoint=c2 (a1.1)"));
        let after = seen(&lines);
        assert_eq!((after.leader(), after.leader_changes), (Some(SECOND), 1));
        assert!(!after.is_running && after.published == 0);
        lines.push((FIRST, "deposed: another job master leads by_epoch=2"));
        assert_eq!(seen(&lines).awakenings(FIRST), 1);
    }

    #[test]
    fn a_restore_is_followed_from_the_order_to_the_last_subtask() {
        let lines = [
            (FIRST, "leads the job epoch=1"),
            (FIRST, "restore attempt=a1.2 checkpoint=c3 (a1.1)"),
            (WORKER, "deploy task_manager=tm2 attempt=a1.2 subtasks=2"),
            (
                WORKER,
                "snapshot read subtask=v0/0 attempt=a1.2 checkpoint=c3 bytes=70",
            ),
            (WORKER, "subtask runs subtask=v0/0 attempt=a1.2 slot=0"),
        ];
        let seen = seen(&lines);
        let attempt = Attempt(1, 2);
        let progress = Progress {
            told: 2,
            read: 1,
            running: 1,
        };
        assert_eq!(seen.progress(WORKER, attempt), progress);
        assert_eq!(seen.restores.get(&attempt), Some(&FIRST));
        assert!(seen.hosts(WORKER) && !seen.has_run(attempt));
        assert_eq!(seen.largest_restore_bytes(), 70);
    }

    #[test]
    fn a_panic_of_any_process_is_an_alarm() {
        let lines = [(WORKER, "a task of a task manager panicked")];
        assert_eq!(seen(&lines).alarms.len(), 1);
    }
}
