//! Windows of event time on a stream that has none.

use std::time::Duration;

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("clicks", [(1_u32, 5_i64)])
        .key_by(|click| click.0)
        .window(Tumbling::of(Duration::from_secs(60)))
        .aggregate("clicks-per-minute", Count)
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
