//! Judges what a run has left: the committed files, the checkpoint store.
//!
//! Invariant: what is right is computed without the engine.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the files of real processes"
)]

use std::path::Path;
use std::process::Command;

use sameriver_scenarios::windowed_totals::STORY;
use sameriver_scenarios::{Rows, Workload};

use super::Outcome;
use super::fleet::{OUTPUT, STORE, records};
use super::plan::Plan;

/// The committed files have what the reference has; how many rows that is.
pub(super) fn files(folder: &Path, plan: &Plan) -> Outcome<u64> {
    let right = reference(plan);
    let found = committed(&folder.join(OUTPUT))?;
    match found.difference(&right) {
        Some(difference) => Err(format!("the committed files are wrong: {difference}")),
        None => Ok(right.as_slice().len() as u64),
    }
}

fn reference(plan: &Plan) -> Rows {
    let mut workload = Workload::default();
    let arguments = &mut workload.arguments;
    arguments.seed = Some(plan.seed);
    arguments.records = Some(records(plan.pace));
    arguments.rate = Some(plan.pace.rate);
    arguments.keys = Some(plan.pace.keys);
    arguments.window = Some(plan.pace.window);
    (STORY.reference)(&workload)
}

/// The rows of all files of a folder; there may be none but committed ones.
fn committed(folder: &Path) -> Outcome<Rows> {
    let broken = |error| format!("{}: {error}", folder.display());
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("part-") {
            return Err(format!("{name} was left behind in {}", folder.display()));
        }
        let text = std::fs::read_to_string(entry.path()).map_err(broken)?;
        rows.extend(text.lines().map(str::to_owned));
    }
    Ok(Rows::new(rows))
}

/// The audit of the store finds nothing wrong; its first line.
pub(super) fn store(binary: &Path, folder: &Path) -> Outcome<String> {
    let mut audit = Command::new(binary);
    let audit = audit.args(["checkpoints", STORE]).current_dir(folder);
    let audit = audit
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", binary.display()))?;
    let told = String::from_utf8_lossy(&audit.stdout);
    if audit.status.success() {
        return Ok(told.lines().next().unwrap_or_default().to_owned());
    }
    let complaint = String::from_utf8_lossy(&audit.stderr);
    Err(format!("the store is not whole: {told}{complaint}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A folder with the output of a run, changed by `change`.
    fn judged(name: &str, change: fn(&Path, &mut Vec<String>)) -> Outcome<u64> {
        let mut plan = Plan::quick(3);
        plan.pace.rate = 50;
        let name = format!("havoc-verdict-{}-{name}", std::process::id());
        let folder: PathBuf = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join(OUTPUT)).expect("a new folder");
        let mut rows = reference(&plan).as_slice().to_vec();
        change(&folder.join(OUTPUT), &mut rows);
        for (part, rows) in rows.chunks(100).enumerate() {
            let file = folder.join(OUTPUT).join(format!("part-{part}.txt"));
            std::fs::write(file, rows.join("\n")).expect("a new file");
        }
        let judged = files(&folder, &plan);
        std::fs::remove_dir_all(folder).expect("it is ours");
        judged
    }

    #[test]
    fn files_that_have_what_the_reference_has_are_right() {
        assert!(judged("right", |_, _| ()).is_ok_and(|rows| rows > 100));
    }

    #[test]
    fn a_row_that_is_lost_doubled_or_not_committed_is_seen() {
        let lost = judged("lost", |_, rows| drop(rows.remove(7)));
        let doubled = judged("doubled", |_, rows| rows.push(rows[7].clone()));
        let pending = judged("pending", |folder, _| {
            std::fs::write(folder.join(".part-9"), "").expect("a new file");
        });
        for (judged, says) in [
            (lost, "are wrong"),
            (doubled, "are wrong"),
            (pending, "left behind"),
        ] {
            let error = judged.expect_err("it is not right");
            assert!(error.contains(says), "{error}");
        }
    }
}
