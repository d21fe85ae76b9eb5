//! The operator contract, the transforms, and the contracts of sources and sinks.
//!
//! Reading order: [`consumer`] → [`context`] → [`chain`] → [`outputs`] → [`edge_codec`] →
//! [`source`] → [`sink`] → [`open`], then the transforms.
//!
//! Invariant: an operator spawns nothing, sleeps never and reads no clock; what it needs comes in
//! with the call. Only [`source`] and [`sink`] know the world.
#![forbid(unsafe_code)]

pub mod chain;
pub mod consumer;
pub mod context;
pub mod edge_codec;
pub mod error;
pub mod open;
pub mod outputs;
pub mod sink;
pub mod source;

pub use chain::{Chain, Head, SourceHead, SourceProgress, TypedHead};
pub use consumer::{AnyConsumer, Consumer, Progress};
pub use context::{Context, Position};
pub use edge_codec::{EdgeCodec, WireEdge};
pub use error::{OperatorError, UserError};
pub use open::OpenArgs;
pub use outputs::Outputs;
