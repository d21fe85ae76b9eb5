//! What `build()` refuses, and in which words.

use sameriver::prelude::*;

fn numbers(env: &mut Environment) -> DataStream<u64> {
    env.elements("numbers", [1_u64, 2, 3])
}

fn problems(job: fn(&mut Environment) -> Result<(), BuildError>) -> String {
    let refused = sameriver::build_graph(job, &Settings::default());
    refused.expect_err("a job that is refused").to_string()
}

#[test]
fn a_job_without_a_source_is_refused() {
    assert_eq!(
        problems(|_| Ok(())),
        "job job has no source: start with `env.source(name, ..)`"
    );
}

#[test]
fn a_stream_that_leads_nowhere_is_refused() {
    let error = problems(|env| {
        drop(numbers(env).map(|n| n + 1).name("plus one"));
        Ok(())
    });
    assert_eq!(
        error,
        "the stream of plus one (map) leads nowhere: end it with a sink (`.discard(name)` drops it)"
    );
}

#[test]
fn an_unused_source_is_refused() {
    let error = problems(|env| {
        drop(numbers(env));
        env.elements("others", [1_u64]).discard("nowhere")
    });
    assert_eq!(
        error,
        "source numbers is not used: end its stream with a sink (`.discard(name)` drops it), or \
         remove the source"
    );
}

#[test]
fn a_side_output_that_leads_nowhere_is_refused() {
    let error = problems(|env| {
        let (counts, _late) = numbers(env)
            .watermarks(Watermarks::ascending().event_time(|n: &u64| *n as i64))
            .key_by(|n| *n)
            .window(Tumbling::of(secs(1)))
            .aggregate_with_late("counts", Count);
        counts.discard("nowhere")
    });
    assert!(
        error.starts_with("the stream of counts (tumbling window of 1s), side output late, leads"),
        "{error}"
    );
}

#[test]
fn a_uid_is_neither_empty_nor_given_twice() {
    let error = problems(|env| {
        let sums = numbers(env).key_by(|n| *n).sum("sum", |n| *n);
        let sums = sums.key_by(|(n, _)| *n).max("sum", |(_, n)| *n);
        sums.key_by(|(n, _)| *n)
            .max("", |(_, n)| *n)
            .discard("nowhere")
    });
    assert_eq!(
        error,
        "the job has 2 problems:\n  \
         - uid sum is given to one operator (sum) and to another (max): rename one of them\n  \
         - the uid of operator max is empty: give it one that no other operator has"
    );
}

#[test]
fn a_source_without_a_name_is_refused() {
    let error = problems(|env| env.elements(" ", [1_u64]).discard("nowhere"));
    assert_eq!(error, "a source (1 element) has an empty name: give it one");
}

#[test]
fn a_state_that_is_declared_twice_is_refused() {
    let error = problems(|env| {
        numbers(env)
            .key_by(|n| *n)
            .process_fn("twice", |declare| {
                declare.value::<u64>("seen")?;
                declare.list::<u64>("seen")?;
                Ok(|n: u64, _: &mut At<'_, u64>, out: &mut Out<'_, u64>| {
                    out.emit(n);
                    Ok(())
                })
            })
            .discard("nowhere")
    });
    assert!(error.starts_with("state of operator twice: "), "{error}");
    assert!(error.contains("seen"), "{error}");
}

#[test]
fn a_parallelism_out_of_range_names_the_operator() {
    let error = problems(|env| numbers(env).parallelism(129).discard("nowhere"));
    assert!(error.starts_with("operator numbers"), "{error}");
    assert!(
        error.contains("parallelism 129 is above max parallelism 128"),
        "{error}"
    );
    let error = problems(|env| numbers(env).parallelism(0).discard("nowhere"));
    assert_eq!(
        error,
        "operator numbers: parallelism 0 is out of range: choose 1 to 32768"
    );
}

#[test]
fn a_name_applies_to_no_union() {
    let error = problems(|env| {
        let others = env.elements("others", [1_u64]);
        numbers(env).union(others).name("both").discard("nowhere")
    });
    assert!(
        error.starts_with("`name` of a union applies to no single operator"),
        "{error}"
    );
}

#[test]
fn a_window_without_an_instant_is_refused() {
    let error = problems(|env| {
        numbers(env)
            .watermarks(Watermarks::ascending().event_time(|n: &u64| *n as i64))
            .key_by(|n| *n)
            .window(Tumbling::of(secs(0)))
            .aggregate("counts", Count)
            .discard("nowhere")
    });
    assert!(
        error.starts_with("operator counts: a window of 0ns is too small"),
        "{error}"
    );
}

#[test]
fn several_problems_are_listed_together() {
    let error = problems(|env| {
        drop(numbers(env).name(" "));
        Ok(())
    });
    assert!(
        error.starts_with("the job has 2 problems:\n  - "),
        "{error}"
    );
}

#[test]
fn settings_are_checked_before_the_graph() {
    let settings = Settings {
        parallelism: 0,
        ..Settings::default()
    };
    let refused = sameriver::build_graph(|_: &mut Environment| Ok(()), &settings);
    assert_eq!(
        refused.expect_err("no subtask at all").to_string(),
        "setting parallelism = 0 is refused: choose 1 to 32768"
    );
}

#[test]
fn an_operator_that_needs_more_slots_than_there_are_is_refused() {
    let settings = Settings {
        slots: 2,
        ..Settings::default()
    };
    let job = |env: &mut Environment| numbers(env).parallelism(3).discard("nowhere");
    let error = sameriver::build_graph(job, &settings).expect_err("two slots for three subtasks");
    let error = error.to_string();
    assert!(
        error.contains("slots = 2") && error.contains("which is 3"),
        "{error}"
    );
}

#[test]
fn an_error_that_main_returns_is_shown_as_its_text() {
    let build = sameriver::build_graph(|_| Ok(()), &Settings::default()).expect_err("no source");
    let job = sameriver::run_blocking(|_| Ok(()), &Settings::default()).expect_err("no source");
    let settings = Settings::load("missing.toml").expect_err("no file");
    let shown = [
        format!("{build:?}"),
        format!("{job:?}"),
        format!("{settings:?}"),
    ];
    let told = [build.to_string(), job.to_string(), settings.to_string()];
    assert_eq!(shown, told);
}
