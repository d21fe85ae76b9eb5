//! The kit on our own connectors, on the real world; and on wrong ones.

mod ours;
mod wrong_sinks;
mod wrong_sources;
