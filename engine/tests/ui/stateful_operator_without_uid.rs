//! State that no later version of the job could find again.

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("sales", [(1_u32, 10_u64)])
        .key_by(|sale| sale.0)
        .sum(|sale| sale.1)
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
