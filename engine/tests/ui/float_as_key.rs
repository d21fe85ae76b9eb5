//! A float has no canonical bytes, so it cannot be a key.

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("prices", [1.5_f64])
        .key_by(|price: &f64| *price)
        .max("highest", |_| 1_u64)
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
