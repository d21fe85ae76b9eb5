//! How a job looks after chaining.

use sameriver::JobGraph;
use sameriver::prelude::*;

/// Two sources, a branch, a window with a side output, several parallelisms.
fn busy_job(env: &mut Environment) -> Result<(), BuildError> {
    env.name("busy");
    let clicks = env
        .elements("clicks", [(1_u32, 5_i64)])
        .watermarks(Watermarks::bounded(secs(5)).event_time(at));
    let taps = env
        .elements("taps", [(2_u32, 7_i64)])
        .parallelism(1)
        .watermarks(Watermarks::ascending().event_time(at));
    let all = clicks
        .union(taps)
        .filter(|event| event.0 > 0)
        .name("known users");
    all.clone().discard("archive")?;
    let (counts, late) = all
        .key_by(|event| event.0)
        .window(Tumbling::of(mins(1)))
        .aggregate_with_late("per-minute", Count);
    late.collect("late")?;
    counts
        .map(|count| (count.key, count.value))
        .key_by(|count| count.0)
        .process_fn("first-only", |declare| {
            let seen = declare.value::<bool>("seen")?;
            Ok(
                move |count: (u32, u64), at: &mut At<'_, u32>, out: &mut Out<'_, (u32, u64)>| {
                    if !seen.update(at, |seen| seen.replace(true).is_some())? {
                        out.emit(count);
                    }
                    Ok(())
                },
            )
        })
        .collect("firsts")
}

fn at(event: &(u32, i64)) -> i64 {
    event.1
}

fn graph() -> JobGraph {
    let settings = Settings {
        parallelism: 4,
        ..Settings::default()
    };
    sameriver::build_graph(busy_job, &settings).expect("a job without problems")
}

#[test]
fn the_text_shows_vertices_with_their_operators_and_edges() {
    insta::assert_snapshot!(graph().to_text());
}

#[test]
fn the_graphviz_form_has_the_same_vertices_and_edges() {
    insta::assert_snapshot!(graph().to_graphviz());
}

#[test]
fn the_job_function_gives_an_equal_graph_each_time() {
    assert_eq!(graph().fingerprint(), graph().fingerprint());
    assert_eq!(graph().plan(), graph().plan());
}
