//! Every keyed operator, cut by snapshots at random places and opened again from them, gives the
//! results of one that was never interrupted.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use sameriver_model::{EventTime, Watermark};
use sameriver_state::{At, Declare, DeclareError, ListState, MapState, ValueState};

use crate::consumer::{Consumer, Progress};
use crate::context::Context;
use crate::error::{OperatorError, UserError};
use crate::key_selector::ByValue;
use crate::keyed::{self, KeyedProcess, Timer};
use crate::open::OpenArgs;
use crate::out::Out;
use crate::testing::{
    Collecting, Log, Seen, args, context_with_timers_max, reopened, snapshot_of,
    snapshot_under_way, timed,
};
use crate::transform::map;
use crate::window::{self, Count, Tumbling};

/// A key, a number, an event time.
type Click = (u8, u64, i64);

#[derive(Clone, Debug)]
enum Step {
    Slice(Vec<Click>),
    Watermark(i64),
    /// A snapshot that another attempt opens from; whether the task resumes it first.
    Reopen(bool),
    /// A snapshot that is taken while the next steps go on.
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let click = (0..6_u8, 0..9_u64, 0..100_i64);
    let step = prop_oneof![
        4 => vec(click, 0..6).prop_map(Step::Slice),
        3 => (0..120_i64).prop_map(Step::Watermark),
        2 => any::<bool>().prop_map(Step::Reopen),
        1 => Just(Step::Cut),
    ];
    vec(step, 0..40)
}

type Opened = Result<Box<dyn Consumer<Click>>, OperatorError>;

/// Runs a chain and gives its records in order.
struct Runner<O, F> {
    open: F,
    link: Box<dyn Consumer<Click>>,
    log: Log<O>,
    results: Vec<(O, Option<i64>)>,
    left: Progress,
    cx: Context,
}

impl<O, F> Runner<O, F>
where
    O: Send + 'static,
    F: Fn(&OpenArgs, Box<dyn Consumer<O>>) -> Opened,
{
    fn new(open: F, timers_max: usize) -> Self {
        let (end, log) = Collecting::new();
        let link = open(&args(8), end).expect("opens");
        Self {
            open,
            link,
            log,
            results: Vec::new(),
            left: Progress::Done,
            cx: context_with_timers_max(timers_max),
        }
    }

    fn take(&mut self) {
        for seen in self.log.take() {
            if let Seen::Record(record, time) = seen {
                self.results.push((record, time));
            }
        }
    }

    fn drain(&mut self) {
        while self.left != Progress::Done {
            self.left = self.link.resume(&mut self.cx).expect("nothing fails");
        }
    }

    fn step(&mut self, step: &Step, is_interrupted: bool) {
        match step {
            Step::Slice(clicks) => {
                self.drain();
                let mut slice = timed(clicks.iter().map(|click| (*click, click.2)));
                let done = self.link.slice(&mut slice, &mut self.cx);
                done.expect("nothing fails");
            }
            Step::Watermark(millis) => {
                self.drain();
                let watermark = Watermark::at(EventTime::from_millis(*millis));
                let progress = self.link.watermark(watermark, &mut self.cx);
                self.left = progress.expect("nothing fails");
            }
            Step::Reopen(_) | Step::Cut if !is_interrupted => {}
            Step::Reopen(resumes) => {
                self.take();
                let (end, log) = Collecting::new();
                let open = |args: &OpenArgs| (self.open)(args, end);
                self.link = reopened(&mut *self.link, &args(8), open);
                self.log = log;
                self.left = if *resumes {
                    Progress::More
                } else {
                    Progress::Done
                };
            }
            Step::Cut => _ = snapshot_of(&mut *self.link),
        }
    }
}

/// Compares an interrupted run with one that is not.
fn check<O: Send + Debug + PartialEq + 'static>(
    open: impl Fn(&OpenArgs, Box<dyn Consumer<O>>) -> Opened,
    timers_max: usize,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let run = |is_interrupted| {
        let mut runner = Runner::new(&open, timers_max);
        for step in steps.iter().chain([&Step::Watermark(i64::MAX)]) {
            runner.step(step, is_interrupted);
        }
        runner.drain();
        runner.take();
        runner.results
    };
    prop_assert_eq!(run(true), run(false));
    Ok(())
}

/// Uses every kind of state, and a timer that sets another one.
#[derive(Clone)]
struct Everything;

type Handles = (ValueState<u64>, ListState<u64>, MapState<u64, i64>);

impl KeyedProcess<u8, Click> for Everything {
    type Out = (u8, String);
    type States = Handles;

    fn states(&self, declare: &mut Declare<'_, u8>) -> Result<Handles, DeclareError> {
        let (value, list) = (declare.value("value")?, declare.list("list")?);
        Ok((value, list, declare.map("map")?))
    }

    fn record(
        &self,
        (value, list, map): &Handles,
        (key, number, time): Click,
        at: &mut At<'_, u8>,
        out: &mut Out<'_, (u8, String)>,
    ) -> Result<(), UserError> {
        let sum = value.update(at, |sum| {
            *sum = Some(sum.unwrap_or(0) + number);
            *sum
        })?;
        list.push(at, number)?;
        map.insert(at, number, time)?;
        match number {
            0 => value.clear(at)?,
            1 => list.clear(at)?,
            2 => _ = map.remove(at, &3)?,
            3 => at.delete_timer(time + 7)?,
            _ => at.timer_at(time + number as i64)?,
        }
        out.emit((key, format!("{sum:?} at {:?}", at.watermark())));
        Ok(())
    }

