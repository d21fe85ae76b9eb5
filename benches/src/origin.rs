//! Where figures come from: commit, machine and command.

use std::fmt;
use std::process::Command;

/// What stands above every table.
#[derive(Clone, Debug)]
pub struct Origin {
    commit: String,
    machine: String,
}

impl Origin {
    /// Asks `git` and the operating system.
    pub fn here() -> Self {
        let commit = git(&[
            "describe",
            "--always",
            "--abbrev=12",
            "--dirty",
            "--exclude=*",
        ]);
        Self {
            commit: commit.unwrap_or_else(|| "unknown".to_owned()),
            machine: machine(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        writeln!(f, "commit {}, {}", self.commit, self.machine)?;
        write!(f, "cargo run --release -p sameriver-benches")?;
        if arguments.is_empty() {
            return writeln!(f);
        }
        writeln!(f, " -- {}", arguments.join(" "))
    }
}

#[expect(clippy::disallowed_methods, reason = "a process outside of any world")]
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured here is the real world"
)]
fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{threads} hardware threads of {model}")
}
