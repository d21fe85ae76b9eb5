//! Small jobs, end to end on the real world: the same result at every parallelism.

use sameriver::connectors::Generator;
use sameriver::prelude::*;
use sameriver::{FailureKind, JobEnd, JobError, JobStatus};

fn words() -> Vec<String> {
    let text = "the river is everywhere at once at the source and at the mouth";
    text.split(' ').map(str::to_owned).collect()
}

fn at(parallelism: u32, task_managers: u32) -> Settings {
    Settings {
        parallelism,
        task_managers,
        ..Settings::default()
    }
}

/// Parallelism and task managers of the runs that must agree.
const SHAPES: [(u32, u32); 4] = [(1, 1), (2, 1), (4, 1), (4, 2)];

/// The collection `out` of a job, sorted, once it is equal in all shapes.
fn collected<T>(job: fn(&mut Environment) -> Result<(), BuildError>) -> Vec<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Send + Ord + std::fmt::Debug + 'static,
{
    let run = |(parallelism, task_managers)| {
        let result = sameriver::run_blocking(job, &at(parallelism, task_managers));
        let result = result.expect("a job that finishes");
        let mut records = result
            .collected::<T>("out")
            .expect("a collection named out");
        records.sort();
        records
    };
    let one = run(SHAPES[0]);
    for shape in &SHAPES[1..] {
        assert_eq!(run(*shape), one, "parallelism and task managers {shape:?}");
    }
    one
}

fn final_counts(mut counts: Vec<(String, u64)>) -> Vec<(String, u64)> {
    counts.sort_by(|a, b| b.cmp(a));
    counts.dedup_by(|a, b| a.0 == b.0);
    counts.reverse();
    counts
}

#[test]
fn words_are_counted_alike_at_every_parallelism() {
    let counts = collected::<(String, u64)>(|env| {
        env.elements("words", words())
            .map(|word| (word, 1_u64))
            .key_by_ref(|(word, _)| word.as_str())
            .sum("count", |(_, n)| *n)
            .collect("out")
    });
    let counts = final_counts(counts);
    assert_eq!(counts.len(), 9);
    assert!(counts.contains(&("at".to_owned(), 3)));
    assert!(counts.contains(&("river".to_owned(), 1)));
}

#[test]
fn a_stream_read_twice_and_joined_again_has_every_record_twice() {
    let lengths = collected::<u64>(|env| {
        let words = env.elements("words", words());
        let long = words.clone().filter(|word| word.len() > 3);
        let again = words.flat_map(|word: String, out: &mut Out<'_, String>| {
            if word.len() > 3 {
                out.emit(word);
            }
        });
        long.union(again)
            .map(|word| word.len() as u64)
            .rebalance()
            .collect("out")
    });
    assert_eq!(lengths, [4, 4, 5, 5, 5, 5, 6, 6, 10, 10]);
}

#[test]
fn a_broadcast_reaches_every_subtask() {
    let job = |env: &mut Environment| {
        env.elements("numbers", [1_u64, 2])
            .broadcast()
            .map(|n| n * 10)
            .collect("out")
    };
    let result = sameriver::run_blocking(job, &at(3, 1)).expect("a job that finishes");
    let mut records = result.collected::<u64>("out").expect("a collection");
    records.sort_unstable();
    assert_eq!(records, [10, 10, 10, 20, 20, 20]);
}

#[test]
fn reduce_min_and_max_keep_one_value_a_key() {
    let seen = collected::<(u64, u64)>(|env| {
        let pairs = env.elements("pairs", [(1_u64, 5_u64), (1, 3), (2, 9), (1, 8)]);
        let most = pairs
            .clone()
            .key_by(|pair| pair.0)
            .max("max", |pair| pair.1);
        let least = pairs
            .clone()
            .key_by(|pair| pair.0)
            .min("min", |pair| pair.1);
        let sums = pairs
            .key_by(|pair| pair.0)
            .reduce("reduce", |a, b| (a.0, a.1 + b.1));
        most.union(least).union(sums).collect("out")
    });
    assert!(seen.contains(&(1, 16)), "{seen:?}");
    assert!(seen.contains(&(1, 3)), "{seen:?}");
    assert!(seen.contains(&(1, 8)), "{seen:?}");
}

#[test]
fn windows_count_by_event_time_and_late_records_go_aside() {
    fn job(env: &mut Environment) -> Result<(), BuildError> {
        let clicks = [(1_u32, 5_i64), (1, 59), (1, 61), (1, 200), (1, 30)];
        let (counts, late) = env
            .elements("clicks", clicks)
            .parallelism(1)
            .watermarks(Watermarks::ascending().event_time(|click: &(u32, i64)| click.1))
            .key_by(|click| click.0)
            .window(Tumbling::of(millis(60)))
            .aggregate_with_late("per-window", Count);
        late.map(|click| (click.1, 0_u64)).collect("late")?;
        counts
            .map(|count| (count.window.start.as_millis(), count.value))
            .collect("out")
    }
    let settings = Settings {
        slice_records: 1,
        ..Settings::default()
    };
    let result = sameriver::run_blocking(job, &settings).expect("a job that finishes");
    let counts = result.collected::<(i64, u64)>("out").expect("a collection");
    assert_eq!(counts, [(0, 2), (60, 1), (180, 1)]);
    let late = result
        .collected::<(i64, u64)>("late")
        .expect("a collection");
    assert_eq!(late, [(30, 0)]);
}

