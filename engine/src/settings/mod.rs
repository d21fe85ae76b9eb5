//! What is tuned: one table of names, types, defaults and meanings.
//!
//! Reading order: the table here → [`value`](SettingValue) (how a value is written) →
//! [`effective`](EffectiveSettings) (files and command lines on top of the defaults).
//!
//! Invariant: a setting that is not in the table does not exist; [`Settings::validate`] relates the
//! fields, so nobody behind it has to ask again. No environment variable is read here.

mod checkpoints;
mod choice;
mod cluster;
mod effective;
mod error;
mod value;

use std::time::Duration;

use sameriver_graph::CompileSettings;
use sameriver_model::{MaxParallelism, Parallelism};

pub use choice::{CheckpointMode, Restart};
pub use effective::{EffectiveSettings, Origin, SettingRow};
pub use error::SettingsError;
pub use value::SettingValue;

macro_rules! settings_table {
    ($($name:ident: $type:ty = $default:expr, $meaning:literal;)*) => {
        /// How a job runs, field by field; what is not chosen keeps its default.
        ///
        /// No file is read unless [`Settings::load`] is asked to; a command made with
        /// `sameriver-cli` reads `sameriver.toml`.
        ///
        /// ```
        /// use sameriver::Settings;
        /// let settings = Settings { parallelism: 4, ..Settings::default() };
        /// assert!(settings.validate().is_ok());
        /// let settings = Settings { parallelism: 200, ..Settings::default() };
        /// assert!(settings.validate().is_err()); // above max_parallelism, which is 128
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = concat!($meaning, "; default `", stringify!($default), "`.")] pub $name: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Settings {
            /// Names and meanings, in the order of the table.
            const TABLE: &[(&str, &str)] = &[$((stringify!($name), $meaning),)*];

            /// A value as it is written in the settings file; `None` for a name that is not there.
            fn written(&self, name: &str) -> Option<String> {
                match name {
                    $(stringify!($name) => Some(self.$name.written()),)*
                    _ => None,
                }
            }

            /// Reads a value as it is written in the settings file; `None` for a name that is not
            /// there.
            fn read(&mut self, name: &str, written: &str) -> Option<Result<(), String>> {
                match name {
                    $(stringify!($name) => Some(
                        SettingValue::read(written).map(|value| self.$name = value)
                    ),)*
                    _ => None,
                }
            }
        }
    };
}

settings_table! {
    parallelism: u32 = 1, "Subtasks of an operator that does not choose";
    max_parallelism: u32 = 128, "Key groups, fixed for the life of a job's state";
    chaining: bool = true, "Whether neighbouring operators run by direct call in one subtask";
    task_managers: u32 = 1, "Task managers of an embedded cluster";
    slots: u32 = 0, "Data threads of each task manager, 0 for as many as the job needs";
    slice_records: u32 = 256, "Records that run through a chain at once";
    batch_records: u32 = 256, "Records that a batch holds before it is sent";
    batch_timeout: Duration = Duration::from_millis(5), "Wait for a batch to fill, 0ms for none";
    buffers_per_channel: u32 = 8, "Batches that wait in a channel before its sender stops";
    overdraft_batches: u32 = 16_384, "Batches that one slice may send on a channel beyond that";
    yield_after: Duration = Duration::from_millis(1), "Work of a slot before it lets others run";
    mail_letters: u32 = 64, "Control messages that wait for a slot before their sender does";
    frame_bytes: u32 = 64 << 20, "Bytes of the largest frame between task managers";
    write_bytes: u32 = 64 << 10, "Bytes gathered for a connection before they are written";
    commit_timeout: Duration = Duration::from_mins(1), "Time for which a failing commit is retried";
    registration_timeout: Duration = Duration::from_secs(30), "Wait for all task managers";
    registration_grace: Duration = Duration::from_secs(2), "Wait for a lost task manager's return";
    deploy_timeout: Duration = Duration::from_secs(30), "Wait for all subtasks to run";
    cancellation_timeout: Duration = Duration::from_secs(30), "Wait for all subtasks to stop";
    connect_timeout: Duration = Duration::from_secs(10), "Wait for a data connection";
    hello_timeout: Duration = Duration::from_secs(5), "Wait for the hello of a control connection";
    connect_retry: Duration = Duration::from_millis(50), "Pause before connecting again";
    control_frame_bytes: u32 = 16 << 20, "Bytes of the largest control message";
    heartbeat_interval: Duration = Duration::from_secs(1), "Pause between two signs of life";
    heartbeat_timeout: Duration = Duration::from_secs(10), "Silence after which a node is lost";
    leader_interval: Duration = Duration::from_secs(2), "Pause between two marks of who leads";
    leader_timeout: Duration = Duration::from_secs(10), "No mark for so long: another may lead";
    checkpoints: String = String::new(), "Folder or URL of the checkpoint store, empty for none";
    checkpoint_mode: CheckpointMode = CheckpointMode::ExactlyOnce, "What a checkpoint promises";
    checkpoint_interval: Duration = Duration::from_secs(10), "Time between checkpoints, 0ms: never";
    checkpoint_records: u64 = 0, "Records read after which a checkpoint is due, 0 for never";
    checkpoint_bytes: u64 = 0, "Bytes read after which a checkpoint is due, 0 for never";
    checkpoint_markers: bool = false, "Whether a marker in a source asks for a checkpoint";
    checkpoint_timeout: Duration = Duration::from_mins(10), "Time after which one is given up";
    checkpoint_min_pause: Duration = Duration::ZERO, "Pause between the end of one and the next";
    checkpoints_at_once: u32 = 1, "Checkpoints that may be under way together";
    checkpoints_retained: u32 = 1, "Completed checkpoints that are kept";
    checkpoint_failures: u32 = 0, "Failed checkpoints in a row that the job tolerates";
    restart: Restart = Restart::Never, "What follows a failure";
    restart_attempts: u32 = 3, "Restarts in all (fixed-delay), or in an interval (failure-rate)";
    restart_delay: Duration = Duration::from_secs(1), "Wait before a restart, or before the first";
    restart_delay_max: Duration = Duration::from_mins(1), "Longest wait of exponential-delay";
    restart_interval: Duration = Duration::from_mins(5), "Span of failure-rate, or calm that resets";
}

