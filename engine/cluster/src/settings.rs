//! What is tuned in the cluster, with its defaults.
//!
//! Invariant: every wait and every frame of the control protocol has its bound here. The settings
//! file maps onto these fields by name; this room reads no file.

use std::time::Duration;

use sameriver_control::{
    CheckpointSettings, Deadlines, JobSettings, JobSettingsError, RestartStrategy,
};
use sameriver_task::{ExchangeSettings, SlotSettings, UploadRetry};
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
    /// A wait that is too short beside another one.
    #[error(
        "{setting} {value:?} is too short beside {beside} {other:?}: set it to at least {least:?}"
    )]
    TooShort {
        /// The name of the setting.
        setting: &'static str,
        /// The refused value.
        value: Duration,
        /// The name of the other setting.
        beside: &'static str,
        /// The other value.
        other: Duration,
        /// The least accepted value (inclusive).
        least: Duration,
    },
    /// A wait of no time at all.
    #[error("{setting} is zero: set it to at least 1ms")]
    Zero {
        /// The name of the setting.
        setting: &'static str,
    },
    /// Nobody says where checkpoints are kept.
    #[error("the checkpoint store has no URL: name one, or take no checkpoints")]
    NoStore,
    /// A number of the coordinator.
    #[error(transparent)]
    Job(#[from] JobSettingsError),
}

/// Where and when a job takes checkpoints.
///
/// ```
/// use sameriver_cluster::ClusterCheckpoints;
/// use sameriver_control::CheckpointSettings;
/// use std::time::Duration;
/// let each_second = CheckpointSettings::every(Duration::from_secs(1));
/// let checkpoints = ClusterCheckpoints::new("file:/var/river", each_second);
/// assert!(checkpoints.aligned);
/// ```
#[derive(Clone, Debug)]
pub struct ClusterCheckpoints {
    /// The URL of the store, which every node's world opens as `dyn BlobStore`.
    pub store: String,
    /// Whether a channel waits behind its barrier until all have come (exactly once); default true.
    /// If not, records may take effect again after a failure (at least once).
    pub aligned: bool,
    /// When checkpoints are taken, and how many are kept.
    pub coordinator: CheckpointSettings,
    /// How what the store does not answer is tried again: uploads, reads, records of the job log.
    pub retry: UploadRetry,
    /// How often the leader shows in the job log that it leads, if nothing else does; default 2 s.
    pub leader_interval: Duration,
    /// How long the log may show no leader before another job master takes over, judged by its own
    /// clock; default 10 s, at least twice `leader_interval`.
    pub leader_timeout: Duration,
}

impl ClusterCheckpoints {
    /// Checkpoints in the store at this URL, with the defaults of everything else.
    pub fn new(store: &str, coordinator: CheckpointSettings) -> Self {
        Self {
            store: store.to_owned(),
            aligned: true,
            coordinator,
            retry: UploadRetry::default(),
            leader_interval: Duration::from_secs(2),
            leader_timeout: Duration::from_secs(10),
        }
    }
}

