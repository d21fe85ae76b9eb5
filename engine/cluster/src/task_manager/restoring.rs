//! Fetches what a subtask starts from, before its slot hears of it.
//!
//! Invariant: a slot never waits for the store, and never sees a byte that was not verified. A
//! store that does not answer is tried again; damage fails the subtask.

use sameriver_model::probe::{Probe, crash_point, observe};
use sameriver_model::{AttemptNumber, CheckpointId, Failure, RestoredState, SubtaskState};
use sameriver_runtime::World;
use tracing::{info, warn};

use crate::checkpoints::CheckpointFolder;

/// Fetches the snapshot of one subtask.
pub(super) async fn fetch(
    world: World,
    folder: CheckpointFolder,
    attempt: AttemptNumber,
    checkpoint: CheckpointId,
    state: SubtaskState,
) -> Result<RestoredState, Failure> {
    let subtask = state.subtask;
    observe(&Probe::Step {
        subtask,
        attempt,
        checkpoint,
        step: "fetch",
    });
    crash_point("restore.fetch");
    let mut failures = 0;
    loop {
        let error = match folder.read_snapshot(&state).await {
            Ok(restored) => {
                info!(%subtask, %attempt, %checkpoint, bytes = restored.bytes(), "snapshot read");
                return Ok(restored);
            }
            Err(error) => error,
        };
        if !error.may_pass || failures + 1 >= folder.retry().attempts_max {
            let message = format!(
                "cannot start from checkpoint {checkpoint}: {}",
                error.message
            );
            return Err(Failure::new(error.kind, message).in_subtask(subtask));
        }
        warn!(%subtask, %checkpoint, error = error.message, "a snapshot is fetched again");
        world.sleep(folder.retry().pause(failures)).await;
        failures += 1;
    }
}
