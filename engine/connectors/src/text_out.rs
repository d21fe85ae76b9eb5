//! Text that leaves the process: the service behind `Print`.
//!
//! Invariant: the bytes of one write come out together, whatever other subtasks write meanwhile.
//! Does not know lines or records.

use std::io::{self, Write as _};

use bytes::Bytes;
use sameriver_runtime::{BoxFuture, World};

/// Takes text; reached by the URL [`STDOUT`].
///
/// A caller that waits for each write before the next keeps its order.
pub trait TextOut: Send + Sync {
    /// Writes all bytes, and answers when they are outside.
    ///
    /// # Errors
    /// Those of the operating system: the reader of a pipe has gone away.
    fn write(&self, text: Bytes) -> BoxFuture<io::Result<()>>;
}

/// The URL under which a world offers a [`TextOut`].
pub const STDOUT: &str = "stdout:";

/// The standard output of this process.
///
/// ```
/// # use std::sync::Arc;
/// # fn offer(world: sameriver_runtime::World) -> Arc<dyn sameriver_connectors::TextOut> {
/// Arc::new(sameriver_connectors::StandardOutput::new(world))
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StandardOutput {
    world: World,
}

impl StandardOutput {
    /// Writes on the blocking threads of `world`.
    pub fn new(world: World) -> Self {
        Self { world }
    }
}

impl TextOut for StandardOutput {
    fn write(&self, text: Bytes) -> BoxFuture<io::Result<()>> {
        let world = self.world.clone();
        Box::pin(async move {
            let written = world.blocking("stdout", move || {
                let mut out = io::stdout().lock();
                out.write_all(&text)?;
                out.flush()
            });
            written.await.map_err(io::Error::other)?
        })
    }
}
