//! Why the job log could not be read or written.
//!
//! Invariant: each error says whether the record may be there.

use sameriver_runtime::BlobError;
use thiserror::Error;

use crate::read_error::ReadError;

/// The job log could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// The store lacks what keeps two leaders apart.
    #[error(
        "{store} cannot {ability}, so it cannot keep the log of a job: choose another store, or \
         switch high availability off"
    )]
    Unfit {
        /// The store.
        store: String,
        /// What it cannot do.
        ability: &'static str,
    },
    /// The newest record is not readable. An older one is never taken in its place by itself: it
    /// does not know the latest checkpoint, and output would be repeated.
    #[error(
        "the newest record of the job log in {store} is not readable: {cause}; if no copy of it \
         exists, removing the file makes the job go on from the record before it, and output since \
         then may be repeated"
    )]
    Unreadable {
        /// The store.
        store: String,
        /// What is wrong with it.
        #[source]
        cause: ReadError,
    },
    /// The job that the log is of runs another graph.
    #[error(
        "the log of job {job} in {store} is of another job graph ({theirs:016x}, this \
         {ours:016x}): run the job that it is of, or give this one another folder for checkpoints"
    )]
    OtherGraph {
        /// The store.
        store: String,
        /// The job's folder in it.
        job: String,
        /// The fingerprint in the log.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// The store did not say whether the record is there: it may be, now or later.
    #[error("whether {record} was written is not known: {cause}")]
    Unknown {
        /// The record's path.
        record: String,
        /// The last answer.
        #[source]
        cause: BlobError,
    },
    /// The store failed before anything could be written.
    #[error(transparent)]
    Store(BlobError),
    /// A record that ends the job stands: nothing may follow it.
    #[error("the job is {status}: nothing can be appended to its log")]
    Ended {
        /// How it ended.
        status: String,
    },
}
