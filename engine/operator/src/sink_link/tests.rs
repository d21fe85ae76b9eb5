//! Sinks: room, the end, and the way of what is staged from its barrier to its commit.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use sameriver_runtime::BoxFuture;

use super::*;
use crate::sink::{CommitError, Committable};
use crate::testing::{
    Collecting, Errands, Seen, args, context, failure_of, run, snapshot_under_way, timed, untimed,
};
use crate::transform::{fan_out, map};

/// A sink without a committer.
fn plain<T: Element>(name: &str, writer: impl SinkWriter<T> + 'static) -> Box<dyn Consumer<T>> {
    sink(name, Box::new(writer), None, &args(8)).expect("opens")
}

/// Has no room, needs two calls to finish, and refuses the number 13.
struct Slow(u32);

impl SinkWriter<u64> for Slow {
    fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
        let unlucky = batch.records().contains(&13);
        batch.clear();
        if !unlucky {
            return Ok(());
        }
        Err(SinkError::Other {
            output: "totals/".into(),
            cause: "13 is unlucky".into(),
        })
    }

    fn has_room(&self) -> bool {
        false
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.0 += 1;
        Ok(if self.0 < 2 {
            Progress::Waiting
        } else {
            Progress::Done
        })
    }
}

#[test]
fn a_writer_that_is_not_finished_is_asked_again() {
    let mut slow = plain("totals", Slow(0));
    let cx = &mut context();
    assert_eq!(slow.finish(cx).expect("works"), Progress::Waiting);
    assert_eq!(slow.resume(cx).expect("works"), Progress::Done);
}

/// Drains records and forgets their event times, or only looks at them.
struct Careless {
    drains: bool,
}

impl SinkWriter<u64> for Careless {
    fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
        if self.drains {
            batch.parts_mut().0.clear();
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        Ok(Progress::Done)
    }
}

#[test]
fn what_a_writer_leaves_in_a_batch_never_meets_the_next_records() {
    for drains in [true, false] {
        let (end, seen) = Collecting::new();
        let careless = || plain("careless", Careless { drains });
        let mapped = map("same", |n: u64| n, careless());
        let mut all = fan_out::<u64>(vec![mapped, end, careless()]);
        run(&mut *all, timed([(1, 10)]), None);
        run(&mut *all, timed([(2, 20)]), None);
        let records = [Seen::Record(1, Some(10)), Seen::Record(2, Some(20))];
        assert_eq!(seen.take(), records);
    }
}

#[test]
fn what_a_writer_clears_or_leaves_waits_to_be_dropped() {
    struct Looking {
        clears: bool,
    }
    impl SinkWriter<String> for Looking {
        fn write(&mut self, batch: &mut Batch<String>) -> Result<(), SinkError> {
            if self.clears {
                batch.clear();
            }
            Ok(())
        }
        fn has_room(&self) -> bool {
            true
        }
        fn flush(&mut self) -> Result<(), SinkError> {
            Ok(())
        }
        fn finish(&mut self) -> Result<Progress, SinkError> {
            Ok(Progress::Done)
        }
    }
    for clears in [true, false] {
        let (mut looking, mut cx) = (plain("looking", Looking { clears }), context());
        let mut batch = Batch::from_parts(vec!["a".to_owned()], None);
        looking.slice(&mut batch, &mut cx).expect("works");
        assert!(batch.is_empty() && batch.spent_mut().is_empty());
        cx.spent.drop_one();
        assert!(cx.spent.is_empty(), "exactly one waited");
    }
}

#[test]
fn a_full_writer_is_a_chain_without_room() {
    assert!(!plain("totals", Slow(0)).has_room());
}

#[test]
fn a_sink_error_names_the_sink() {
    let mut slow = plain("totals", Slow(0));
    let error = failure_of(&mut *slow, untimed([13]), &mut context());
    assert_eq!(error.to_string(), "sink totals: totals/: 13 is unlucky");
}

