//! A page that leads through a crate of its own: its blocks are files, changes, commands and what
//! they print.
//!
//! Invariant: nothing but the page and the clone makes the crate; what the page quotes is printed,
//! line after line in that order, numbers aside. Knows nothing of what the crate does.
#![expect(
    clippy::disallowed_methods,
    reason = "it plays a user who writes files and types commands, outside of any world"
)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a block of a page asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write a file: the text before the block ends with its path in backticks and a colon.
    File(String, Vec<String>),
    /// Change a file: a `diff` block, named in the same way; `@@` separates its places.
    Change(String, Vec<String>),
    /// Type these lines: an `sh` block.
    Commands(Vec<String>),
    /// See these lines: a `text` block behind commands. `FAILED` in it means that the last
    /// command ends with an error.
    Output(Vec<String>),
}

/// The steps of a page.
///
/// ```
/// use sameriver_tests::walkthrough::{Step, steps};
/// let page = "`a.txt`:\n\n```toml\nx = 1\n```\n\n```sh\ncat a.txt\n```\n\n```text\nx = 1\n```\n";
/// let steps = steps(page)?;
/// assert_eq!(steps[0], Step::File("a.txt".to_owned(), vec!["x = 1".to_owned()]));
/// assert_eq!(steps.len(), 3);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// The block that is of no kind, or names no file.
pub fn steps(page: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut before = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            before = if line.is_empty() { before } else { line };
            continue;
        };
        let block = lines.by_ref().take_while(|line| *line != "```");
        let block: Vec<String> = block.map(str::to_owned).collect();
        let file = || named(before).ok_or_else(|| format!("no file is named above `{}`", block[0]));
        steps.push(match kind {
            "sh" => Step::Commands(block),
            "text" => Step::Output(block),
            "diff" => Step::Change(file()?, block),
            "rust" | "toml" => Step::File(file()?, block),
            other => return Err(format!("a block of `{other}` is no step")),
        });
        before = "";
    }
    Ok(steps)
}

/// The path at the end of a line: `` `PATH`: ``.
fn named(line: &str) -> Option<String> {
    let quoted = line.strip_suffix("`:")?;
    let (_, path) = quoted.rsplit_once('`')?;
    Some(path.to_owned())
}

/// A walk through a page.
pub struct Walk {
    folder: PathBuf,
    checkout: PathBuf,
    target: PathBuf,
    printed: String,
    succeeded: bool,
    plan: Option<String>,
}

impl Walk {
    /// A walk in a folder that is there and empty, with builds in `target`. What the page says of
    /// `../sameriver` is said of the checkout.
    pub fn new(folder: &Path, checkout: &Path, target: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            checkout: checkout.to_owned(),
            target: target.to_owned(),
            printed: String::new(),
            succeeded: true,
            plan: None,
        }
    }

    /// Does what a step asks for.
    ///
    /// # Errors
    /// What did not come true, with everything that the commands have printed.
    pub fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::File(path, lines) => self.write(path, &(lines.join("\n") + "\n")),
            Step::Change(path, diff) => {
                let file = self.folder.join(path);
                let text = fs::read_to_string(&file).map_err(|error| format!("{path}: {error}"))?;
                let text = changed(&text, diff).map_err(|error| format!("{path}: {error}"))?;
                self.write(path, &text)
            }
            Step::Commands(commands) => {
                self.judge_end(true)?;
                self.printed.clear();
                commands.iter().try_for_each(|command| self.run(command))
            }
            Step::Output(quoted) => {
                let fails = quoted.iter().any(|line| line.contains("FAILED"));
                self.judge_end(!fails)?;
                self.succeeded = true;
                seen(&self.printed, quoted)
            }
        }
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// When the last command failed and the page says nothing of it.
    pub fn end(self) -> Result<(), String> {
        self.judge_end(true)
    }

    fn judge_end(&self, success: bool) -> Result<(), String> {
        if self.succeeded == success {
            return Ok(());
        }
        let ended = if success { "failed" } else { "succeeded" };
        Err(format!("the command {ended}:\n{}", self.printed))
    }

    fn write(&self, path: &str, text: &str) -> Result<(), String> {
        let text = text.replace("../sameriver", &self.checkout.display().to_string());
        let file = self.folder.join(path);
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        let written = made.and_then(|()| fs::write(&file, text));
        written.map_err(|error| format!("{path}: {error}"))
    }

    fn run(&mut self, command: &str) -> Result<(), String> {
        let command = self.with_plan(command);
        let outside = std::env::vars_os().map(|(name, _)| name);
        let mut shell = Command::new("bash");
        for name in outside.filter(|name| is_ours(name)) {
            shell.env_remove(name);
        }
        let ended = shell
            .arg("-c")
            .arg(format!("exec 2>&1\n{command}"))
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_COLOR", "never")
            .output();
        let ended = ended.map_err(|error| format!("bash: {error}"))?;
        let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
        let mut plans = printed.lines().rev();
        let plan = plans.find_map(|line| line.trim_start().strip_prefix("plan: "));
        self.plan = plan.map(str::to_owned).or(self.plan.take());
        self.succeeded = ended.status.success();
        self.printed += &printed;
        Ok(())
    }

    /// Which seed fails first differs from commit to commit: the plan that was printed last is
    /// meant by any in `sim-failures/`.
    fn with_plan(&self, command: &str) -> String {
        let plans = "sim-failures/";
        let (Some(plan), Some(start)) = (&self.plan, command.find(plans)) else {
            return command.to_owned();
        };
        let length = command[start..].find(".toml").map(|at| at + ".toml".len());
        let length = length.unwrap_or(plans.len());
        format!("{}{plan}{}", &command[..start], &command[start + length..])
    }
}

