//! What the project measures: two specified streams, through the public API and by plain loops.
//!
//! Reading order: [`spec`] → [`row`] → [`plain`].
//!
//! Invariant: engine and loop read the same records and give the same rows; `SPECIFICATION.md`
//! fixes both and the expected checksums.
#![forbid(unsafe_code)]

pub mod plain;
pub mod row;
pub mod spec;
