//! A store that answers within a limit, or says that it does not.
//!
//! Invariant: whoever asks has an answer, at the latest when its patience is over; silence says
//! that nobody knows whether the operation was carried out. Tries nothing again.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created, World,
};

use crate::patience::Patience;

/// Another store, each of whose answers is waited for no longer than [`Patience::answer`].
///
/// Uploads are not limited: how long a snapshot may take is for the checkpoint to say.
///
/// ```
/// use std::sync::Arc;
/// use sameriver_runtime::BlobStore;
/// use sameriver_runtime_tokio::TokioWorld;
/// use sameriver_storage::{MemoryBlobs, Patience, PatientBlobs};
///
/// let tokio = TokioWorld::builder().build()?;
/// let memory = Arc::new(MemoryBlobs::new("memory:"));
/// let store = PatientBlobs::new(&tokio.world(), memory, Patience::default());
/// assert_eq!(tokio.block_on(store.list(""))?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PatientBlobs {
    world: World,
    inner: Arc<dyn BlobStore>,
    name: String,
    patience: Patience,
}

impl PatientBlobs {
    /// The same store, asked with this patience.
    pub fn new(world: &World, inner: Arc<dyn BlobStore>, patience: Patience) -> Self {
        Self {
            world: world.clone(),
            name: inner.describe(),
            inner,
            patience,
        }
    }

    fn within<R: Send + 'static>(
        &self,
        path: &str,
        asked: BoxFuture<Result<R, BlobError>>,
    ) -> BoxFuture<Result<R, BlobError>> {
        let (world, patience) = (self.world.clone(), self.patience);
        let (name, path) = (self.name.clone(), path.to_owned());
        Box::pin(async move { patience.once(&world, &name, &path, asked).await })
    }
}

impl BlobStore for PatientBlobs {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn abilities(&self) -> BlobAbilities {
        self.inner.abilities()
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        self.within(path, self.inner.create(path, bytes))
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        self.inner.upload(path)
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        self.within(path, self.inner.read_range(path, offset, length))
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        self.within(path, self.inner.read(path))
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        self.within(prefix, self.inner.list(prefix))
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        self.within(path, self.inner.remove(path))
    }
}

impl fmt::Debug for PatientBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, each answer within {:?}",
            self.name, self.patience.answer
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sameriver_runtime_tokio::TokioWorld;

    use super::*;

    /// A store that takes every question and answers none.
    struct Silent;

    impl BlobStore for Silent {
        fn describe(&self) -> String {
            "blob:silent".to_owned()
        }

        fn abilities(&self) -> BlobAbilities {
            BlobAbilities {
                creates_if_absent: true,
                lists_all: true,
            }
        }

        fn create(&self, _: &str, _: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
            Box::pin(std::future::pending())
        }

        fn upload(&self, _: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
            Box::pin(std::future::pending())
        }

        fn read_range(&self, _: &str, _: u64, _: u64) -> BoxFuture<Result<Bytes, BlobError>> {
            Box::pin(std::future::pending())
        }

        fn read(&self, _: &str) -> BoxFuture<Result<Bytes, BlobError>> {
            Box::pin(std::future::pending())
        }

        fn list(&self, _: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
            Box::pin(std::future::pending())
        }

        fn remove(&self, _: &str) -> BoxFuture<Result<(), BlobError>> {
            Box::pin(std::future::pending())
        }
    }

    fn told<R: fmt::Debug>(answer: Result<R, BlobError>) -> String {
        answer.expect_err("nobody answers").to_string()
    }

    #[test]
    fn every_question_to_a_silent_store_ends_in_an_error_that_names_it_and_what_to_do() {
        let tokio = TokioWorld::builder().build().expect("a world");
        let patience = Patience {
            answer: Duration::from_millis(1),
            ..Patience::default()
        };
        let store = PatientBlobs::new(&tokio.world(), Arc::new(Silent), patience);
        let all = tokio.block_on(async {
            [
                told(store.create("a", vec![Bytes::new()]).await),
                told(store.read_range("a", 0, 1).await),
                told(store.read("a").await),
                told(store.list("a").await),
                told(store.remove("a").await),
            ]
        });
        for told in all {
            assert_eq!(
                told,
                "blob:silent does not answer for a: no answer within 1ms: look whether it can be \
                 reached and is not overloaded"
            );
        }
    }
}
