//! Keeps snapshots: stores of objects, the log of a job, files and metadata of checkpoints.
//!
//! Reading order: [`layout`] (names of files) → [`file_blobs`], [`memory_blobs`] and
//! [`patient_blobs`] (stores) →
//! [`snapshot_file`] and [`metadata`] (files) → [`job_log`] (the truth about a job) → [`retention`]
//! (what may go) → [`mod@audit`] (what is there).
//!
//! Feature: `testing` opens the conformance suite for stores.
//!
//! Invariant: what is read is, byte for byte, what was written, or an error that names the file; a
//! record of the job log names only files that were durable before it. Knows neither what state
//! means nor who should lead.
#![forbid(unsafe_code)]

pub mod audit;
mod blob_path;
mod bounded_read;
pub mod file_blobs;
pub mod job_log;
pub mod layout;
pub mod memory_blobs;
pub mod metadata;
mod offer;
pub mod patience;
pub mod patient_blobs;
pub mod read_error;
pub mod retention;
mod sealed;
pub mod snapshot_file;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod damage;
#[cfg(test)]
mod examples;

pub use audit::{Audit, audit, jobs};
pub use file_blobs::{FileBlobs, UrlError};
pub use job_log::{Appended, JobLog, Lead, Leadership, LogError};
pub use memory_blobs::MemoryBlobs;
pub use metadata::{read_metadata, write_metadata};
pub use offer::offer;
pub use patience::Patience;
pub use patient_blobs::PatientBlobs;
pub use read_error::{ReadError, WriteError};
pub use retention::{Swept, discard, sweep};
pub use snapshot_file::{SnapshotFileWriter, read_snapshot};

/// Polls a future that is ready at once, for tests of stores in memory.
#[cfg(test)]
fn now<R>(work: impl Future<Output = R>) -> R {
    use std::task::{Context, Poll, Waker};
    let mut work = std::pin::pin!(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store in memory answers at once"),
    }
}