    fn timer(
        &self,
        (value, list, map): &Handles,
        timer: Timer,
        at: &mut At<'_, u8>,
        out: &mut Out<'_, (u8, String)>,
    ) -> Result<(), UserError> {
        let list = list.read(at, <[u64]>::to_vec)?;
        let mut entries = Vec::new();
        map.for_each(at, |number, time| entries.push((*number, *time)))?;
        let value = value.get(at)?;
        if timer.time().as_millis() % 3 == 0 {
            at.timer_at(timer.time().as_millis() + 11)?;
        }
        let all = format!("{value:?} {list:?} {entries:?} at {:?}", at.watermark());
        out.emit((*at.key(), all));
        Ok(())
    }
}

fn by_key() -> ByValue<impl Fn(&Click) -> u8 + Clone + Send + Sync + 'static, u8> {
    ByValue::new(|click: &Click| click.0)
}

proptest! {
    #[test]
    fn a_process_goes_on_after_a_restore_as_if_nothing_had_happened(
        timers_max in 1..4_usize,
        steps in steps(),
    ) {
        let open = |args: &OpenArgs, end| {
            keyed::process("everything", by_key(), Everything, args, end)
        };
        check(open, timers_max, &steps)?;
    }

    #[test]
    fn a_reduce_goes_on_after_a_restore_as_if_nothing_had_happened(steps in steps()) {
        let open = |args: &OpenArgs, end| {
            let join = |left: Click, right: Click| (left.0, left.1 + right.1, left.2.max(right.2));
            keyed::reduce("joined", by_key(), join, args, end)
        };
        check(open, 1, &steps)?;
    }

    #[test]
    fn a_sum_and_a_maximum_go_on_after_a_restore_as_if_nothing_had_happened(steps in steps()) {
        let open = |args: &OpenArgs, end| keyed::sum("sum", by_key(), |c: &Click| c.1, args, end);
        check(open, 1, &steps)?;
        let open = |args: &OpenArgs, end| keyed::max("max", by_key(), |c: &Click| c.2, args, end);
        check(open, 1, &steps)?;
    }

    #[test]
    fn windows_and_late_verdicts_go_on_after_a_restore_as_if_nothing_had_happened(
        size in 1..40_u64,
        timers_max in 1..4_usize,
        steps in steps(),
    ) {
        let run = |steps: &[Step]| {
            let late = Arc::new(Mutex::new(Vec::new()));
            let open = |args: &OpenArgs, end: Box<dyn Consumer<String>>| {
                let seen = Arc::clone(&late);
                let (side, _) = Collecting::<()>::new();
                let side = map("late", move |click: Click| {
                    seen.lock().expect("not poisoned").push(click);
                }, side);
                let shown = map("shown", |result| format!("{result:?}"), end);
                let size = Tumbling::of(Duration::from_millis(size));
                window::aggregate("counts", by_key(), size, Count, Some(side), args, shown)
            };
            let checked = check(open, timers_max, steps);
            let late = late.lock().expect("not poisoned").clone();
            // Both runs have put theirs there.
            let (one, other) = late.split_at(late.len() / 2);
            prop_assert_eq!(one, other);
            checked
        };
        run(&steps)?;
    }

    /// What goes on while a snapshot is written is not part of it.
    #[test]
    fn a_snapshot_under_way_is_the_operator_at_its_barrier(
        before in vec((0..60_u8, 3..9_u64, 0..100_i64), 0..60),
        after in vec((0..60_u8, 0..9_u64, 0..100_i64), 0..60),
        probe in vec((0..60_u8, 3..9_u64, 0..100_i64), 0..20),
    ) {
        let open = |args: &OpenArgs, end| {
            keyed::process("everything", by_key(), Everything, args, end)
        };
        let slice = |clicks: &[Click]| Step::Slice(clicks.to_vec());
        let mut runner = Runner::new(open, 3);
        runner.step(&slice(&before), false);
        runner.step(&Step::Watermark(30), false);
        runner.drain();
        let mut quiet = Runner::new(open, 3);
        quiet.step(&slice(&before), false);
        quiet.step(&Step::Watermark(30), false);
        quiet.drain();
        let expected = snapshot_of(&mut *quiet.link);

        let mut after = after.chunks(5);
        let cx = &mut context_with_timers_max(3);
        let taken = snapshot_under_way(&mut *runner.link, 1, |link| {
            if let Some(clicks) = after.next() {
                let mut slice = timed(clicks.iter().map(|click| (*click, click.2)));
                link.slice(&mut slice, cx).expect("nothing fails");
            }
        });
        let results = [expected, taken].map(|restored| {
            let restored = Some(Arc::new(restored));
            let (end, log) = Collecting::new();
            let args = OpenArgs { restored, ..args(8) };
            let mut again = Runner::new(open, 3);
            again.link = open(&args, end).expect("opens");
            again.log = log;
            again.step(&slice(&probe), false);
            again.step(&Step::Watermark(500), false);
            again.drain();
            again.take();
            again.results
        });
        prop_assert_eq!(&results[0], &results[1]);
    }
}
