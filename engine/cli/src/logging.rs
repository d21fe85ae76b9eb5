//! Logs of the binary: `RUST_LOG` decides, warnings and errors without it; they go to stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts to print logs; a second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A binary that has set up its own logs keeps them.
    let _ = logs.try_init();
}
