//! A hand-made job on an embedded cluster over real sockets: every way to end, at one and two task
//! managers, and what strangers at the job master's door are told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ends;
mod job;
mod strangers;
