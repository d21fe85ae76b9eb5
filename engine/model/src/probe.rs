//! Places where a simulator may look in, or crash the node.
//!
//! Invariant: without the feature `probe` every call here is empty and draws nothing; with it, a
//! call reaches the observer of this thread, if there is one. An observer changes nothing that the
//! engine sees, except that a crash point may unwind.
//!
//! There are two definitions of each function, chosen in this crate: a `cfg` inside a macro would
//! be that of the caller's crate.

use crate::element::CheckpointId;
use crate::event_time::{EventTime, Watermark};
use crate::id::{AttemptNumber, ChannelId, SubtaskId};
use crate::key_group::KeyHash;

/// A decision or a fact of the engine that no output shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe<'a> {
    /// A barrier went into a channel behind so many records.
    BarrierSent {
        /// The channel.
        channel: ChannelId,
        /// The attempt.
        attempt: AttemptNumber,
        /// The barrier's checkpoint.
        checkpoint: CheckpointId,
        /// Records sent before, since the attempt began.
        records: u64,
    },
    /// A snapshot of the receiver holds the effect of so many records of a channel.
    Reflected {
        /// The channel.
        channel: ChannelId,
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Records taken before, since the attempt began.
        records: u64,
    },
    /// A subtask came to a step of a checkpoint: `align`, `synchronous`, `upload`, `acknowledge`,
    /// `notify`, `commit`, or of a restore: `fetch`, `open`.
    Step {
        /// The subtask.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The name of the step.
        step: &'static str,
    },
    /// A job master granted an attempt.
    AttemptStarted {
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint that it starts from.
        from: Option<CheckpointId>,
    },
    /// A record of the job log exists: a checkpoint was published by it, or leadership taken.
    LogAppended {
        /// The record's sequence.
        sequence: u64,
        /// The leader's epoch.
        epoch: u32,
        /// The latest checkpoint that it names.
        latest: Option<CheckpointId>,
    },
    /// A subtask started from state of so many bytes.
    Restored {
        /// The subtask.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Bytes of all sections.
        bytes: u64,
    },
    /// An operator's event-time clock moved.
    Watermark {
        /// The operator.
        operator: &'a str,
        /// The subtask.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// Where it is now.
        watermark: Watermark,
    },
    /// A record was judged late.
    Late {
        /// The operator.
        operator: &'a str,
        /// The subtask.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The record's event time.
        time: EventTime,
        /// The operator's clock.
        watermark: Watermark,
    },
    /// A timer was set, has fired or was taken back.
    Timer {
        /// The operator.
        operator: &'a str,
        /// The subtask.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The key's hash.
        key: KeyHash,
        /// What it is set for.
        time: EventTime,
        /// What happened.
        what: TimerDeed,
    },
    /// A sink committed, or found committed.
    Committed {
        /// The sink.
        operator: &'a str,
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint that let it.
        checkpoint: CheckpointId,
        /// What was committed, as the sink names it.
        what: &'a str,
    },
    /// A file of the checkpoint store was removed.
    Removed {
        /// Its path.
        path: &'a str,
    },
    /// A rare path was taken.
    Reached {
        /// Its name.
        place: &'static str,
    },
}

/// What happened to a timer.
///
/// ```
/// use sameriver_model::probe::TimerDeed;
/// assert_ne!(TimerDeed::Set, TimerDeed::Deleted);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerDeed {
    /// It was set.
    Set,
    /// It has fired.
    Fired,
    /// It was taken back.
    Deleted,
}

/// What looks in from outside; one a thread.
#[cfg(feature = "probe")]
pub trait Observer {
    /// Hears of a fact.
    fn observe(&self, probe: &Probe<'_>);
    /// Whether the node crashes here. Whoever answers yes has made the node's world inert.
    fn crashes(&self, place: &'static str) -> bool;
}

/// What a crash point unwinds with.
#[cfg(feature = "probe")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crashed;

#[cfg(feature = "probe")]
mod watched {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::{Crashed, Observer, Probe};

    thread_local! {
        static OBSERVER: RefCell<Option<Rc<dyn Observer>>> = const { RefCell::new(None) };
    }

    /// Sets the observer of this thread, or takes it away.
    pub fn watch(observer: Option<Rc<dyn Observer>>) {
        OBSERVER.with(|slot| *slot.borrow_mut() = observer);
    }

    fn observer() -> Option<Rc<dyn Observer>> {
        OBSERVER.with(|slot| slot.borrow().clone())
    }

    /// Tells the observer of a fact.
    pub fn observe(probe: &Probe<'_>) {
        if let Some(observer) = observer() {
            observer.observe(probe);
        }
    }

    /// A place where a node may crash; its name is `room.step`.
    ///
    /// # Panics
    /// With [`Crashed`], when the observer says so: the node's world is inert by then.
    pub fn crash_point(place: &'static str) {
        if observer().is_some_and(|observer| observer.crashes(place)) {
            std::panic::resume_unwind(Box::new(Crashed));
        }
    }
}

#[cfg(feature = "probe")]
pub use watched::{crash_point, observe, watch};

/// Tells the observer of a fact; without the feature `probe` nothing happens.
#[cfg(not(feature = "probe"))]
#[inline]
pub fn observe(_probe: &Probe<'_>) {}

/// A place where a node may crash; without the feature `probe` nothing happens.
#[cfg(not(feature = "probe"))]
#[inline]
pub fn crash_point(_place: &'static str) {}
