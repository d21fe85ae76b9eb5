//! The operator contract, the transforms, and the contracts of sources and sinks.
//!
//! Reading order: [`consumer`] → [`context`] and [`spent`] → [`chain`] and [`typed_head`] →
//! [`outputs`] → [`edge_codec`] → [`source`] and [`source_head`] → [`sink`] → [`open`]; then what
//! is built of them: [`source_driver`] → [`watermark`] → [`out`] and [`transform`] →
//! [`key_selector`] → [`keyed`] → [`window`] → [`sink_link`] → [`tail`]. [`build`] lists every
//! factory. Snapshots: `saved` and `event_clock`, then each operator's own.
//!
//! Invariant: an operator spawns nothing, sleeps never and reads no clock; what it needs comes in
//! with the call. Only [`source`], [`source_head`], [`sink`] and [`sink_link`] (whose commits are a
//! task of the world) know the world.
//!
//! Feature: `testing` opens the test kit.
#![forbid(unsafe_code)]

mod branch;
pub mod build;
pub mod chain;
pub mod consumer;
pub mod context;
#[cfg(test)]
mod continuity;
mod drained;
pub mod edge_codec;
pub mod enumerator;
pub mod error;
mod event_clock;
pub mod key_selector;
pub mod keyed;
pub mod open;
pub mod out;
pub mod outputs;
mod pass_on;
mod saved;
mod side;
pub mod sink;
pub mod sink_link;
pub mod source;
pub mod source_driver;
pub mod source_head;
pub mod spent;
pub mod tail;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transform;
pub mod typed_head;
pub mod watermark;
pub mod window;

pub use chain::{Chain, Head};
pub use consumer::{AnyConsumer, Consumer, Progress, Walk};
pub use context::{Context, Position};
pub use edge_codec::{EdgeCodec, WireEdge};
pub use error::{OperatorError, UserError};
pub use key_selector::{ByRef, ByValue, SelectKey};
pub use keyed::{FromFn, KeyedProcess, Timer};
pub use open::{CommitRule, OpenArgs};
pub use out::Out;
pub use outputs::Outputs;
pub use source_head::{SourceHead, SourceProgress};
pub use spent::Spent;
pub use typed_head::TypedHead;
pub use watermark::{WatermarkStrategy, Watermarks};
pub use window::{Aggregate, TimeWindow, Tumbling, WindowResult};
