//! How the settings of checkpoints, restarts and heartbeats fit together.
//!
//! Invariant: what is refused here names the setting, its value and what to write instead.

use super::{Restart, Settings, SettingsError};

impl Settings {
    /// Whether the job takes checkpoints.
    pub fn has_checkpoints(&self) -> bool {
        !self.checkpoints.is_empty()
    }

    pub(super) fn check_checkpoints(&self) -> Result<(), SettingsError> {
        self.check_heartbeats()?;
        self.check_restart()?;
        if !self.has_checkpoints() {
            return Ok(());
        }
        let is_triggered = !self.checkpoint_interval.is_zero()
            || self.checkpoint_records > 0
            || self.checkpoint_bytes > 0
            || self.checkpoint_markers;
        if !is_triggered {
            let remedy = "nothing triggers a checkpoint: choose at least 1ms, or set \
                          checkpoint_records, checkpoint_bytes or checkpoint_markers, or leave \
                          checkpoints empty";
            return Err(self.refused("checkpoint_interval", remedy));
        }
        if self.checkpoint_timeout.is_zero() {
            return Err(self.refused("checkpoint_timeout", "choose at least 1ms"));
        }
        for (name, value) in [
            ("checkpoints_at_once", self.checkpoints_at_once),
            ("checkpoints_retained", self.checkpoints_retained),
        ] {
            if value == 0 {
                return Err(self.refused(name, "choose at least 1"));
            }
        }
        self.check_leader()?;
        if self.checkpoints_at_once > 1 && !self.checkpoint_min_pause.is_zero() {
            let remedy = "a pause between checkpoints leaves room for one only: choose 1, or a \
                          checkpoint_min_pause of 0ms";
            return Err(self.refused("checkpoints_at_once", remedy));
        }
        Ok(())
    }

    fn check_heartbeats(&self) -> Result<(), SettingsError> {
        if self.heartbeat_interval.is_zero() {
            return Err(self.refused("heartbeat_interval", "choose at least 1ms"));
        }
        if self.heartbeat_timeout < self.heartbeat_interval.saturating_mul(2) {
            let remedy = format!(
                "one lost heartbeat would end the job: choose at least twice heartbeat_interval = \
                 {:?}",
                self.heartbeat_interval
            );
            return Err(self.refused("heartbeat_timeout", &remedy));
        }
        Ok(())
    }

    fn check_leader(&self) -> Result<(), SettingsError> {
        if self.leader_interval.is_zero() {
            return Err(self.refused("leader_interval", "choose at least 1ms"));
        }
        if self.leader_timeout < self.leader_interval.saturating_mul(2) {
            let remedy = format!(
                "one late mark would depose the leader: choose at least twice leader_interval = \
                 {:?}",
                self.leader_interval
            );
            return Err(self.refused("leader_timeout", &remedy));
        }
        Ok(())
    }

    fn check_restart(&self) -> Result<(), SettingsError> {
        match self.restart {
            Restart::FixedDelay | Restart::FailureRate if self.restart_attempts == 0 => {
                let remedy = "choose at least 1, or restart = \"never\"";
                Err(self.refused("restart_attempts", remedy))
            }
            Restart::FailureRate if self.restart_interval.is_zero() => {
                Err(self.refused("restart_interval", "choose at least 1ms"))
            }
            Restart::ExponentialDelay if self.restart_delay.is_zero() => {
                let remedy = "it is doubled after each failure: choose at least 1ms";
                Err(self.refused("restart_delay", remedy))
            }
            Restart::ExponentialDelay if self.restart_delay_max < self.restart_delay => {
                let remedy = "choose at least restart_delay";
                Err(self.refused("restart_delay_max", remedy))
            }
            Restart::Never
            | Restart::FixedDelay
            | Restart::FailureRate
            | Restart::ExponentialDelay => Ok(()),
        }
    }

    /// The store as a URL: a plain folder is one of scheme `file`.
    pub(super) fn checkpoint_url(&self) -> String {
        let is_url = self
            .checkpoints
            .split_once(':')
            .is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
        if is_url {
            return self.checkpoints.clone();
        }
        format!("file:{}", self.checkpoints)
    }
}
