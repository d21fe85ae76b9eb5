//! A hand-made job on an embedded cluster over real sockets: every way to end, at one and two task
//! managers, and what strangers at the job master's door are told.

mod ends;
mod job;
mod strangers;
