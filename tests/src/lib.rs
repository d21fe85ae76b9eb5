//! What the project promises, held from outside.
//!
//! Reading order: [`repository`] → [`promise`].
#![forbid(unsafe_code)]

pub mod promise;
pub mod repository;
