//! What the two ends of a data connection have in common: why it fails, and whom that concerns.
//!
//! Invariant: a connection that fails breaks every channel that it carries, with one failure that
//! names both ends, their addresses and what to do.

use std::any::Any;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sameriver_model::{ChannelId, Failure, FailureKind};
use sameriver_runtime::{Panicked, TimedOut};
use thiserror::Error;

use super::frame::FrameError;
use super::hello::HelloError;

/// Why a data connection ended before its channels did.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    #[error("cannot connect: {0}: check that the node runs and that its data port can be reached")]
    Connect(io::Error),
    #[error("the placement has no address for it: the cluster must name one")]
    NoAddress,
    #[error("{0}: check that the node runs, or raise connect_timeout")]
    TimedOut(#[from] TimedOut),
    #[error("{0}")]
    Hello(#[from] HelloError),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}: check the network and the node at the other end")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Panicked(Panicked),
    #[error("it was closed before {open} of its channels had ended: look at that node's log")]
    Closed { open: usize },
    #[error("a batch of channel {channel} cannot be {what}: {cause}")]
    Codec {
        channel: ChannelId,
        what: &'static str,
        cause: Box<dyn Error + Send + Sync>,
    },
}

impl LinkError {
    /// The failure of the subtasks at this end of `link` (`data connection tm0 > tm1 at a:1`).
    pub(crate) fn failure(&self, link: &str) -> Failure {
        let kind = match self {
            Self::Codec { .. } => FailureKind::User,
            Self::Frame(FrameError::TooLong { .. }) => FailureKind::Limit,
            Self::Panicked(_) => FailureKind::Internal,
            Self::Connect(_)
            | Self::NoAddress
            | Self::TimedOut(_)
            | Self::Hello(_)
            | Self::Frame(_)
            | Self::Io(_)
            | Self::Closed { .. } => FailureKind::Cluster,
        };
        Failure::new(kind, format!("{link}: {self}"))
    }
}

/// Runs the codec of a user's type; a panic in it is an error of the codec.
pub(crate) fn guarded<R>(
    channel: ChannelId,
    what: &'static str,
    code: impl FnOnce() -> Result<R, Box<dyn Error + Send + Sync>>,
) -> Result<R, LinkError> {
    let result = catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|payload| {
        let payload: &(dyn Any + Send) = &*payload;
        Err(Panicked::new(what, payload).message.into())
    });
    result.map_err(|cause| LinkError::Codec {
        channel,
        what,
        cause,
    })
}

/// Locks what a connection and its slots share. Nobody leaves it half changed.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
