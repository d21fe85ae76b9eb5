//! Walks through a page: `walk PAGE` writes its files, types its commands and compares what they
//! print.
#![expect(clippy::print_stdout, reason = "a command line prints")]
#![expect(
    clippy::disallowed_methods,
    reason = "it plays a user, outside of any world"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sameriver_tests::repository::{text, top};
use sameriver_tests::walkthrough::{Step, Walk, steps};

fn main() -> ExitCode {
    let Some(page) = std::env::args().nth(1) else {
        eprintln!("write `walk PAGE`, a page as a path from the top folder");
        return ExitCode::from(64);
    };
    // Not below the checkout: its flags would reach a crate that lies there.
    let folder = std::env::temp_dir().join(format!("walk-{}", std::process::id()));
    let walked = walk(&page, &folder);
    let removed = std::fs::remove_dir_all(&folder);
    match walked.and(removed.map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{page}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn walk(page: &str, folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    // The versions that the gate has tested; what the crate does not need leaves by itself.
    let lock = std::fs::copy(top().join("Cargo.lock"), folder.join("Cargo.lock"));
    lock.map_err(|error| error.to_string())?;
    let mut walk = Walk::new(folder, &top(), &target());
    let steps = steps(&text(page))?;
    for step in &steps {
        if let Step::Commands(commands) = step {
            println!("{}", commands.join("\n"));
        }
        walk.take(step)?;
    }
    walk.end()?;
    println!("{page}: all of {} steps are as it says", steps.len());
    Ok(())
}

/// Where the page's crate is built: beside what is built of the workspace.
fn target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    set.unwrap_or_else(|| top().join("target"))
        .join("user-crate")
}