/// What a commit comes to.
#[derive(Clone, Copy)]
enum Answer {
    Retry,
    Refuse,
    Panic,
}

/// What is outside.
#[derive(Default)]
struct Outside {
    committed: Vec<u8>,
    /// What the next commits come to; then they work.
    answers: VecDeque<Answer>,
    sweeps: usize,
    /// Whether the writer knows what a barrier came to.
    is_slow: bool,
}

#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<Outside>>);

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, Outside> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn committed(&self) -> Vec<u8> {
        self.lock().committed.clone()
    }
}

impl Committer for Outlet {
    fn commit(&self, committables: Vec<Committable>) -> BoxFuture<Result<(), CommitError>> {
        let outside = self.clone();
        Box::pin(async move {
            let answer = outside.lock().answers.pop_front();
            let output = "totals/".to_owned();
            match answer {
                None => {
                    let all = committables
                        .into_iter()
                        .flat_map(|committable| committable.0);
                    outside.lock().committed.extend(all);
                    Ok(())
                }
                Some(Answer::Retry) => Err(CommitError::Retry {
                    output,
                    cause: "busy".to_owned(),
                }),
                Some(Answer::Refuse) => Err(CommitError::Refused {
                    output,
                    what: "1".to_owned(),
                    cause: "another file is there".to_owned(),
                }),
                Some(Answer::Panic) => panic!("a bug of the committer"),
            }
        })
    }

    fn name(&self, committable: &Committable) -> String {
        format!("{:?}", committable.0)
    }

    fn sweep(&self) -> BoxFuture<Result<(), CommitError>> {
        self.lock().sweeps += 1;
        Box::pin(async { Ok(()) })
    }
}

/// Stages each number as a committable.
struct Stager {
    written: Vec<Committable>,
    staged: Vec<Committable>,
    outside: Outlet,
}

impl SinkWriter<u64> for Stager {
    fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
        let numbers = batch.records().iter();
        self.written
            .extend(numbers.map(|number| Committable(vec![*number as u8])));
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.staged.append(&mut self.written);
        Ok(Progress::Done)
    }

    fn stage(&mut self, _checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.staged.append(&mut self.written);
        Ok(())
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        if self.outside.lock().is_slow {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.staged)))
    }
}

struct Rig {
    link: Box<dyn Consumer<u64>>,
    outside: Outlet,
    errands: Errands,
    args: OpenArgs,
}

impl Rig {
    fn new(commits: CommitRule) -> Self {
        let (surroundings, errands) = crate::source::Surroundings::with_errands();
        let args = OpenArgs {
            commits,
            surroundings,
            ..args(8)
        };
        let outside = Outlet::default();
        let link = Self::open(&args, &outside).expect("opens");
        Self {
            link,
            outside,
            errands,
            args,
        }
    }

    fn open(args: &OpenArgs, outside: &Outlet) -> Result<Box<dyn Consumer<u64>>, OperatorError> {
        let writer = Stager {
            written: Vec::new(),
            staged: Vec::new(),
            outside: outside.clone(),
        };
        sink(
            "totals",
            Box::new(writer),
            Some(Box::new(outside.clone())),
            args,
        )
    }

    fn write(&mut self, number: u64) {
        run(&mut *self.link, untimed([number]), None);
    }

    fn snapshot(&mut self, checkpoint: u64) -> sameriver_model::RestoredState {
        snapshot_under_way(&mut *self.link, checkpoint, |_| panic!("nothing waits"))
    }

    /// Lets another attempt open from a snapshot; this one is gone.
    fn reopen(&mut self, restored: sameriver_model::RestoredState) {
        self.args.restored = Some(Arc::new(restored));
        self.link = Self::open(&self.args, &self.outside).expect("opens");
    }

    fn complete(&mut self, checkpoint: u64) {
        let checkpoint = CheckpointId::new(checkpoint);
        self.link.complete(checkpoint).expect("nothing failed yet");
    }

