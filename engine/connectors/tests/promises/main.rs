//! What connectors promise, in the real world: [`sources`], [`sinks`] and their [`commits`], on a
//! [`site`] of their own.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commits;
mod sinks;
mod site;
mod sources;
