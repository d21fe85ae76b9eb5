//! Mistakes put in on purpose: does the simulator find them?
//!
//! Reading order: [`planted_bug`] (one mistake and its file) → [`edit`] (one replacement of text) →
//! [`oracle`] (who must catch it) → [`shelf`] (all mistakes, and which ones to try) → [`tree_copy`]
//! (where they are made) → [`hunt`] (build, run, judge) → [`mod@catch`] (what came of it) →
//! [`page`].
//!
//! Invariant: the tree itself is never changed; a mistake whose text is not found exactly once, or
//! that does not compile, is an error and not a bug that was caught. Does not know what the run
//! checks: it asks the command and reads its findings.

pub mod catch;
pub mod edit;
pub mod hunt;
pub mod oracle;
pub mod page;
pub mod planted_bug;
mod program;
mod results;
pub mod shelf;
pub mod tree_copy;

pub use catch::Catch;
pub use edit::{Edit, EditError};
pub use hunt::{Hunt, HuntError};
pub use oracle::Oracle;
pub use page::{PAGE, Page};
pub use planted_bug::{BugError, LINES_MAX, PlantedBug};
pub use shelf::{Shelf, ShelfError};
pub use tree_copy::{CopyError, TreeCopy};
