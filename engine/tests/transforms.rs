//! What is said of single operators, seen in a running job: failing functions, parallelism.

use sameriver::prelude::*;
use sameriver::{FailureKind, JobError, VertexMetrics};

fn texts(env: &mut Environment) -> DataStream<String> {
    env.elements("texts", ["1", "x", "3"].map(str::to_owned))
}

/// The failure of a job in which `x` is no number.
fn failure(job: fn(&mut Environment) -> Result<(), BuildError>) -> String {
    let error: JobError =
        sameriver::run_blocking(job, &Settings::default()).expect_err("a function that fails");
    assert_eq!(error.kind(), FailureKind::User);
    error.to_string()
}

#[test]
fn each_try_form_fails_the_job_and_names_operator_and_cause() {
    let map = failure(|env| {
        let parse = |text: String| Ok(text.parse::<u64>()?);
        texts(env).try_map(parse).name("parse").discard("nowhere")
    });
    let filter = failure(|env| {
        let is_odd = |text: &String| Ok(text.parse::<u64>()? % 2 == 1);
        texts(env)
            .try_filter(is_odd)
            .name("parse")
            .discard("nowhere")
    });
    let flat_map = failure(|env| {
        let repeat = |text: String, out: &mut Out<'_, u64>| {
            (0..text.parse()?).for_each(|n| out.emit(n));
            Ok(())
        };
        texts(env)
            .try_flat_map(repeat)
            .name("parse")
            .discard("nowhere")
    });
    for said in [map, filter, flat_map] {
        assert!(said.contains("operator parse failed at"), "{said}");
        assert!(said.contains("invalid digit found in string"), "{said}");
    }
}

#[test]
fn each_try_form_passes_what_does_not_fail() {
    let job = |env: &mut Environment| {
        env.elements("texts", ["1", "2", "3"].map(str::to_owned))
            .try_filter(|text| Ok(text != "2"))
            .try_map(|text| Ok(text.parse::<u64>()?))
            .try_flat_map(|n, out: &mut Out<'_, u64>| {
                out.emit(n);
                out.emit(n * 10);
                Ok(())
            })
            .collect("out")
    };
    let result = sameriver::run_blocking(job, &Settings::default()).expect("nothing fails");
    assert_eq!(
        result.collected::<u64>("out").expect("kept"),
        [1, 10, 3, 30]
    );
}

#[test]
fn an_operator_has_the_parallelism_that_it_chose_and_the_others_that_of_the_settings() {
    let job = |env: &mut Environment| {
        env.elements("numbers", 0..100_u64)
            .parallelism(1)
            .map(|n| n)
            .parallelism(3)
            .key_by(|n| n % 10)
            .sum("sum", |_| 1_u64)
            .discard("nowhere")
    };
    let settings = Settings {
        parallelism: 2,
        ..Settings::default()
    };
    let result = sameriver::run_blocking(job, &settings).expect("the job finishes");
    let subtasks = result.vertices().iter().map(|vertex| vertex.subtasks.len());
    assert_eq!(subtasks.collect::<Vec<_>>(), [1, 3, 2]);
    let records = result.vertices().iter().map(VertexMetrics::records_in);
    assert_eq!(records.collect::<Vec<_>>(), [100, 100, 100]);
}

/// bincode alone would silently read the second field in the place of the first.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Gauge {
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u64>,
    place: u64,
}

#[test]
fn a_record_with_a_skipped_field_fails_the_job_by_name() {
    let job = |env: &mut Environment| {
        let gauge = Gauge {
            level: None,
            place: 7,
        };
        env.elements("gauges", [gauge])
            .key_by(|gauge| gauge.place)
            .max("highest", |gauge| gauge.level.unwrap_or_default())
            .discard("nowhere")
    };
    let error = sameriver::run_blocking(job, &Settings::default()).expect_err("it is refused");
    let said = error.to_string();
    assert!(said.contains("level"), "{said}");
    assert!(said.contains("Gauge"), "{said}");
}