/// How the nodes of one job work together; equal on all of them.
///
/// ```
/// use sameriver_cluster::ClusterSettings;
/// let settings = ClusterSettings { task_managers: 2, ..ClusterSettings::default() };
/// assert_eq!(settings.validate(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// How many task managers the job waits for, numbered from 0; default 1, at least 1.
    pub task_managers: u32,
    /// How many slots (data threads) each task manager offers; default 1, at least 1.
    pub slots: u32,
    /// How long the job waits for task managers, and each of them for a job master; default 30 s.
    /// With checkpoints a task manager looks on for ever: a job master may come back.
    pub registration_timeout: Duration,
    /// How long a job that has slots enough still waits for the rest of its task managers; default
    /// 2 s.
    pub registration_grace: Duration,
    /// How long opening all subtasks may take; default 30 s.
    pub deploy_timeout: Duration,
    /// How long stopping may take before it is given up; default 30 s.
    pub cancellation_timeout: Duration,
    /// How long the end of the job may wait for its record in the job log, and a restart for the
    /// answer to the last publish; default 60 s.
    pub conclusion_timeout: Duration,
    /// How often the job master and each task manager give a sign of life; default 1 s.
    pub heartbeat_interval: Duration,
    /// How long either may hear nothing from the other before it counts as lost; default 10 s, at
    /// least twice `heartbeat_interval`.
    pub heartbeat_timeout: Duration,
    /// What is done about failures; default: the first one ends the job.
    pub restart: RestartStrategy,
    /// Where and when checkpoints are taken; default none: the job keeps no log, and begins anew
    /// when it restarts.
    pub checkpoints: Option<ClusterCheckpoints>,
    /// How long connecting and the exchange of hellos may take on a connection; default 5 s.
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
            registration_grace: Duration::from_secs(2),
            deploy_timeout: Duration::from_secs(30),
            cancellation_timeout: Duration::from_secs(30),
            conclusion_timeout: Duration::from_mins(1),
            heartbeat_interval: Duration::from_secs(1),
            heartbeat_timeout: Duration::from_secs(10),
            restart: RestartStrategy::None,
            checkpoints: None,
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
        if self.heartbeat_interval.is_zero() {
            let setting = "heartbeat_interval";
            return Err(ClusterSettingsError::Zero { setting });
        }
        let heartbeats = (self.heartbeat_timeout, self.heartbeat_interval);
        twice("heartbeat_timeout", "heartbeat_interval", heartbeats)?;
        if let Some(checkpoints) = &self.checkpoints {
            if checkpoints.store.is_empty() {
                return Err(ClusterSettingsError::NoStore);
            }
            if checkpoints.leader_interval.is_zero() {
                let setting = "leader_interval";
                return Err(ClusterSettingsError::Zero { setting });
            }
            let lease = (checkpoints.leader_timeout, checkpoints.leader_interval);
            twice("leader_timeout", "leader_interval", lease)?;
        }
        Ok(self.job(0, 0).validate()?)
    }

    /// What the job machine is told, for a graph with this fingerprint.
    pub(crate) fn job(&self, fingerprint: u64, seed: u64) -> JobSettings {
        let checkpoints = self.checkpoints.as_ref();
        JobSettings {
            task_managers: self.task_managers,
            fingerprint,
            deadlines: Deadlines {
                registration: self.registration_timeout,
                grace: self.registration_grace,
                deploy: self.deploy_timeout,
                cancellation: self.cancellation_timeout,
                conclusion: self.conclusion_timeout,
            },
            restart: self.restart,
            seed,
            checkpoints: checkpoints.map(|checkpoints| checkpoints.coordinator.clone()),
        }
    }
}

/// A time-out must leave room for a sign that is late.
fn twice(
    setting: &'static str,
    beside: &'static str,
    (value, other): (Duration, Duration),
) -> Result<(), ClusterSettingsError> {
    let least = other.saturating_mul(2);
    if value >= least {
        return Ok(());
    }
    Err(ClusterSettingsError::TooShort {
        setting,
        value,
        beside,
        other,
        least,
    })
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

    #[test]
    fn a_timeout_that_leaves_no_room_for_a_late_heartbeat_is_refused_with_both_settings() {
        let settings = ClusterSettings {
            heartbeat_timeout: Duration::from_millis(1500),
            ..ClusterSettings::default()
        };
        let error = settings.validate().unwrap_err().to_string();
        assert_eq!(
            error,
            "heartbeat_timeout 1.5s is too short beside heartbeat_interval 1s: set it to at least \
             2s"
        );
    }

    #[test]
    fn checkpoints_without_a_store_or_with_a_hasty_leader_are_refused() {
        let check = |change: fn(&mut ClusterCheckpoints), expected: &str| {
            let each_second = CheckpointSettings::every(Duration::from_secs(1));
            let mut checkpoints = ClusterCheckpoints::new("memory:", each_second);
            change(&mut checkpoints);
            let settings = ClusterSettings {
                checkpoints: Some(checkpoints),
                ..ClusterSettings::default()
            };
            let error = settings.validate().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(|c| c.store.clear(), "the checkpoint store has no URL");
        check(
            |c| c.leader_timeout = Duration::from_secs(3),
            "leader_timeout 3s is too short",
        );
        check(
            |c| c.leader_interval = Duration::ZERO,
            "leader_interval is zero",
        );
        check(
            |c| c.coordinator.retained = 0,
            "retained_checkpoints 0 is too small",
        );
    }
}
