//! `checkpoints`: what a store keeps of a job, every byte of it read.
//!
//! Invariant: nothing in the store is changed, and the exit code alone says whether a job can be
//! restored: whole, damaged or nothing there.

use sameriver::{CheckpointStore, StoreError};

use crate::command::{CheckpointsArguments, Ended, print, report};
use crate::exit::Exit;

/// Shows the audit of one job, or the names of several.
pub(crate) fn show(arguments: &CheckpointsArguments) -> Ended {
    let folder = &arguments.folder;
    let store = CheckpointStore::open(folder).map_err(|error| ended(&error))?;
    let job = match &arguments.job {
        Some(job) => job.clone(),
        None => match store.jobs().map_err(|error| ended(&error))?.as_slice() {
            [] => return Err(nothing(folder)),
            [job] => job.clone(),
            several => {
                print(&several.join("\n"))?;
                report("several jobs keep checkpoints here: name one with --job\n");
                return Ok(());
            }
        },
    };
    let audit = store.audit(&job).map_err(|error| ended(&error))?;
    print(&audit.to_string())?;
    if audit.is_whole() {
        return Ok(());
    }
    let message = format!(
        "checkpoints of {job} in {folder} are damaged: restore the files that are named above from \
         a copy, or start the job anew in another folder"
    );
    Err((Exit::BadInput, message))
}

fn nothing(folder: &str) -> (Exit, String) {
    let message = format!(
        "{folder} has no checkpoints of any job: name the folder that the job's setting \
         `checkpoints` names"
    );
    (Exit::NoInput, message)
}

fn ended(error: &StoreError) -> (Exit, String) {
    let exit = match error {
        StoreError::Url(_) => Exit::Usage,
        StoreError::World { .. } => Exit::JobFailed,
        StoreError::Unreadable(_) | StoreError::NoJob { .. } => Exit::NoInput,
    };
    (exit, error.to_string())
}
