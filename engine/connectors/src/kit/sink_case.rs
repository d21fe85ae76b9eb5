//! What the kit does to a sink: cases, each a list of steps.
//!
//! Invariant: every step is legal for an engine: it publishes only what was staged, commits only
//! what was published, and hands each attempt a new number. Does not know sinks.

use std::fmt;

/// One step of a case. Checkpoints are named by their numbers in the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Writes so many records.
    Write(u64),
    /// Hands on what is buffered.
    Flush,
    /// A barrier.
    Stage(u64),
    /// Waits until what was staged is durable; the snapshot holds it from now on.
    Snapshot(u64),
    /// The checkpoint exists.
    Publish(u64),
    /// A notice of the checkpoint arrives: all that is held up to it is committed.
    Notify(u64),
    /// The same, but nobody hears the answer, so that all is held as before.
    NotifyUnheard(u64),
    /// The same, but the process dies in between: the first of the committables alone is committed.
    NotifyPartly(u64),
    /// The input has ended.
    Finish,
    /// All is committed: what earlier attempts left is removed.
    Sweep,
    /// The process dies.
    Crash,
    /// The process is declared dead, but goes on.
    Lose,
    /// The lost one commits what it holds, once more, and writes and stages more.
    LostGoesOn,
    /// A new attempt starts from the latest checkpoint.
    Restore,
    /// A new attempt starts from this checkpoint, and counts on from it.
    RestoreOlder(u64),
    /// Commits what was restored.
    Recommit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(count) => write!(f, "write {count} records"),
            Self::Flush => f.write_str("flush"),
            Self::Stage(id) => write!(f, "stage c{id}"),
            Self::Snapshot(id) => write!(f, "snapshot c{id}"),
            Self::Publish(id) => write!(f, "publish c{id}"),
            Self::Notify(id) => write!(f, "commit up to c{id}"),
            Self::NotifyUnheard(id) => write!(f, "commit up to c{id}, answer lost"),
            Self::NotifyPartly(id) => write!(f, "commit up to c{id}, in part"),
            Self::Finish => f.write_str("finish"),
            Self::Sweep => f.write_str("sweep"),
            Self::Crash => f.write_str("crash"),
            Self::Lose => f.write_str("lose the attempt"),
            Self::LostGoesOn => f.write_str("the lost attempt goes on"),
            Self::Restore => f.write_str("restore the latest checkpoint"),
            Self::RestoreOlder(id) => write!(f, "restore c{id}"),
            Self::Recommit => f.write_str("commit what was restored"),
        }
    }
}

/// A list of steps with a name.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

impl Case {
    fn new(name: impl Into<String>, steps: Vec<Step>) -> Self {
        let name = name.into();
        Self { name, steps }
    }
}

/// The steps of a job without failures: a checkpoint with many records, with one, with none, and
/// one that is complete only after a later one was triggered.
const BASE: [Step; 23] = [
    Step::Write(5),
    Step::Flush,
    Step::Write(2),
    Step::Stage(1),
    Step::Write(1),
    Step::Snapshot(1),
    Step::Publish(1),
    Step::Notify(1),
    Step::Stage(2),
    Step::Snapshot(2),
    Step::Publish(2),
    Step::Notify(2),
    Step::Stage(3),
    Step::Snapshot(3),
    Step::Publish(3),
    Step::Notify(3),
    Step::Write(4),
    Step::Stage(4),
    Step::Snapshot(4),
    Step::Write(1),
    Step::Publish(4),
    Step::Notify(4),
    Step::Write(3),
];

/// From a restored attempt to the end of the job, with checkpoints from `next` on.
fn to_the_end(next: u64) -> Vec<Step> {
    vec![
        Step::Write(1),
        Step::Stage(next),
        Step::Snapshot(next),
        Step::Publish(next),
        Step::Notify(next),
        Step::Write(6),
        Step::Finish,
        Step::Stage(next + 1),
        Step::Snapshot(next + 1),
        Step::Publish(next + 1),
        Step::Notify(next + 1),
        Step::Sweep,
    ]
}

