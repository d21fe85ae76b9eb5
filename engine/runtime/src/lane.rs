//! Where a task runs.

/// Where a task runs: on a data thread of its own, or beside all of them.
///
/// In production each data lane is one thread, so that blocking user code stalls its slot, or its
/// data connection, and nothing else. In simulation every lane is a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A thread of its own, for what runs a user's code: a slot, or a data connection, which
    /// encodes and decodes records.
    Data,
    /// Threads shared by control messages, heartbeats, uploads and the hellos of connections.
    Control,
}
