//! Windows: bounded groups of a key's records by event time.
//!
//! Invariant: a record is late for its window, and never counted, exactly when the window's last
//! instant is at or before the operator's own event-time clock; every window fires once.

mod aggregate;
mod operator;
mod panes;
mod time_window;

pub use aggregate::{Aggregate, Count, WindowResult};
pub use operator::{NoEventTime, aggregate};
pub use time_window::{TimeWindow, Tumbling, WindowSizeError};
