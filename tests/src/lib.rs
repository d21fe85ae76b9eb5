//! What the project promises, held from outside.
//!
//! Reading order: [`repository`] → [`promise`] → [`conformance`] → [`upper_case`] → [`havoc`] →
//! [`walkthrough`].
#![forbid(unsafe_code)]

pub mod conformance;
pub mod havoc;
pub mod promise;
pub mod repository;
pub mod upper_case;
pub mod walkthrough;

/// The Rust blocks of the README are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
