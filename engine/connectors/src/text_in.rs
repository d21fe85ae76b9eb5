//! Text that enters the process: the service behind `Stdin`.
//!
//! Invariant: bytes come in order, each once. Does not know lines or records.

use std::io::{self, Read as _};

use bytes::Bytes;
use sameriver_runtime::{BoxFuture, World};

/// Gives text; reached by the URL [`STDIN`].
pub trait TextIn: Send + Sync {
    /// Waits for the next bytes, up to `max` of them; none mean the end.
    ///
    /// # Errors
    /// Those of the operating system.
    ///
    /// # Cancel safety
    /// None: dropping the future may lose bytes.
    fn read(&self, max: usize) -> BoxFuture<io::Result<Bytes>>;
}

/// The URL under which a world offers a [`TextIn`].
pub const STDIN: &str = "stdin:";

/// The standard input of this process.
///
/// ```
/// # use std::sync::Arc;
/// # fn offer(world: sameriver_runtime::World) -> Arc<dyn sameriver_connectors::TextIn> {
/// Arc::new(sameriver_connectors::StandardInput::new(world))
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StandardInput {
    world: World,
}

impl StandardInput {
    /// Reads on the blocking threads of `world`.
    pub fn new(world: World) -> Self {
        Self { world }
    }
}

impl TextIn for StandardInput {
    fn read(&self, max: usize) -> BoxFuture<io::Result<Bytes>> {
        let world = self.world.clone();
        Box::pin(async move {
            let bytes = world.blocking("stdin", move || {
                let mut buffer = vec![0; max];
                let count = io::stdin().lock().read(&mut buffer)?;
                buffer.truncate(count);
                Ok(Bytes::from(buffer))
            });
            bytes.await.map_err(io::Error::other)?
        })
    }
}
