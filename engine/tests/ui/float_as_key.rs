//! A float has no canonical bytes, so it cannot be a key.

use sameriver::prelude::*;

fn job(env: &mut Environment) -> Result<(), BuildError> {
    let prices = env.elements("prices", [1.5_f64]);
    let _per_price = prices.key_by(|price: &f64| *price);
    Ok(())
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
