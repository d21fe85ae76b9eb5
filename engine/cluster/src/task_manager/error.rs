//! Why a task manager ends although nobody told it to.
//!
//! Invariant: each error names the task manager, what was seen and what to do.

use std::io;
use std::time::Duration;

use sameriver_model::{SlotIndex, TaskManagerIndex};
use sameriver_runtime::{Panicked, ServiceError};
use thiserror::Error;

use crate::rpc::HelloError;
use crate::settings::ClusterSettingsError;

/// Why a task manager ended before the job master told it to.
#[derive(Debug, Error)]
pub enum TaskManagerError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] ClusterSettingsError),
    /// There is no port for data.
    #[error("task manager {task_manager} cannot listen for data connections: {cause}")]
    Listen {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The checkpoint store cannot be opened here.
    #[error("task manager {task_manager} cannot open the checkpoint store: {cause}")]
    Store {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// What the world said.
        cause: ServiceError,
    },
    /// No job master answers.
    #[error(
        "task manager {task_manager} does not reach the job master at {masters} within {within:?}: \
         {cause}: start it, or raise registration_timeout"
    )]
    Unreachable {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// The addresses that were tried, joined by commas.
        masters: String,
        /// How long it was tried.
        within: Duration,
        /// What was seen last.
        cause: String,
    },
    /// The two do not work together.
    #[error("task manager {task_manager}: {cause}")]
    Hello {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// Why.
        cause: HelloError,
    },
    /// A slot does not end.
    #[error(
        "slot {slot} of task manager {task_manager} has not ended within {within:?}: look for a \
         function that blocks, or raise cancellation_timeout"
    )]
    Stuck {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// Which slot.
        slot: SlotIndex,
        /// How long it was waited for.
        within: Duration,
    },
    /// A data connection does not end.
    #[error(
        "the data connections of task manager {task_manager} have not ended within {within:?}: \
         look for a Serialize or Deserialize that blocks, or raise cancellation_timeout"
    )]
    Unclosed {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// How long they were waited for.
        within: Duration,
    },
    /// A bug of the engine.
    #[error("task manager {task_manager}: {cause}")]
    Panicked {
        /// Which task manager.
        task_manager: TaskManagerIndex,
        /// Which task, and what it said.
        cause: Panicked,
    },
}
