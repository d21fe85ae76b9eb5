//! A function shares memory that only one thread may touch.

use std::cell::Cell;
use std::rc::Rc;

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    let seen = Rc::new(Cell::new(0_u64));
    env.elements("numbers", [1_u64])
        .map(move |n| {
            seen.set(seen.get() + 1);
            n
        })
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
