//! Reads `docs/promises.toml`: what the project promises, and the check that holds each promise.
//!
//! Invariant: a row whose check does not exist is an error, so that no promise stands alone.

use std::collections::BTreeSet;
use std::process::Command;

use serde::Deserialize;

use crate::repository::{exists, files, manifests, text, top};

/// One promise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// A short name, unique.
    pub id: String,
    /// What is promised, as a sentence.
    pub claim: String,
    /// What holds it.
    pub check: Check,
    /// The planted bug that the check catches, as a path from the top folder; or a folder of them.
    pub catches: Option<String>,
}

/// What holds a promise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The package of a test.
    pub package: Option<String>,
    /// The name of a test of that package.
    pub test: Option<String>,
    /// A command, run from the top folder; it exits with 0 when the promise is kept.
    pub command: Option<String>,
}

#[derive(Deserialize)]
struct Promises {
    promise: Vec<Promise>,
}

/// All promises, in the order of the file.
///
/// # Panics
/// If the file is not what it should be; the message names the line.
pub fn all() -> Vec<Promise> {
    let promises: Result<Promises, _> = toml::from_str(&text("docs/promises.toml"));
    promises
        .unwrap_or_else(|error| panic!("docs/promises.toml: {error}"))
        .promise
}

impl Promise {
    /// What is wrong with the row; `None` if its check exists.
    pub fn defect(&self) -> Option<String> {
        if let Some(bug) = self.catches.as_ref().filter(|bug| !exists(bug)) {
            return Some(format!("{}: no planted bug {bug}", self.id));
        }
        match (&self.check.package, &self.check.test, &self.check.command) {
            (Some(package), Some(test), None) => (!has_test(package, test))
                .then(|| format!("{}: no test {test} in {package}", self.id)),
            (None, None, Some(command)) => command
                .trim()
                .is_empty()
                .then(|| format!("{}: an empty command", self.id)),
            _ => Some(format!(
                "{}: a check is a package with a test, or a command",
                self.id
            )),
        }
    }

    /// The command line that runs the check.
    pub fn command(&self) -> Vec<String> {
        let words = match (&self.check.package, &self.check.test, &self.check.command) {
            (Some(package), Some(test), _) => format!("cargo test --quiet -p {package} {test}"),
            (_, _, Some(command)) => command.clone(),
            _ => String::new(),
        };
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// Runs the check; its output goes to the terminal.
    ///
    /// # Errors
    /// When the command cannot be started.
    #[expect(
        clippy::disallowed_methods,
        reason = "checks are processes, outside of any world"
    )]
    pub fn run(&self) -> std::io::Result<bool> {
        let words = self.command();
        let (program, arguments) = words.split_first().expect("a checked row has a command");
        Ok(Command::new(program)
            .args(arguments)
            .current_dir(top())
            .status()?
            .success())
    }
}

/// Whether a package has a test, or a conformance case, of that name.
fn has_test(package: &str, test: &str) -> bool {
    let found = manifests()
        .into_iter()
        .find(|(_, manifest)| manifest["package"]["name"].as_str() == Some(package));
    let Some((folder, _)) = found else {
        return false;
    };
    let inside = format!("{folder}/");
    let last = test.rsplit("::").next().unwrap_or(test);
    let sources = files(".rs").into_iter();
    let mut sources = sources.filter(|path| path.starts_with(&inside));
    sources.any(|path| {
        let text = text(&path);
        path.contains("/conformance/") && is_case(&text, last) || is_test(&text, last)
    })
}

/// Whether the text of a file of the conformance suite has a case of that name.
fn is_case(text: &str, name: &str) -> bool {
    text.contains(&format!("pub async fn {name}("))
}

/// Whether in the text of a file a function of that name stands below a `#[test]`.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev();
        let mut attributes = above.take_while(|line| **line != "}" && !line.contains("fn "));
        line.trim_start_matches("async ").starts_with(&head)
            && attributes.any(|line| ["#[test]", "#[tokio::test]"].contains(line))
    })
}

/// Ids that stand more than once.
pub fn doubled(promises: &[Promise]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = promises
        .iter()
        .filter(|promise| !seen.insert(promise.id.clone()));
    again.map(|promise| promise.id.clone()).collect()
}
