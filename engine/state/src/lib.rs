//! Keyed state: what is declared, the tables that hold it, and timers.
//!
//! Reading order: [`declare`] → [`keyed_state`] → [`at`] → [`value_state`], [`list_state`],
//! [`map_state`] → [`heap_table`] → `key_group_table` → `look_ahead` → [`timer_store`] →
//! [`snapshot`] → [`restore`].
//!
//! Invariant: a key's state is in the one subtask that owns the key's group; the same hash that
//! routed a record finds its entry. Nothing here awaits, does I/O or reads a clock.
#![forbid(unsafe_code)]

pub mod at;
pub mod declare;
pub mod descriptor;
pub mod epoch;
pub mod error;
pub mod heap_table;
mod key_bytes;
mod key_group_table;
pub mod keyed_state;
pub mod list_state;
mod look_ahead;
mod map_entries;
pub mod map_state;
mod probe_hash;
pub mod restore;
pub mod snapshot;
pub mod timer_store;
pub mod value;
pub mod value_state;

pub use at::At;
pub use declare::Declare;
pub use descriptor::{StateDescriptor, StateKind};
pub use epoch::Epoch;
pub use error::{DeclareError, StateError};
pub use heap_table::HeapTable;
pub use keyed_state::{KeyedState, Owner};
pub use list_state::ListState;
pub use map_state::MapState;
pub use restore::{RestoreError, refuse_undeclared};
pub use snapshot::{SnapshotError, StateAddress, WalkBudget};
pub use timer_store::{DueTimer, TimerStore};
pub use value::Value;
pub use value_state::ValueState;
