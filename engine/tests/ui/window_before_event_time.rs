//! Windows of event time on a stream that has none.

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("clicks", [(1_u32, 5_i64)])
        .key_by(|click| click.0)
        .window(Tumbling::of(mins(1)))
        .aggregate("clicks-per-minute", Count)
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
