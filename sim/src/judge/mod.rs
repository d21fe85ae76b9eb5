//! The judge: one oracle a file, each for one promise.
//!
//! Reading order: `invariant` (the promises) → `history` (what was seen) → `store` (what
//! became of the checkpoint store) → the oracles: [`output`](fn@output) I1, [`visible`](fn@visible)
//! I2, [`cut`](fn@cut) I4, [`fold`](fn@fold) I5, [`commit`](fn@commit) I8, [`deposed`](fn@deposed)
//! I9, [`watermark`](fn@watermark) I10, [`window`](fn@window) I11, [`timer`](fn@timer) I12,
//! [`Account`] I13, [`metadata`](fn@metadata) I14, [`storage`](fn@storage) I16,
//! [`restored`](fn@restored) I18, [`liveness`](fn@liveness) L1 to L5, [`vacuity`](fn@vacuity) V1
//! to V4.
//!
//! Invariant: an oracle is a function from what was seen to a verdict, shares no code with the
//! engine beyond the names of things, and says how many items it compared.

mod commit;
mod conservation;
mod cut;
mod deposed;
mod fold;
mod history;
mod invariant;
mod liveness;
mod metadata;
mod output;
mod restored;
mod storage;
mod store;
mod timer;
mod vacuity;
mod visible;
mod watermark;
mod window;

pub use commit::commit;
pub use conservation::Account;
pub use cut::{CutMode, cut};
pub use deposed::deposed;
pub use fold::{FoldStep, fold};
pub use history::{Fact, History, Publication, Publications, Sighting};
pub use invariant::{Compared, Invariant};
pub use liveness::{AfterHealing, LivenessBounds, liveness};
pub use metadata::metadata;
pub use output::{DeclaredOrder, output};
pub use restored::restored;
pub use storage::storage;
pub use store::{Deed, StoreEvent, StoreFormat, publications};
pub use timer::timer;
pub use vacuity::{WentThrough, vacuity};
pub use visible::{Look, VisibleItem, visible};
pub use watermark::{Legal, watermark};
pub use window::{Windowed, window};
