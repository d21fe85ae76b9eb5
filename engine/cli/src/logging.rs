//! Logs of the binary: `RUST_LOG` decides, warnings and errors without it; they go to stderr.

use std::env::VarError;
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::command::report;

const VARIABLE: &str = EnvFilter::DEFAULT_ENV;
const WITHOUT: &str = "warn";

/// Starts to print logs; a second call changes nothing.
pub fn start() {
    start_with(WITHOUT);
}

/// Starts to print logs, but nothing that `RUST_LOG` does not ask for: what goes wrong in a
/// simulation is meant to.
pub fn start_on_wish() {
    start_with("off");
}

fn start_with(without: &str) {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter(without))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A binary that has set up its own logs keeps them.
    let _ = logs.try_init();
}

/// What `RUST_LOG` asks for. A text that means nothing is told, and does not stop the command.
fn filter(without: &str) -> EnvFilter {
    let wish = match std::env::var(VARIABLE) {
        Ok(wish) => wish,
        Err(VarError::NotPresent) => return EnvFilter::new(without),
        Err(VarError::NotUnicode(wish)) => wish.to_string_lossy().into_owned(),
    };
    EnvFilter::try_new(&wish).unwrap_or_else(|error| {
        report(&format!(
            "warning: {VARIABLE} `{wish}` is ignored: {error}: write a level, {VARIABLE}=info\n"
        ));
        EnvFilter::new(without)
    })
}
