//! Mistakes put in on purpose: does the simulator find them?
//!
//! Reading order: [`planted_bug`] (one mistake and its file) → [`edit`] (one replacement of text) →
//! [`shelf`] (all mistakes, and which ones to try) → [`tree_copy`] (where they are made) →
//! [`hunt`] (build, run, judge).
//!
//! Invariant: the tree itself is never changed; a mistake whose text is not found exactly once, or
//! that does not compile, is an error and not a bug that was caught. Does not know what the run
//! checks: it asks the command and reads its exit code.

pub mod edit;
pub mod hunt;
pub mod planted_bug;
pub mod shelf;
pub mod tree_copy;

pub use edit::{Edit, EditError};
pub use hunt::{Catch, Hunt, HuntError};
pub use planted_bug::{BugError, PlantedBug};
pub use shelf::{Shelf, ShelfError};
pub use tree_copy::{CopyError, TreeCopy};
