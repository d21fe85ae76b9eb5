//! Models of the outside systems that every world offers.
//!
//! Reading order: [`streams`] (standard streams and collections) → [`blobs`] (what the blob store
//! holds and was asked) → [`blob_store`] (how a node asks) → [`file_store`] (the production driver
//! on the shared disk, watched).
//!
//! Invariant: a request takes time there and back; between the two the effect happens, once or
//! never, and no crash of who asked undoes it.

mod blob_store;
mod blobs;
pub(crate) mod file_store;
mod streams;

pub(crate) use blobs::Blobs;
pub use blobs::{BlobEvent, BlobOutcome, BlobRequest, BlobShelf};

use crate::sim_world::SimWorld;

/// Offers all of them.
pub(crate) fn offer_standard(world: &SimWorld) {
    streams::offer(world);
    blob_store::offer(world);
    file_store::offer(world);
}
