//! The stores that a world offers by URL.
//!
//! Invariant: one name of a store in memory is one store for all nodes of the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sameriver_runtime::{BlobStore, Services};

use crate::file_blobs::FileBlobs;
use crate::memory_blobs::MemoryBlobs;

/// Adds `file:<folder>` and `memory:<name>` as stores of checkpoints.
///
/// ```
/// use sameriver_runtime::{BlobStore, Services};
/// let services = sameriver_storage::offer(Services::default());
/// assert_eq!(services.schemes().collect::<Vec<_>>(), ["file", "memory"]);
/// ```
#[must_use = "the offers are in the returned services"]
pub fn offer(services: Services) -> Services {
    let in_memory: Mutex<BTreeMap<String, MemoryBlobs>> = Mutex::default();
    services
        .offer::<dyn BlobStore>("file", |url, world| match FileBlobs::open(world, url) {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => Err(error.to_string()),
        })
        .offer::<dyn BlobStore>("memory", move |url, _world| {
            let mut stores = in_memory.lock().unwrap_or_else(PoisonError::into_inner);
            let store = stores.entry(url.to_owned());
            let store = store.or_insert_with(|| MemoryBlobs::new(url)).clone();
            Ok(Arc::new(store))
        })
}