    /// Lets tasks run until nobody has anything to do.
    fn settle(&mut self) -> Result<Progress, OperatorError> {
        for _ in 0..8 {
            self.errands.run();
            let _still_waits = self.link.settle()?;
        }
        self.link.settle()
    }
}

#[test]
fn nothing_is_committed_before_the_checkpoint_that_holds_it_is_complete() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    rig.snapshot(7);
    rig.write(2);
    rig.snapshot(8);
    rig.write(3);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), []);
    rig.complete(7);
    assert_eq!(rig.link.settle().expect("works"), Progress::Waiting);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1]);
    rig.complete(8);
    rig.complete(7);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1, 2]);
}

#[test]
fn a_completed_checkpoint_also_commits_what_skipped_ones_have_staged() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    for number in 1..4 {
        rig.write(number);
        rig.snapshot(number);
    }
    rig.complete(3);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1, 2, 3]);
}

#[test]
fn a_snapshot_waits_until_everything_before_its_barrier_is_outside() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.outside.lock().is_slow = true;
    rig.write(1);
    let (outside, mut waits) = (rig.outside.clone(), 0);
    let snapshot = snapshot_under_way(&mut *rig.link, 7, |_| {
        waits += 1;
        outside.lock().is_slow = waits < 3;
    });
    assert_eq!((waits, snapshot.is_empty()), (3, false));
}

#[test]
fn a_restored_sink_commits_what_the_snapshot_holds_also_of_older_checkpoints() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    rig.snapshot(7);
    rig.write(2);
    let snapshot = rig.snapshot(8);
    rig.write(3);
    rig.reopen(snapshot);
    assert_eq!(rig.link.settle().expect("works"), Progress::Waiting);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1, 2]);
}

#[test]
fn what_is_not_confirmed_is_in_the_next_snapshot_too() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    rig.snapshot(7);
    rig.complete(7);
    // The committer has it, and has not answered.
    rig.write(2);
    let snapshot = rig.snapshot(8);
    rig.reopen(snapshot);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1, 2]);
}

#[test]
fn what_is_confirmed_is_not_in_the_next_snapshot() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    rig.snapshot(7);
    rig.complete(7);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert!(rig.snapshot(8).is_empty());
}

#[test]
fn what_an_abandoned_checkpoint_has_staged_belongs_to_the_next_one() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.outside.lock().is_slow = true;
    rig.write(1);
    let barrier = |checkpoint| Barrier {
        checkpoint: CheckpointId::new(checkpoint),
    };
    rig.link
        .barrier(barrier(7), &mut context())
        .expect("stages");
    rig.link
        .snapshot(&mut SectionWriter::default())
        .expect("begins");
    rig.link.drop_snapshot();
    rig.outside.lock().is_slow = false;
    rig.write(2);
    let snapshot = rig.snapshot(8);
    rig.reopen(snapshot);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1, 2]);
}

#[test]
fn a_commit_is_tried_again_with_longer_and_longer_waits() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.outside.lock().answers = vec![Answer::Retry; 9].into();
    rig.write(1);
    rig.snapshot(7);
    rig.complete(7);
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(rig.settle().expect("works"), Progress::Waiting);
        waits.extend(rig.errands.wake_sleepers());
    }
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    let expected = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
    assert_eq!(waits, expected.map(Duration::from_millis));
    assert_eq!(rig.outside.committed(), [1]);
}

