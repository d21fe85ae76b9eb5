//! State holds something that has no bytes.

use sameriver::prelude::*;

struct Connection {
    socket: std::net::TcpStream,
}

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.elements("numbers", [1_u64])
        .key_by(|n| *n)
        .process_fn("keep", |declare| {
            let connection = declare.value::<Connection>("connection")?;
            Ok(move |n: u64, at: &mut At<'_, u64>, out: &mut Out<'_, u64>| {
                connection.clear(at)?;
                out.emit(n);
                Ok(())
            })
        })
        .discard("nowhere")
}

fn main() {
    let _ = sameriver::build_graph(job, &Settings::default());
}
