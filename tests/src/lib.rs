//! What the project promises, held from outside.
//!
//! Reading order: [`repository`] → [`promise`] → [`conformance`].
#![forbid(unsafe_code)]

pub mod conformance;
pub mod promise;
pub mod repository;
