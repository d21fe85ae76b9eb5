//! Where a task runs.

/// Where a task runs: on a slot's own data thread, or beside all slots.
///
/// In production each data lane is one thread, so that blocking user code stalls its slot and
/// nothing else. In simulation every lane is a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A thread of its own for one slot.
    Data,
    /// Threads shared by control messages, heartbeats, uploads and connections.
    Control,
}
