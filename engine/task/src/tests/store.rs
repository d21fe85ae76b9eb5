//! A checkpoint store that fails, refuses or takes its time, as a test tells it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sameriver_model::{RestoredState, SubtaskState};
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created, World,
};
use sameriver_storage::{MemoryBlobs, read_snapshot};

use crate::{SubtaskCheckpoints, UploadRetry};

/// The job's folder.
pub(super) const FOLDER: &str = "numbers";

/// Clones share all.
#[derive(Clone)]
pub(super) struct Store {
    inner: MemoryBlobs,
    world: World,
    orders: Arc<Orders>,
}

#[derive(Default)]
struct Orders {
    /// So many uploads fail at their end.
    failures: AtomicU32,
    /// So many uploads are refused at once.
    refusals: AtomicU32,
    /// How long each write takes.
    write_micros: AtomicU64,
    /// The paths at which uploads began.
    begun: Mutex<Vec<String>>,
}

impl Store {
    pub(super) fn new(world: &World) -> Self {
        Self {
            inner: MemoryBlobs::new("memory:tests"),
            world: world.clone(),
            orders: Arc::default(),
        }
    }

    /// Lets the next uploads fail at their end.
    pub(super) fn fail(&self, uploads: u32) {
        self.orders.failures.store(uploads, Ordering::SeqCst);
    }

    /// Refuses the next uploads.
    pub(super) fn refuse(&self, uploads: u32) {
        self.orders.refusals.store(uploads, Ordering::SeqCst);
    }

    /// Lets each write take so long.
    pub(super) fn set_pace(&self, write: Duration) {
        let micros = write.as_micros() as u64;
        self.orders.write_micros.store(micros, Ordering::SeqCst);
    }

    pub(super) fn begun(&self) -> Vec<String> {
        self.orders.begun.lock().unwrap().clone()
    }

    pub(super) fn checkpoints(&self) -> SubtaskCheckpoints {
        SubtaskCheckpoints {
            store: Arc::new(self.clone()),
            folder: FOLDER.to_owned(),
            reports: None,
            aligned: true,
            upload_retry: UploadRetry::default(),
        }
    }

    /// What a subtask starts from that had this state.
    pub(super) async fn restored(&self, state: &SubtaskState) -> RestoredState {
        let mut restored = RestoredState::default();
        for file in &state.files {
            let sections = read_snapshot(&self.inner, FOLDER, file).await.unwrap();
            for (id, bytes) in sections {
                restored.add(id, bytes);
            }
        }
        restored
    }
}

fn one_less(count: &AtomicU32) -> bool {
    let less = |count: u32| count.checked_sub(1);
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

impl BlobStore for Store {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn abilities(&self) -> BlobAbilities {
        self.inner.abilities()
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        self.inner.create(path, bytes)
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        self.orders.begun.lock().unwrap().push(path.to_owned());
        if one_less(&self.orders.refusals) {
            let (store, path) = (self.describe(), path.to_owned());
            return Box::pin(async {
                Err(BlobError::Refused {
                    store,
                    path,
                    cause: "it is full".to_owned(),
                    remedy: "make room",
                })
            });
        }
        let (store, path, begun) = (self.clone(), path.to_owned(), self.inner.upload(path));
        Box::pin(async move {
            let upload: Box<dyn BlobUpload> = Box::new(SlowUpload {
                store,
                path,
                inner: begun.await?,
            });
            Ok(upload)
        })
    }

    fn read_range(
        &self,
        path: &str,
        from: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        self.inner.read_range(path, from, length)
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        self.inner.read(path)
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        self.inner.list(prefix)
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        self.inner.remove(path)
    }
}

struct SlowUpload {
    store: Store,
    path: String,
    inner: Box<dyn BlobUpload>,
}

impl BlobUpload for SlowUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<Result<(), BlobError>> {
        let micros = self.store.orders.write_micros.load(Ordering::SeqCst);
        let sleep = self.store.world.sleep(Duration::from_micros(micros));
        let written = self.inner.write(bytes);
        Box::pin(async move {
            if micros > 0 {
                sleep.await;
            }
            written.await
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<Result<Created, BlobError>> {
        if one_less(&self.store.orders.failures) {
            let (store, path) = (self.store.describe(), self.path);
            return Box::pin(async {
                Err(BlobError::Unavailable {
                    store,
                    path,
                    cause: "the connection broke".to_owned(),
                })
            });
        }
        self.inner.finish()
    }
}
