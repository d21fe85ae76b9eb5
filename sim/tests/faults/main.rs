//! Faults as real ones are: what a switch, a kernel, a power cut and a store do, each with a count
//! of what it did to its victim.
//!
//! Invariant: each promise is held under several seeds.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod clocks;
mod conformance;
mod disks;
mod links;
mod nodes;
mod repeat;
mod rig;
mod store;