/// Whether a variable of this process would change what a user's commands do.
fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let changes = ["RUSTFLAGS", "RUSTDOCFLAGS", "RUST_BACKTRACE", "RUST_LOG"];
    changes.contains(&&*name) || name.starts_with("SAMERIVER_") || name.starts_with("CARGO_ENCODED")
}

/// A text after a change: what the diff removes, with the lines around it, is there once.
fn changed(text: &str, diff: &[String]) -> Result<String, String> {
    let mut text = text.to_owned();
    for place in diff.split(|line| line.starts_with("@@")) {
        let side = |mark: char| -> String {
            let kept = place.iter().filter(|line| {
                let first = line.chars().next().unwrap_or(' ');
                first == ' ' || first == mark
            });
            kept.flat_map(|line| [line.get(1..).unwrap_or_default(), "\n"])
                .collect()
        };
        let (old, new) = (side('-'), side('+'));
        let count = text.matches(&old).count();
        if count != 1 {
            return Err(format!("these lines are there {count} times:\n{old}"));
        }
        text = text.replacen(&old, &new, 1);
    }
    Ok(text)
}

/// Looks for the quoted lines among the printed ones, in order; `…` stands for any lines.
fn seen(printed: &str, quoted: &[String]) -> Result<(), String> {
    let mut lines = printed.lines().map(without_numbers);
    for line in quoted.iter().filter(|line| line.trim() != "…") {
        let wanted = without_numbers(line);
        if !lines.any(|line| line == wanted) {
            return Err(format!("not printed there: {line}\n\n{printed}"));
        }
    }
    Ok(())
}

/// A line whose numbers, durations and hashes differ from no other's.
fn without_numbers(line: &str) -> String {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '.';
    let mut plain = String::new();
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_of_word(c) != is_of_word(first));
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        if word.len() >= 16 && word.chars().all(|c| c.is_ascii_hexdigit()) {
            plain.push('0');
        } else if first.is_ascii_digit() {
            let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let is_time = matches!(unit, "ns" | "µs" | "ms" | "s");
            plain.push('0');
            plain.push_str(if is_time { "s" } else { unit });
        } else {
            plain.push_str(word);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn only_numbers_may_differ_from_what_a_page_quotes() {
        let printed = "a\nseed 17 at 8.5ms, trace 5f576d13d1b24572\nb\n";
        assert_eq!(
            seen(printed, &lines("seed 3 at 2s, trace cb3dfca7a2999d36\nb")),
            Ok(())
        );
        assert!(seen(printed, &lines("b\na")).is_err());
        assert!(seen(printed, &lines("seed x at 2s, trace 0000000000000000")).is_err());
    }

    #[test]
    fn a_change_is_made_at_the_one_place_that_it_names() {
        let made = changed("a\nb\nc\n", &lines(" a\n-b\n+d\n@@\n-c"));
        assert_eq!(made, Ok("a\nd\n".to_owned()));
        assert!(changed("a\na\n", &lines("-a")).is_err());
        assert!(changed("a\n", &lines("-b")).is_err());
    }

    #[test]
    fn a_block_without_a_file_or_of_no_kind_is_named() {
        assert!(steps("text\n\n```rust\nfn f() {}\n```\n").is_err_and(|said| said.contains("f()")));
        assert!(steps("```html\n```\n").is_err_and(|said| said.contains("`html`")));
    }
}
