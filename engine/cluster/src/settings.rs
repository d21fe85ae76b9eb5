//! What is tuned in the cluster, with its defaults.
//!
//! Invariant: every wait and every frame of the control protocol has its bound here. The settings
//! file maps onto these fields by name; this room reads no file.

use std::time::Duration;

use sameriver_control::Deadlines;
use sameriver_task::{ExchangeSettings, SlotSettings};
use thiserror::Error;

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClusterSettingsError {
    /// A number below its least value.
    #[error("{setting} {value} is too small: set it to at least {least}")]
    TooSmall {
        /// The name of the setting.
        setting: &'static str,
        /// The refused value.
        value: u32,
        /// The least accepted value (inclusive).
        least: u32,
    },
}

/// How the nodes of one job work together; equal on all of them.
///
/// ```
/// use sameriver_cluster::ClusterSettings;
/// let settings = ClusterSettings { task_managers: 2, ..ClusterSettings::default() };
/// assert_eq!(settings.validate(), Ok(()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// How many task managers the job waits for, numbered from 0; default 1, at least 1.
    pub task_managers: u32,
    /// How many slots (data threads) each task manager offers; default 1, at least 1.
    pub slots: u32,
    /// How long the job waits for all task managers, and each of them for the job master; default
    /// 30 s.
    pub registration_timeout: Duration,
    /// How long opening all subtasks may take; default 30 s.
    pub deploy_timeout: Duration,
    /// How long stopping may take before it is given up; default 30 s.
    pub cancellation_timeout: Duration,
    /// How long the exchange of hellos may take on a connection; default 5 s.
    pub hello_timeout: Duration,
    /// How long a task manager waits before it tries to connect again; default 50 ms.
    pub connect_retry: Duration,
    /// How many bytes a message of the control protocol may have; default 16 MiB, at least 1024.
    pub control_frame_bytes: u32,
    /// Names the code that runs; nodes with different ones refuse each other. Defaults to a hash of
    /// the engine's version: a binary of many nodes replaces it by a hash of itself.
    pub build: u64,
    /// How slots run their subtasks.
    pub slot: SlotSettings,
    /// How task managers exchange batches.
    pub exchange: ExchangeSettings,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            task_managers: 1,
            slots: 1,
            registration_timeout: Duration::from_secs(30),
            deploy_timeout: Duration::from_secs(30),
            cancellation_timeout: Duration::from_secs(30),
            hello_timeout: Duration::from_secs(5),
            connect_retry: Duration::from_millis(50),
            control_frame_bytes: 16 << 20,
            build: fnv1a(env!("CARGO_PKG_VERSION").as_bytes()),
            slot: SlotSettings::default(),
            exchange: ExchangeSettings::default(),
        }
    }
}

impl ClusterSettings {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`ClusterSettingsError`] names the setting.
    pub fn validate(&self) -> Result<(), ClusterSettingsError> {
        let least = [
            ("task_managers", self.task_managers, 1),
            ("slots", self.slots, 1),
            ("control_frame_bytes", self.control_frame_bytes, 1024),
        ];
        for (setting, value, least) in least {
            if value < least {
                return Err(ClusterSettingsError::TooSmall {
                    setting,
                    value,
                    least,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        Deadlines {
            registration: self.registration_timeout,
            deploy: self.deploy_timeout,
            grace: self.registration_timeout,
            cancellation: self.cancellation_timeout,
            conclusion: self.cancellation_timeout,
        }
    }
}

/// The 64-bit FNV-1a hash, computed when the engine is compiled.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut position = 0;
    while position < bytes.len() {
        hash = (hash ^ bytes[position] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        position += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_without_task_managers_is_refused_by_name() {
        let settings = ClusterSettings {
            task_managers: 0,
            ..ClusterSettings::default()
        };
        let error = settings.validate().unwrap_err().to_string();
        assert_eq!(error, "task_managers 0 is too small: set it to at least 1");
    }
}