impl Settings {
    /// Reads a settings file on top of the defaults.
    ///
    /// # Errors
    /// [`SettingsError`] when the file cannot be read, has an unknown key or a value that is out of
    /// range.
    pub fn load(path: impl AsRef<std::path::Path>) -> Result<Self, SettingsError> {
        EffectiveSettings::load(path)?.validated()
    }

    /// The most task managers of an embedded cluster: each is a network node in this process.
    const TASK_MANAGERS_MAX: u32 = 1_024;
    /// The most data threads of all task managers: as many as an operator can have subtasks.
    const SLOTS_MAX: u64 = 32_768;

    /// The least that the largest frame may have: below, jobs fail at their first batch or message.
    const FRAME_BYTES_MIN: u32 = 64 << 10;

    /// Checks each field and what the fields mean together.
    ///
    /// # Errors
    /// [`SettingsError`] naming the first setting that is wrong, its value and the remedy.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.parallelism_checked()?;
        self.max_parallelism_checked()?;
        let at_least_one = [
            ("task_managers", self.task_managers),
            ("slice_records", self.slice_records),
            ("batch_records", self.batch_records),
            ("buffers_per_channel", self.buffers_per_channel),
            ("overdraft_batches", self.overdraft_batches),
            ("mail_letters", self.mail_letters),
            ("write_bytes", self.write_bytes),
        ];
        for (name, value) in at_least_one {
            if value == 0 {
                return Err(self.refused(name, "choose at least 1"));
            }
        }
        for (name, value) in [
            ("frame_bytes", self.frame_bytes),
            ("control_frame_bytes", self.control_frame_bytes),
        ] {
            if value < Self::FRAME_BYTES_MIN {
                let remedy = format!(
                    "a batch or a message would not fit: choose at least {}",
                    Self::FRAME_BYTES_MIN
                );
                return Err(self.refused(name, &remedy));
            }
        }
        for (name, value) in [
            ("registration_timeout", self.registration_timeout),
            ("deploy_timeout", self.deploy_timeout),
            ("cancellation_timeout", self.cancellation_timeout),
            ("connect_timeout", self.connect_timeout),
            ("hello_timeout", self.hello_timeout),
            ("connect_retry", self.connect_retry),
        ] {
            if value.is_zero() {
                return Err(self.refused(name, "nothing answers at once: choose at least 1ms"));
            }
        }
        self.relations()
    }

    fn relations(&self) -> Result<(), SettingsError> {
        if self.parallelism > self.max_parallelism {
            let remedy = format!(
                "it is above max_parallelism = {}: lower it, or raise max_parallelism before the \
                 job has state",
                self.max_parallelism
            );
            return Err(self.refused("parallelism", &remedy));
        }
        if self.task_managers > Self::TASK_MANAGERS_MAX {
            let remedy = format!("choose 1 to {}", Self::TASK_MANAGERS_MAX);
            return Err(self.refused("task_managers", &remedy));
        }
        if self.all_slots() > Self::SLOTS_MAX {
            let remedy = format!(
                "with task_managers = {} that is more than {} data threads: lower one of them",
                self.task_managers,
                Self::SLOTS_MAX
            );
            return Err(self.refused("slots", &remedy));
        }
        self.check_checkpoints()?;
        self.check_slots(self.parallelism)
    }

    /// Refuses a number of slots that a job does not fit into.
    pub(crate) fn check_slots(&self, slots_needed: u32) -> Result<(), SettingsError> {
        if self.slots == 0 || self.all_slots() >= u64::from(slots_needed) {
            return Ok(());
        }
        let remedy = format!(
            "with task_managers = {} that is fewer than the job's highest parallelism, which is \
             {slots_needed}: raise one of them, or write slots = 0",
            self.task_managers
        );
        Err(self.refused("slots", &remedy))
    }

    fn all_slots(&self) -> u64 {
        u64::from(self.slots) * u64::from(self.task_managers)
    }

    fn parallelism_checked(&self) -> Result<Parallelism, SettingsError> {
        Parallelism::new(self.parallelism)
            .map_err(|_| self.refused("parallelism", "choose 1 to 32768"))
    }

    fn max_parallelism_checked(&self) -> Result<MaxParallelism, SettingsError> {
        MaxParallelism::new(self.max_parallelism)
            .map_err(|_| self.refused("max_parallelism", "choose 1 to 32768"))
    }

    /// What a graph is compiled for.
    pub(crate) fn compile(&self) -> Result<CompileSettings, SettingsError> {
        Ok(CompileSettings {
            parallelism: self.parallelism_checked()?,
            max_parallelism: self.max_parallelism_checked()?,
            chaining: self.chaining,
        })
    }

    fn refused(&self, name: &'static str, remedy: &str) -> SettingsError {
        SettingsError::Refused {
            name,
            value: self.written(name).unwrap_or_default(),
            remedy: remedy.to_owned(),
        }
    }
}
