//! What is tuned in the decisions about a job.
//!
//! Invariant: plain values, checked before the machine is made; every wait has its bound here.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::backoff::Backoff;
use crate::restart::RestartStrategy;
use crate::trigger::{EveryInterval, TriggerPolicy};

/// How long a job may stay in the states that wait for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the start, or the end of a restart's delay, until enough task managers are registered.
    pub registration: Duration,
    /// How long a job that has slots enough still waits for the rest of its task managers.
    pub grace: Duration,
    /// From the deployment until all subtasks run.
    pub deploy: Duration,
    /// From a failure or a cancel request until all subtasks have stopped.
    pub cancellation: Duration,
    /// From the end of the last subtask until the job log says that the job is over; and from the
    /// end of a restart's delay until the log says what became of the last checkpoint.
    pub conclusion: Duration,
}

/// What is done about checkpoints that fail one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePolicy {
    /// So many failures in a row are tolerated; one more fails the job (which may restart).
    pub tolerated: u32,
    /// How long the next trigger waits at least after the first, second, ... failure in a row.
    pub backoff: Backoff,
}

/// When and how checkpoints are taken.
///
/// ```
/// use sameriver_control::CheckpointSettings;
/// let settings = CheckpointSettings::every(std::time::Duration::from_secs(10));
/// assert_eq!((settings.max_concurrent, settings.retained), (1, 1));
/// ```
#[derive(Clone, Debug)]
pub struct CheckpointSettings {
    /// When one is due.
    pub policy: Arc<dyn TriggerPolicy>,
    /// From the trigger until all subtasks have acknowledged; then it is given up. What may already
    /// be published cannot be given up: writing the metadata and the record that takes as long
    /// again counts as one more failure each time.
    pub timeout: Duration,
    /// From the end of a checkpoint, whatever it was, to the next trigger by the policy.
    pub min_pause: Duration,
    /// How many may be under way at once, at least 1.
    pub max_concurrent: u32,
    /// How many published ones are kept, at least 1.
    pub retained: u32,
    /// What is done about failures.
    pub failures: FailurePolicy,
}

impl CheckpointSettings {
    /// One each `interval`; time-out 10 min, no pause, one at once, one retained, and the first
    /// failure fails the job.
    pub fn every(interval: Duration) -> Self {
        Self {
            policy: Arc::new(EveryInterval::new(interval)),
            timeout: Duration::from_mins(10),
            min_pause: Duration::ZERO,
            max_concurrent: 1,
            retained: 1,
            failures: FailurePolicy {
                tolerated: 0,
                backoff: Backoff::NONE,
            },
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{setting} {value} is too small: set it to at least {least}")]
pub struct JobSettingsError {
    /// The name of the setting.
    pub setting: &'static str,
    /// The refused value.
    pub value: u32,
    /// The least accepted value (inclusive).
    pub least: u32,
}

/// What the machine of one job is told once and for all.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// How many task managers the job expects, numbered from 0; at least 1.
    pub task_managers: u32,
    /// The fingerprint of the job graph; stands in each checkpoint.
    pub fingerprint: u64,
    /// The longest waits.
    pub deadlines: Deadlines,
    /// What is done about failures that a restart may mend.
    pub restart: RestartStrategy,
    /// What the jitter of restarts is drawn from.
    pub seed: u64,
    /// When checkpoints are taken. `None`: never, and the job keeps no log.
    pub checkpoints: Option<CheckpointSettings>,
}

impl JobSettings {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`JobSettingsError`] names the setting.
    pub fn validate(&self) -> Result<(), JobSettingsError> {
        let checkpoints = self.checkpoints.as_ref();
        let least_one = [
            ("task_managers", Some(self.task_managers)),
            (
                "max_concurrent_checkpoints",
                checkpoints.map(|settings| settings.max_concurrent),
            ),
            (
                "retained_checkpoints",
                checkpoints.map(|settings| settings.retained),
            ),
        ];
        for (setting, value) in least_one {
            if value == Some(0) {
                return Err(JobSettingsError {
                    setting,
                    value: 0,
                    least: 1,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_zero_that_needs_one_is_refused_by_name() {
        let checkpoints = CheckpointSettings {
            retained: 0,
            ..CheckpointSettings::every(Duration::from_secs(1))
        };
        let second = Duration::from_secs(1);
        let settings = JobSettings {
            task_managers: 1,
            fingerprint: 0,
            deadlines: Deadlines {
                registration: second,
                grace: second,
                deploy: second,
                cancellation: second,
                conclusion: second,
            },
            restart: RestartStrategy::None,
            seed: 0,
            checkpoints: Some(checkpoints),
        };
        let error = settings.validate().unwrap_err().to_string();
        assert_eq!(
            error,
            "retained_checkpoints 0 is too small: set it to at least 1"
        );
    }
}
