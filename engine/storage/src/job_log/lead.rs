//! The leader's place in the log.
//!
//! Invariant: a lead that was deposed stays so.

use sameriver_model::{CheckpointRef, JobNonce, JobRecord, RecordStatus};

/// What came of wanting to lead a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// The job is led by the caller.
    Leading(Lead),
    /// The job has ended; nobody leads it any more.
    Ended(JobRecord),
    /// Somebody else leads it.
    Lost {
        /// The epoch of whoever does.
        by_epoch: u32,
    },
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The record is there, durable, and the newest.
    Written {
        /// Its sequence.
        sequence: u64,
    },
    /// Somebody else leads the job: nothing may be done in its name any more.
    Deposed {
        /// The epoch of whoever does.
        by_epoch: u32,
    },
}

/// Leadership of a job, until a newer record of somebody else. Got from
/// [`JobLog::take_leadership`](super::JobLog::take_leadership), whose page has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    record: JobRecord,
    is_deposed: bool,
}

impl Lead {
    pub(super) fn new(record: JobRecord) -> Self {
        Self {
            record,
            is_deposed: false,
        }
    }

    /// The epoch that the leader writes in.
    pub const fn epoch(&self) -> u32 {
        self.record.epoch
    }

    /// The newest record that the leader knows of.
    pub const fn record(&self) -> &JobRecord {
        &self.record
    }

    /// Whether an append found that somebody else leads.
    pub const fn is_deposed(&self) -> bool {
        self.is_deposed
    }

    pub(super) fn depose(&mut self) {
        self.is_deposed = true;
    }

    /// Whether this leader wrote a record.
    pub(super) fn wrote(&self, record: &JobRecord) -> bool {
        (record.epoch, record.nonce) == (self.record.epoch, self.record.nonce)
    }

    /// Goes on behind a record of this leader.
    pub(super) fn advance(&mut self, record: JobRecord) {
        assert!(self.wrote(&record), "a lead goes on behind its own records");
        self.record = record;
    }

    /// The record behind the newest one.
    pub(super) fn next(
        &self,
        status: RecordStatus,
        latest: Option<CheckpointRef>,
        retained: Vec<CheckpointRef>,
    ) -> JobRecord {
        JobRecord {
            sequence: after(self.record.sequence),
            epoch: self.record.epoch,
            nonce: self.record.nonce,
            job: self.record.job,
            fingerprint: self.record.fingerprint,
            status,
            latest,
            retained,
        }
    }
}

/// The record with which a leader takes over, or begins a job of the graph with this fingerprint.
pub(super) fn successor(newest: Option<&JobRecord>, nonce: u64, fingerprint: u64) -> JobRecord {
    match newest {
        None => JobRecord {
            sequence: 1,
            epoch: 1,
            nonce,
            job: JobNonce::new(nonce),
            fingerprint,
            status: RecordStatus::Running,
            latest: None,
            retained: Vec::new(),
        },
        Some(newest) => JobRecord {
            sequence: after(newest.sequence),
            epoch: newest
                .epoch
                .checked_add(1)
                .expect("leaders are fewer than 2^32"),
            nonce,
            ..newest.clone()
        },
    }
}

fn after(sequence: u64) -> u64 {
    sequence
        .checked_add(1)
        .expect("records are fewer than 2^64")
}
