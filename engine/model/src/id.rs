//! Identifiers of the parts of a job, each a type of its own so that two cannot be swapped.
//!
//! Invariant: an id is a plain number or name given by the plan, never by a process-wide counter,
//! so that equal jobs have equal ids on every node and in every run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(u32);

        impl $name {
            /// Wraps the number that the plan gave.
            #[inline]
            pub const fn new(index: u32) -> Self {
                Self(index)
            }

            /// The number as the plan gave it.
            #[inline]
            pub const fn get(self) -> u32 {
                self.0
            }

            /// The number as a position in a list.
            #[inline]
            pub const fn position(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

index!(
    /// A vertex of the job graph: one operator chain.
    ///
    /// ```
    /// assert_eq!(sameriver_model::VertexId::new(3).to_string(), "v3");
    /// ```
    VertexId,
    "v"
);
index!(
    /// An edge of the job graph, between two vertices.
    ///
    /// ```
    /// assert_eq!(sameriver_model::EdgeId::new(0).to_string(), "e0");
    /// ```
    EdgeId,
    "e"
);
index!(
    /// The position of a subtask among its siblings, counted from zero.
    ///
    /// ```
    /// assert_eq!(sameriver_model::SubtaskIndex::new(1).position(), 1);
    /// ```
    SubtaskIndex,
    ""
);
index!(
    /// A slot of a task manager: one data thread.
    ///
    /// ```
    /// assert_eq!(sameriver_model::SlotIndex::new(0).to_string(), "s0");
    /// ```
    SlotIndex,
    "s"
);
index!(
    /// A task manager, numbered in the order of the cluster's settings.
    ///
    /// ```
    /// assert_eq!(sameriver_model::TaskManagerIndex::new(2).to_string(), "tm2");
    /// ```
    TaskManagerIndex,
    "tm"
);

/// Tells a job from every other one, also from another run of the same job function: drawn when
/// the job begins, and kept over restarts and changes of the leader.
///
/// It shows the 8 hexadecimal digits of its upper half, as the names of files do.
///
/// ```
/// use sameriver_model::JobNonce;
/// let job = JobNonce::new(0x1f3c_09ab_0000_0007);
/// assert_eq!((job.to_string().as_str(), job.get()), ("1f3c09ab", 0x1f3c_09ab_0000_0007));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobNonce(u64);

impl JobNonce {
    /// Wraps the number that was drawn.
    pub const fn new(nonce: u64) -> Self {
        Self(nonce)
    }

    /// The number as it was drawn.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

/// One execution of a job's subtasks; a restart is a new attempt, and never has the number of an
/// earlier one: each leader counts its own from 1, behind its epoch.
///
/// ```
/// use sameriver_model::AttemptNumber;
/// let first = AttemptNumber::new(1);
/// assert_eq!((first.to_string(), first.next().to_string()), ("a1".into(), "a2".into()));
/// let later = AttemptNumber::of_epoch(2, 1);
/// assert!(first < later);
/// assert_eq!(later.to_string(), "a2.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptNumber {
    epoch: u32,
    ordinal: u32,
}

impl AttemptNumber {
    /// An attempt of a job that keeps no log, counted from 1.
    pub const fn new(ordinal: u32) -> Self {
        Self { epoch: 0, ordinal }
    }

    /// An attempt of the leader of this epoch, counted from 1.
    pub const fn of_epoch(epoch: u32, ordinal: u32) -> Self {
        Self { epoch, ordinal }
    }

    /// The epoch of the leader that made the attempt; 0 without a job log.
    pub const fn epoch(self) -> u32 {
        self.epoch
    }

    /// Which of its leader's attempts this is, counted from 1.
    pub const fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// The attempt after this one, of the same leader.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            epoch: self.epoch,
            ordinal: self.ordinal.saturating_add(1),
        }
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epoch {
            0 => write!(f, "a{}", self.ordinal),
            epoch => write!(f, "a{epoch}.{}", self.ordinal),
        }
    }
}

/// One parallel instance of a vertex: the unit that is scheduled and that fails.
///
/// ```
/// use sameriver_model::{SubtaskId, SubtaskIndex, VertexId};
/// let id = SubtaskId::new(VertexId::new(3), SubtaskIndex::new(2));
/// assert_eq!(id.to_string(), "v3/2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubtaskId {
    /// The vertex that this is an instance of.
    pub vertex: VertexId,
    /// Which instance.
    pub index: SubtaskIndex,
}

impl SubtaskId {
    /// Names one instance of a vertex.
    pub const fn new(vertex: VertexId, index: SubtaskIndex) -> Self {
        Self { vertex, index }
    }
}

impl fmt::Display for SubtaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vertex, self.index)
    }
}

/// An ordered, bounded link from one upstream to one downstream subtask.
///
/// ```
/// use sameriver_model::{ChannelId, EdgeId, SubtaskIndex};
/// let id = ChannelId::new(EdgeId::new(1), SubtaskIndex::new(0), SubtaskIndex::new(3));
/// assert_eq!(id.to_string(), "e1[0>3]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId {
    /// The edge of the job graph.
    pub edge: EdgeId,
    /// The sending subtask of the edge's upstream vertex.
    pub from: SubtaskIndex,
    /// The receiving subtask of the edge's downstream vertex.
    pub to: SubtaskIndex,
}

impl ChannelId {
    /// Names the link between two subtasks along an edge.
    pub const fn new(edge: EdgeId, from: SubtaskIndex, to: SubtaskIndex) -> Self {
        Self { edge, from, to }
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}>{}]", self.edge, self.from, self.to)
    }
}

/// The user's name of an operator, stable over versions of the job: state is found by it.
///
/// ```
/// let uid = sameriver_model::Uid::new("clicks-per-user");
/// assert_eq!(uid.as_str(), "clicks-per-user");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(Arc<str>);

impl Uid {
    /// Wraps the name that the user wrote.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