/// Emits a number when its timer fires.
#[derive(Clone)]
struct AtItsTime;

impl KeyedProcess<u64, u64> for AtItsTime {
    type Out = (u64, i64);
    type States = ListState<u64>;

    fn states(&self, declare: &mut Declare<'_, u64>) -> Result<ListState<u64>, DeclareError> {
        declare.list("held")
    }

    fn record(
        &self,
        held: &ListState<u64>,
        number: u64,
        at: &mut At<'_, u64>,
        _: &mut Out<'_, (u64, i64)>,
    ) -> Result<(), UserError> {
        held.push(at, number)?;
        at.timer_at(number as i64 * 10)?;
        Ok(())
    }

    fn timer(
        &self,
        held: &ListState<u64>,
        timer: Timer,
        at: &mut At<'_, u64>,
        out: &mut Out<'_, (u64, i64)>,
    ) -> Result<(), UserError> {
        held.read(at, |numbers| {
            for number in numbers {
                out.emit((*number, timer.time().as_millis()));
            }
        })?;
        held.clear(at)?;
        Ok(())
    }
}

#[test]
fn timers_fire_once_at_their_event_time() {
    let fired = collected::<(u64, i64)>(|env| {
        env.elements("numbers", [3_u64, 1, 2])
            .watermarks(Watermarks::ascending().event_time(|n: &u64| *n as i64))
            .key_by(|n| *n)
            .process("at-its-time", AtItsTime)
            .collect("out")
    });
    assert_eq!(fired, [(1, 10), (2, 20), (3, 30)]);
}

#[test]
fn a_failing_function_names_operator_position_and_cause() {
    let job = |env: &mut Environment| {
        env.elements("texts", ["1".to_owned(), "x".to_owned()])
            .try_map(|text: String| Ok(text.parse::<u64>()?))
            .name("parse")
            .collect("out")
    };
    let error = sameriver::run_blocking(job, &at(1, 1)).expect_err("x is no number");
    assert_eq!(error.kind(), FailureKind::User);
    let error = error.to_string();
    assert!(error.contains("operator parse failed at"), "{error}");
    assert!(error.contains("invalid digit found in string"), "{error}");
}

#[test]
fn a_panic_in_a_function_fails_the_job_and_not_the_program() {
    let job = |env: &mut Environment| {
        env.elements("numbers", [0_u64])
            .map(|n| 1_u64.checked_div(n).expect("no number is zero"))
            .collect("out")
    };
    let error = sameriver::run_blocking(job, &at(1, 1)).expect_err("a function that panics");
    assert!(error.to_string().contains("no number is zero"), "{error}");
}

#[test]
fn a_sum_that_overflows_fails_the_job() {
    let job = |env: &mut Environment| {
        env.elements("numbers", [200_u8, 100])
            .key_by(|_| 0_u64)
            .sum("sum", |n| *n)
            .collect("out")
    };
    let error = sameriver::run_blocking(job, &at(1, 1)).expect_err("300 is no u8");
    assert!(
        error.to_string().contains("out of the range of u8"),
        "{error}"
    );
}

#[tokio::test]
async fn an_environment_runs_inside_a_tokio_program() {
    let mut env = Environment::new(at(2, 1));
    let doubled = env.elements("numbers", [1_u64, 2]).map(|n| n * 2);
    doubled.collect("out").expect("nothing is wrong so far");
    let result = env.run().await.expect("a job that finishes");
    let mut records = result.collected::<u64>("out").expect("a collection");
    records.sort_unstable();
    assert_eq!(records, [2, 4]);
    assert_eq!(result.end(), &JobEnd::Finished);
}

#[tokio::test]
async fn a_job_that_never_ends_can_be_cancelled() {
    let job = |env: &mut Environment| {
        let endless = Generator::sequence(u64::MAX, |n| n).rate_per_second(1_000);
        env.source("endless", endless).discard("nowhere")
    };
    let handle = sameriver::start(job, &at(1, 1)).expect("a job that can be built");
    assert!(
        !handle
            .status()
            .await
            .expect("the job master answers")
            .is_terminal()
    );
    let control = handle.control();
    handle.cancel().await;
    let result = handle.wait().await.expect("a cancelled job is a result");
    assert_eq!(result.end(), &JobEnd::Cancelled);
    assert_eq!(control.status().await, Ok(JobStatus::Cancelled));
}

#[test]
fn a_job_that_cannot_be_built_does_not_start() {
    let refused = sameriver::start(|_: &mut Environment| Ok(()), &at(1, 1));
    assert!(matches!(refused, Err(JobError::Build(_))));
}

#[test]
fn one_writer_gets_the_records_of_all_subtasks() {
    let job = |env: &mut Environment| {
        let numbers = env.elements("numbers", 0..100_u64).map(|n| n);
        numbers.sink_at("out", 1, sameriver::connectors::Collect::named("out"))
    };
    let result = sameriver::run_blocking(job, &at(4, 1)).expect("a job that finishes");
    let writers = result.vertices().last().expect("a sink").subtasks.len();
    assert_eq!(writers, 1);
    assert_eq!(
        result.collected::<u64>("out").expect("a collection").len(),
        100
    );
}
