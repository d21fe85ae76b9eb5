//! State that no later version of the job could find again.

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("clicks", [(1_u32, 5_i64)])
        .watermarks(Watermarks::ascending().event_time(|click: &(u32, i64)| click.1))
        .key_by(|click| click.0)
        .window(Tumbling::of(mins(1)))
        .aggregate(Count)
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
