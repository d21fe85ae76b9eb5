//! Hands the settings to the rooms that they belong to.
//!
//! Invariant: every row of the table ends in exactly one field below; nothing is decided here.

use std::sync::Arc;
use std::time::Duration;

use sameriver_cluster::{
    AnyOf, Backoff, CheckpointSettings, ClusterCheckpoints, ClusterSettings, EveryBytes,
    EveryInterval, EveryRecords, FailurePolicy, OnMarker, RestartStrategy, TriggerPolicy,
};

use super::{CheckpointMode, Restart, Settings};

/// What a failing checkpoint, or a failing job, waits at first and at most.
const CHECKPOINT_BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(100),
    max: Duration::from_secs(30),
    multiplier_percent: 200,
};

impl Settings {
    /// The part that the cluster needs, for a job that needs so many slots.
    pub fn cluster(&self, slots_needed: u32) -> ClusterSettings {
        let mut cluster = ClusterSettings {
            task_managers: self.task_managers,
            slots: match self.slots {
                0 => slots_needed.div_ceil(self.task_managers).max(1),
                slots => slots,
            },
            registration_timeout: self.registration_timeout,
            registration_grace: self.registration_grace,
            deploy_timeout: self.deploy_timeout,
            cancellation_timeout: self.cancellation_timeout,
            heartbeat_interval: self.heartbeat_interval,
            heartbeat_timeout: self.heartbeat_timeout,
            restart: self.restart_strategy(),
            checkpoints: self.cluster_checkpoints(),
            hello_timeout: self.hello_timeout,
            connect_retry: self.connect_retry,
            control_frame_bytes: self.control_frame_bytes,
            ..ClusterSettings::default()
        };
        cluster.slot.slice_records = self.slice_records as usize;
        cluster.slot.batch_records = self.batch_records as usize;
        cluster.slot.batch_timeout = self.batch_timeout;
        cluster.slot.buffers_per_channel = self.buffers_per_channel as usize;
        cluster.slot.overdraft_batches = self.overdraft_batches as usize;
        cluster.slot.yield_after = self.yield_after;
        cluster.slot.mail_letters = self.mail_letters as usize;
        cluster.slot.commit_timeout = self.commit_timeout;
        cluster.exchange.frame_bytes = self.frame_bytes;
        cluster.exchange.connect_timeout = self.connect_timeout;
        cluster.exchange.write_bytes = self.write_bytes as usize;
        cluster
    }

    fn restart_strategy(&self) -> RestartStrategy {
        let (attempts, delay) = (self.restart_attempts, self.restart_delay);
        match self.restart {
            Restart::Never => RestartStrategy::None,
            Restart::FixedDelay => RestartStrategy::FixedDelay { attempts, delay },
            Restart::FailureRate => RestartStrategy::FailureRate {
                failures_max: attempts,
                interval: self.restart_interval,
                delay,
            },
            Restart::ExponentialDelay => RestartStrategy::ExponentialDelay {
                backoff: Backoff {
                    initial: delay,
                    max: self.restart_delay_max,
                    multiplier_percent: 200,
                },
                reset_after: self.restart_interval,
                jitter_percent: 10,
            },
        }
    }

    fn cluster_checkpoints(&self) -> Option<ClusterCheckpoints> {
        if !self.has_checkpoints() {
            return None;
        }
        let coordinator = CheckpointSettings {
            policy: self.trigger_policy(),
            timeout: self.checkpoint_timeout,
            min_pause: self.checkpoint_min_pause,
            max_concurrent: self.checkpoints_at_once,
            retained: self.checkpoints_retained,
            failures: FailurePolicy {
                tolerated: self.checkpoint_failures,
                backoff: CHECKPOINT_BACKOFF,
            },
        };
        let mut checkpoints = ClusterCheckpoints::new(&self.checkpoint_url(), coordinator);
        checkpoints.aligned = self.checkpoint_mode == CheckpointMode::ExactlyOnce;
        checkpoints.leader_interval = self.leader_interval;
        checkpoints.leader_timeout = self.leader_timeout;
        Some(checkpoints)
    }

    fn trigger_policy(&self) -> Arc<dyn TriggerPolicy> {
        let mut policies: Vec<Arc<dyn TriggerPolicy>> = Vec::new();
        if !self.checkpoint_interval.is_zero() {
            policies.push(Arc::new(EveryInterval::new(self.checkpoint_interval)));
        }
        if self.checkpoint_records > 0 {
            policies.push(Arc::new(EveryRecords::new(self.checkpoint_records)));
        }
        if self.checkpoint_bytes > 0 {
            policies.push(Arc::new(EveryBytes::new(self.checkpoint_bytes)));
        }
        if self.checkpoint_markers {
            policies.push(Arc::new(OnMarker));
        }
        Arc::new(AnyOf::new(policies))
    }
}
