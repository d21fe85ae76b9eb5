//! A store in the memory of the process.
//!
//! Invariant: what it answers holds for all who share it; nothing outlives the process. Knows
//! nothing of checkpoints.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created,
};

use crate::blob_path;

/// A store that is gone when the last of its clones is: for tests, and for jobs of one process
/// that need no folder. Clones share their objects.
///
/// ```
/// use sameriver_runtime::BlobStore;
/// use sameriver_storage::MemoryBlobs;
/// let store = MemoryBlobs::new("memory:tests");
/// assert_eq!(store.describe(), "memory:tests");
/// assert!(store.abilities().creates_if_absent);
/// ```
#[derive(Clone, Debug)]
pub struct MemoryBlobs {
    name: Arc<str>,
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl MemoryBlobs {
    /// A store without objects, named as errors shall name it.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            objects: Arc::default(),
        }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, path: &str, bytes: &[Bytes]) -> Result<Created, BlobError> {
        blob_path::check(&self.name, path)?;
        let mut objects = self.objects();
        if objects.contains_key(path) {
            return Ok(Created::Exists);
        }
        objects.insert(path.to_owned(), joined(bytes));
        Ok(Created::Created)
    }

    fn get(&self, path: &str) -> Result<Bytes, BlobError> {
        blob_path::check(&self.name, path)?;
        let found = self.objects().get(path).cloned();
        found.ok_or_else(|| BlobError::NotFound {
            store: self.name.to_string(),
            path: path.to_owned(),
        })
    }

    fn entries(&self, prefix: &str) -> Result<Vec<BlobEntry>, BlobError> {
        blob_path::check_prefix(&self.name, prefix)?;
        let objects = self.objects();
        let from = objects.range(prefix.to_owned()..);
        let found = from.take_while(|(path, _)| path.starts_with(prefix));
        let entry = |(path, bytes): (&String, &Bytes)| BlobEntry {
            path: path.clone(),
            length: bytes.len() as u64,
        };
        Ok(found.map(entry).collect())
    }
}

fn joined(bytes: &[Bytes]) -> Bytes {
    match bytes {
        [one] => one.clone(),
        more => more.concat().into(),
    }
}

fn answer<R: Send + 'static>(answer: R) -> BoxFuture<R> {
    Box::pin(std::future::ready(answer))
}

impl BlobStore for MemoryBlobs {
    fn describe(&self) -> String {
        self.name.to_string()
    }

    fn abilities(&self) -> BlobAbilities {
        BlobAbilities {
            creates_if_absent: true,
            lists_all: true,
        }
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        answer(self.put(path, &bytes))
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        let checked = blob_path::check(&self.name, path);
        let upload = MemoryUpload {
            store: self.clone(),
            path: path.to_owned(),
            bytes: Vec::new(),
        };
        answer(checked.map(|()| Box::new(upload) as Box<dyn BlobUpload>))
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        let read = self.get(path).map(|bytes| {
            let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            bytes.slice(position(offset)..position(offset.saturating_add(length)))
        });
        answer(read)
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        answer(self.get(path))
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        answer(self.entries(prefix))
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        let checked = blob_path::check(&self.name, path);
        if checked.is_ok() {
            self.objects().remove(path);
        }
        answer(checked)
    }
}

struct MemoryUpload {
    store: MemoryBlobs,
    path: String,
    bytes: Vec<Bytes>,
}

impl BlobUpload for MemoryUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<Result<(), BlobError>> {
        self.bytes.push(bytes);
        answer(Ok(()))
    }

    fn finish(self: Box<Self>) -> BoxFuture<Result<Created, BlobError>> {
        answer(self.store.put(&self.path, &self.bytes))
    }
}