/// All that the kit does with checkpoints.
pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![Case::new("no failure", joined(&[&BASE, &to_the_end(9)]))];
    for (count, last) in (1..).zip(BASE) {
        let before = &BASE[..count];
        let after = to_the_end(9);
        let cases_here: [(&str, &[Step]); 4] = [
            ("crash after", &[Step::Crash, Step::Restore, Step::Recommit]),
            (
                "two crashes, the second before anything is committed, after",
                &[
                    Step::Crash,
                    Step::Restore,
                    Step::Crash,
                    Step::Restore,
                    Step::Recommit,
                ],
            ),
            (
                "two crashes, the second when all is committed, after",
                &[
                    Step::Crash,
                    Step::Restore,
                    Step::Recommit,
                    Step::Crash,
                    Step::Restore,
                    Step::Recommit,
                ],
            ),
            (
                "an attempt that is lost and goes on after",
                &[Step::Lose, Step::Restore, Step::Recommit, Step::LostGoesOn],
            ),
        ];
        for (what, failure) in cases_here {
            let name = format!("{what} {last} (step {count})");
            cases.push(Case::new(name, joined(&[before, failure, &after])));
        }
    }
    cases.extend(notices());
    cases.extend(older());
    cases
}

/// Notices lost, late, doubled, unheard and cut short.
fn notices() -> Vec<Case> {
    let after = to_the_end(9);
    let first = [
        Step::Write(3),
        Step::Stage(1),
        Step::Snapshot(1),
        Step::Publish(1),
    ];
    let second = [
        Step::Write(1),
        Step::Stage(2),
        Step::Snapshot(2),
        Step::Publish(2),
    ];
    let again = [Step::Crash, Step::Restore, Step::Recommit];
    let declined = [
        Step::Write(1),
        Step::Stage(2),
        Step::Snapshot(2),
        Step::Write(2),
    ];
    let aborted = [Step::Write(2), Step::Stage(2), Step::Write(1)];
    let cases: [(&str, Vec<Step>); 8] = [
        (
            "the notice of c1 is lost",
            joined(&[&first, &second, &[Step::Notify(2)]]),
        ),
        (
            "the notice of c1 is late",
            joined(&[&first, &second, &[Step::Notify(2), Step::Notify(1)]]),
        ),
        (
            "the notice of c1 is doubled",
            joined(&[&first, &[Step::Notify(1), Step::Notify(1)], &second]),
        ),
        (
            "the answer of a commit is lost, and it is repeated",
            joined(&[&first, &[Step::NotifyUnheard(1), Step::Notify(1)]]),
        ),
        (
            "the answer of a commit is lost with the process",
            joined(&[&first, &second, &[Step::NotifyUnheard(2)], &again]),
        ),
        (
            "a commit is cut short by a crash",
            joined(&[&first, &second, &[Step::NotifyPartly(2)], &again]),
        ),
        (
            "a checkpoint is staged and never published",
            joined(&[&first, &[Step::Notify(1)], &declined]),
        ),
        (
            "a checkpoint is given up before its snapshot",
            joined(&[&first, &[Step::Notify(1)], &aborted]),
        ),
    ];
    let cases = cases.into_iter();
    cases
        .map(|(name, steps)| Case::new(name, joined(&[&steps, &after])))
        .collect()
}

/// An older checkpoint than the latest is restored; the numbers of checkpoints come again.
fn older() -> Vec<Case> {
    let first = [
        Step::Write(3),
        Step::Stage(1),
        Step::Snapshot(1),
        Step::Publish(1),
        Step::Notify(1),
    ];
    let second = [
        Step::Write(1),
        Step::Stage(2),
        Step::Snapshot(2),
        Step::Publish(2),
    ];
    let back = [Step::Crash, Step::RestoreOlder(1), Step::Recommit];
    vec![
        Case::new(
            "an older checkpoint is restored when the latest is committed",
            joined(&[&first, &second, &[Step::Notify(2)], &back, &to_the_end(2)]),
        ),
        Case::new(
            "an older checkpoint is restored when the latest is not committed",
            joined(&[&first, &second, &back, &to_the_end(2)]),
        ),
    ]
}

/// A job that takes no checkpoints.
pub(super) fn without_checkpoints() -> Case {
    let steps = [Step::Write(5), Step::Flush, Step::Write(1), Step::Finish];
    let end = [
        Step::Snapshot(1),
        Step::Publish(1),
        Step::Notify(1),
        Step::Sweep,
    ];
    Case::new("no checkpoints", joined(&[&steps, &end]))
}

fn joined(parts: &[&[Step]]) -> Vec<Step> {
    parts.concat()
}