#[test]
fn a_commit_that_goes_on_failing_fails_the_job_at_last_and_says_what_to_do() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.outside.lock().answers = vec![Answer::Retry; 1_000].into();
    rig.write(1);
    let snapshot = rig.snapshot(7);
    rig.complete(7);
    let mut waited = Duration::ZERO;
    let error = loop {
        match rig.settle() {
            Ok(progress) => assert_eq!(progress, Progress::Waiting),
            Err(error) => break error.to_string(),
        }
        waited += rig.errands.wake_sleepers().iter().sum::<Duration>();
        assert!(waited <= rig.args.commit_timeout, "it goes on for ever");
    };
    assert_eq!(waited, rig.args.commit_timeout);
    let expected = "sink totals: totals/: busy: given up after 13 tries within 60s: mend that (a \
                    job that restarts commits again), or raise commit_timeout for longer outages";
    assert_eq!(error, expected);
    // Nothing is lost: the next attempt commits it.
    rig.outside.lock().answers.clear();
    rig.reopen(snapshot);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1]);
}

#[test]
fn a_refused_commit_fails_the_job_and_names_output_and_cause() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.outside.lock().answers = [Answer::Refuse].into();
    rig.write(1);
    rig.snapshot(7);
    rig.complete(7);
    let error = rig.settle().expect_err("refused").to_string();
    let expected = "sink totals: cannot commit 1 to totals/: another file is there";
    assert_eq!(error, expected);
}

#[test]
fn a_committer_that_panics_fails_the_job() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.outside.lock().answers = [Answer::Panic].into();
    rig.write(1);
    rig.snapshot(7);
    rig.complete(7);
    let error = rig.settle().expect_err("panicked").to_string();
    assert!(
        error.contains("cannot commit [1] to totals: the committer panicked"),
        "{error}"
    );
}

#[test]
fn a_sink_that_is_gone_begins_no_commit() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    rig.snapshot(7);
    rig.complete(7);
    let Rig {
        link,
        outside,
        errands,
        ..
    } = rig;
    drop(link);
    errands.run();
    assert_eq!((outside.committed(), errands.tasks()), (vec![], 0));
}

#[test]
fn without_checkpoints_the_end_is_there_when_everything_is_committed_and_swept() {
    let mut rig = Rig::new(CommitRule::AtEnd);
    rig.write(1);
    rig.write(2);
    let cx = &mut context();
    assert_eq!(rig.link.finish(cx).expect("works"), Progress::Waiting);
    assert_eq!(rig.outside.committed(), []);
    for _ in 0..6 {
        rig.errands.run();
        let progress = rig.link.resume(cx).expect("works");
        let is_over = rig.outside.lock().sweeps == 1;
        assert!(progress == Progress::Waiting || is_over);
    }
    assert_eq!(rig.link.resume(cx).expect("works"), Progress::Done);
    assert_eq!(rig.outside.committed(), [1, 2]);
}

#[test]
fn with_checkpoints_the_end_is_committed_and_swept_by_the_one_that_follows_it() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    assert_eq!(
        rig.link.finish(&mut context()).expect("works"),
        Progress::Done
    );
    rig.snapshot(9);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(
        (rig.outside.committed(), rig.outside.lock().sweeps),
        (vec![], 0)
    );
    rig.complete(9);
    assert_eq!(rig.settle().expect("works"), Progress::Done);
    assert_eq!(
        (rig.outside.committed(), rig.outside.lock().sweeps),
        (vec![1], 1)
    );
}

#[test]
fn committables_of_a_sink_that_does_not_commit_any_more_are_refused() {
    let mut rig = Rig::new(CommitRule::OnCheckpoint);
    rig.write(1);
    rig.args.restored = Some(Arc::new(rig.snapshot(7)));
    let refused = sink("totals", Box::new(Slow(0)), None, &rig.args);
    let error = refused.map(|_| ()).expect_err("refused").to_string();
    let expected = "operator totals cannot start from the checkpoint: committables of totals is";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn committables_are_written_as_published() {
    let mut sections = SectionWriter::default();
    let staged = Staged::from([(CheckpointId::new(7), vec![Committable(vec![1, 2])])]);
    let id = saved::section("totals", "", SectionKind::Committables);
    saved::write(id, &staged, &mut sections).expect("is written");
    saved::check_published("committables of c7: one of the bytes 1 and 2", sections);
}
