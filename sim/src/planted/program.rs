//! A program that is run to its end, or ended when it takes too long.
//!
//! Invariant: whatever it says goes to a file, so one that says a lot never waits for us.
#![expect(
    clippy::disallowed_methods,
    reason = "it starts compilers and simulators, outside of any world"
)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::watchdog;

/// How often it is asked whether it has ended.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How many lines of what a program said are kept.
const SAID_LINES_MAX: usize = 30;

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The exit code; `None` if it was ended, by us or by a signal.
    pub(super) code: Option<i32>,
    /// All that it said, on both streams.
    pub(super) said: String,
    pub(super) took: Duration,
}

impl Ended {
    /// The last lines of what it said.
    pub(super) fn last_lines(&self) -> String {
        let lines = self.said.lines().filter(|line| !line.trim().is_empty());
        let lines: Vec<&str> = lines.collect();
        lines[lines.len().saturating_sub(SAID_LINES_MAX)..].join("\n")
    }
}

/// Runs a program; what it says goes through the file `said`.
pub(super) fn run(command: &mut Command, limit: Duration, said: &Path) -> io::Result<Ended> {
    let out = File::create(said)?;
    let started = watchdog::now();
    let mut child = command.stderr(out.try_clone()?).stdout(out).spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > limit {
            // It may have ended just now.
            let _ = child.kill();
            child.wait()?;
            break None;
        }
        std::thread::sleep(ASK_EVERY);
    };
    let mut text = String::from_utf8_lossy(&std::fs::read(said)?).into_owned();
    let end = match status {
        Some(status) if status.code().is_some() => String::new(),
        Some(status) => format!("\n{status}"),
        None => format!("\nit was ended after {} s", limit.as_secs()),
    };
    text.push_str(&end);
    Ok(Ended {
        code: status.and_then(|status| status.code()),
        said: text,
        took: started.elapsed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(script: &str, limit: Duration) -> Ended {
        let name = format!("sameriver-program-{}-{script}", std::process::id());
        let said = std::env::temp_dir().join(name.replace([' ', '/'], "-"));
        let ended = run(Command::new("sh").args(["-c", script]), limit, &said);
        // A file that stays behind does no harm.
        let _ = std::fs::remove_file(said);
        ended.unwrap()
    }

    #[test]
    fn both_streams_and_the_exit_code_are_kept() {
        let ended = ended("echo out; echo err >&2; exit 3", Duration::MAX);
        assert_eq!((ended.code, ended.said.as_str()), (Some(3), "out\nerr\n"));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let ended = ended("echo on; while :; do :; done", Duration::from_millis(1));
        assert_eq!(ended.code, None);
        assert!(
            ended.said.ends_with("it was ended after 0 s"),
            "{}",
            ended.said
        );
    }

    #[test]
    fn of_a_long_talk_the_last_lines_are_kept() {
        let said: Vec<String> = (0..100).map(|line| format!("{line}\n\n")).collect();
        let ended = Ended {
            code: None,
            said: said.concat(),
            took: Duration::ZERO,
        };
        let kept = ended.last_lines();
        assert!(kept.starts_with("70\n") && kept.ends_with("\n99"), "{kept}");
    }
}
