//! What is tuned in the data plane, with its defaults.
//!
//! Invariant: every queue and every wait of the room has its bound here. The settings file maps
//! onto these fields by name; this room reads no file.

use std::time::Duration;

/// How a slot runs its subtasks.
///
/// ```
/// use sameriver_task::SlotSettings;
/// let settings = SlotSettings { slice_records: 1, ..SlotSettings::default() };
/// assert_eq!(settings.batch_records, 256);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotSettings {
    /// How many records run through a chain at once, and how many timers fire in one call; default
    /// 256, at least 1.
    pub slice_records: usize,
    /// How many records a batch holds before it is sent; default 256, at least 1.
    pub batch_records: usize,
    /// How long a record may wait for its batch to fill; default 5 ms, zero sends after each slice.
    pub batch_timeout: Duration,
    /// How many batches wait in a channel before its sender stops; default 8, at least 1.
    pub buffers_per_channel: usize,
    /// How many batches one slice may send on a channel beyond its free buffers; default 16384.
    pub overdraft_batches: usize,
    /// How long a slot works before it lets the executor look at other things; default 1 ms.
    pub yield_after: Duration,
    /// How many letters of control mail wait before their sender does; default 64, at least 1. As
    /// many more are taken out while a report waits.
    pub mail_letters: usize,
    /// How long a commit that fails is tried again before it fails the attempt; default 1 min, zero
    /// tries it once.
    pub commit_timeout: Duration,
}

impl Default for SlotSettings {
    fn default() -> Self {
        Self {
            slice_records: 256,
            batch_records: 256,
            batch_timeout: Duration::from_millis(5),
            buffers_per_channel: 8,
            overdraft_batches: 16_384,
            yield_after: Duration::from_millis(1),
            mail_letters: 64,
            commit_timeout: Duration::from_mins(1),
        }
    }
}

/// How task managers exchange batches.
///
/// ```
/// assert_eq!(sameriver_task::ExchangeSettings::default().frame_bytes, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// How many bytes a frame's payload may have; default 64 MiB.
    pub frame_bytes: u32,
    /// How long connecting and the exchange of hellos may take; default 10 s.
    pub connect_timeout: Duration,
    /// How many encoded bytes are gathered before they are written; default 64 KiB.
    pub write_bytes: usize,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self {
            frame_bytes: 64 << 20,
            connect_timeout: Duration::from_secs(10),
            write_bytes: 64 << 10,
        }
    }
}
