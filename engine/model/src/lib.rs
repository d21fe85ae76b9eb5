//! Names of the domain: ids, event time, watermarks, key groups, batches, codecs and the job plan.
//!
//! Reading order: [`id`] → [`event_time`] → [`parallelism`] → [`key_group`] → [`key`] → [`codec`] →
//! [`element`] and [`batch`] → [`plan`] → [`snapshot`] → [`checkpoint`] →
//! [`read_counts`] → [`probe`].
//!
//! Feature: `probe` lets a simulator look in and crash a node at named places; without it the calls
//! are empty.
//!
//! Invariant: everything here is a value; nothing knows that time passes, awaits, or reads a clock.
#![forbid(unsafe_code)]

pub mod batch;
pub mod checkpoint;
pub mod codec;
pub mod element;
pub mod event_time;
pub mod failure;
pub mod id;
pub mod key;
pub mod key_group;
pub mod parallelism;
pub mod plan;
pub mod probe;
pub mod read_counts;
pub mod snapshot;

pub use batch::{AnyBatch, Batch};
pub use checkpoint::{CheckpointMetadata, CheckpointRef, JobRecord, RecordStatus};
pub use element::{Barrier, CheckpointId, Element, StreamElement};
pub use event_time::{EventTime, ProcessingTime, Watermark};
pub use failure::{Failure, FailureKind};
pub use id::{
    AttemptNumber, ChannelId, EdgeId, JobNonce, SlotIndex, SubtaskId, SubtaskIndex,
    TaskManagerIndex, Uid, VertexId,
};
pub use key::{Key, KeyView};
pub use key_group::{KeyGroup, KeyGroupRange, KeyHash};
pub use parallelism::{MaxParallelism, Parallelism, ParallelismError};
pub use plan::{JobPlan, Partitioning, PlanEdge, PlanVertex};
pub use read_counts::{ReadCounts, ReadReports, ReadSteps, Urgency};
pub use snapshot::{
    FileHandle, RestoredState, Section, SectionId, SectionKind, SectionWriter, SubtaskState,
};
