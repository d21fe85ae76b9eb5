//! State holds something that has no bytes.

use sameriver::prelude::*;

struct Connection {
    socket: std::net::TcpStream,
}

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("numbers", [1_u64])
        .key_by(|n| *n)
        .process_fn("keep", |declare| {
            let _ = declare.value::<Connection>("connection")?;
            Ok(|n: u64, _: &mut At<'_, u64>, out: &mut Out<'_, u64>| {
                out.emit(n);
                Ok(())
            })
        })
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
