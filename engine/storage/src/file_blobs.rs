//! A store in a folder of the node's disk, or of a volume that all nodes mount.
//!
//! Invariant: an object appears under its name by a link, after its bytes were synced, and is
//! answered for after its name was; folders are durable before what is in them. Unfinished files
//! are in a folder of their own, which no listing shows. Knows nothing of checkpoints.

mod cause;
mod folders;
mod pending;
mod reading;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created, Disk, Lane,
    Published, World,
};
use thiserror::Error;

use crate::blob_path;
use cause::Causes;
use folders::Folders;
use pending::{PENDING, PendingFile, PendingFiles};

/// The URL of a store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "checkpoint store {url:?} is no folder: write file:<folder>, such as file:/var/checkpoints"
)]
pub struct UrlError {
    /// What was given.
    pub url: String,
}

/// A store in a folder: each object is a file at its own path.
///
/// Several nodes may share the folder. A file system that hides a finished `link` from another
/// node's listing must not be used for job logs.
///
/// ```
/// use sameriver_runtime::{BlobStore, Created};
/// use sameriver_runtime_tokio::TokioWorld;
/// use sameriver_storage::FileBlobs;
/// let tokio = TokioWorld::builder().build()?;
/// let folder = std::env::temp_dir().join("sameriver-file-blobs");
/// let store = FileBlobs::open(&tokio.world(), &format!("file:{}", folder.display()))?;
/// tokio.block_on(async {
///     store.remove("greeting").await?;
///     let created = store.create("greeting", vec!["hello".into()]).await?;
///     assert_eq!(created, Created::Created);
///     assert_eq!(store.read("greeting").await?, "hello");
///     Ok::<(), sameriver_runtime::BlobError>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileBlobs(Arc<Inner>);

struct Inner {
    world: World,
    disk: Arc<dyn Disk>,
    causes: Causes,
    folders: Folders,
    pending: PendingFiles,
}

impl FileBlobs {
    /// Opens the store `file:<folder>`; the folder is made when the first object is.
    ///
    /// # Errors
    /// [`UrlError`] when the URL has another scheme, a host, or no folder.
    pub fn open(world: &World, url: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError {
            url: url.to_owned(),
        };
        let folder = url.strip_prefix("file:").ok_or_else(wrong)?;
        let folder = match folder.strip_prefix("//") {
            Some(local) if local.starts_with('/') => local,
            Some(_host) => return Err(wrong()),
            None => folder,
        };
        if folder.is_empty() || folder.contains('\0') {
            return Err(wrong());
        }
        Ok(Self::at(world, Path::new(folder)))
    }

    /// The store in this folder.
    pub fn at(world: &World, folder: &Path) -> Self {
        let disk = world.disk();
        Self(Arc::new(Inner {
            world: world.clone(),
            disk: Arc::clone(&disk),
            causes: Causes::new(folder),
            folders: Folders::new(Arc::clone(&disk), folder),
            pending: PendingFiles::new(world, disk, folder),
        }))
    }

    /// Removes unfinished files that earlier lives of this node left behind, and answers how many.
    ///
    /// One that belongs to a process that is still writing, under the same node name, is told by
    /// its growing during `grace`; should it be removed all the same, its writer gets an error and
    /// tries again. No object is ever touched.
    ///
    /// # Errors
    /// [`BlobError`] when the folder cannot be listed, or a file not removed.
    pub async fn sweep(&self, grace: Duration) -> Result<u64, BlobError> {
        let store = self.clone();
        self.run("blob sweep", PENDING, async move {
            let inner = &store.0;
            let swept = inner.pending.sweep(&inner.world, grace).await;
            swept.map_err(|error| inner.causes.explain(PENDING, &error))
        })
        .await
    }

    /// Starts `work` at once, as a task of its own: its effect does not depend on the answer's
    /// being awaited.
    fn run<R: Send + 'static>(
        &self,
        name: &str,
        path: &str,
        work: impl Future<Output = Result<R, BlobError>> + Send + 'static,
    ) -> BoxFuture<Result<R, BlobError>> {
        let (tx, rx) = oneshot::channel();
        let task = async move {
            // The caller may have gone away; then nobody wants the answer.
            let _ = tx.send(work.await);
        };
        // Nobody joins it: its last operation of the disk ends it, and its caller hears of that.
        self.0.world.spawn(Lane::Control, name, task).detach();
        let lost = self.0.causes.unavailable(path, "the operation panicked");
        Box::pin(async move { rx.await.unwrap_or(Err(lost)) })
    }

    fn check(&self, path: &str) -> Result<PathBuf, BlobError> {
        let causes = &self.0.causes;
        blob_path::check(causes.store(), path)?;
        if path.split('/').next() == Some(PENDING) {
            return Err(causes.reserved(path));
        }
        Ok(self.0.folders.file(path))
    }

    async fn put(self, path: String, bytes: Vec<Bytes>) -> Result<Created, BlobError> {
        self.check(&path)?;
        let mut file = self.begin(&path).await?;
        for part in bytes {
            let written = file.append(part).await;
            written.map_err(|error| self.0.causes.explain(&path, &error))?;
        }
        self.publish(&path, file).await
    }

    async fn begin(&self, path: &str) -> Result<PendingFile, BlobError> {
        let folders = &self.0.folders;
        let begun = async {
            folders.ensure(PENDING).await?;
            self.0.pending.begin().await
        };
        let begun = begun.await.map_err(|error| folders.doubt(error));
        begun.map_err(|error| self.0.causes.explain(path, &error))
    }

    /// Gives a finished file its name. Whoever hears that the name is taken may rely on that, so
    /// it is durable by then.
    async fn publish(&self, path: &str, file: PendingFile) -> Result<Created, BlobError> {
        let to = self.check(path)?;
        let (folders, causes) = (&self.0.folders, &self.0.causes);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let ready = async {
            file.sync().await?;
            folders.ensure(folder).await
        };
        let ready = ready.await.map_err(|error| folders.doubt(error));
        ready.map_err(|error| causes.explain(path, &error))?;
        let linked = async {
            let published = file.publish(&to).await?;
            match published {
                Published::Created => Ok(Created::Created),
                Published::Exists => folders.sync(folder).await.map(|()| Created::Exists),
            }
        };
        let linked = linked.await.map_err(|error| folders.doubt(error));
        // The name may be there and only its durability in doubt: never a refusal.
        linked.map_err(|error: io::Error| causes.unavailable(path, &error.to_string()))
    }
}

impl BlobStore for FileBlobs {
    fn describe(&self) -> String {
        self.0.causes.store().to_owned()
    }

    fn abilities(&self) -> BlobAbilities {
        BlobAbilities {
            creates_if_absent: true,
            lists_all: true,
        }
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        let work = self.clone().put(path.to_owned(), bytes);
        self.run("blob create", path, work)
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        let (store, to) = (self.clone(), path.to_owned());
        self.run("blob upload", path, async move {
            store.check(&to)?;
            let file = store.begin(&to).await?;
            let upload = FileUpload {
                store,
                path: to,
                file,
            };
            Ok(Box::new(upload) as Box<dyn BlobUpload>)
        })
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        let (store, from) = (self.clone(), path.to_owned());
        self.run("blob read", path, async move {
            let file = store.check(&from)?;
            let read = reading::read(&*store.0.disk, &file, offset, length).await;
            read.map_err(|error| store.0.causes.explain(&from, &error))
        })
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        self.read_range(path, 0, u64::MAX)
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        let (store, begin) = (self.clone(), prefix.to_owned());
        self.run("blob list", prefix, async move {
            blob_path::check_prefix(store.0.causes.store(), &begin)?;
            let root = store.0.folders.root();
            let listed = reading::list(&*store.0.disk, root, &begin).await;
            listed.map_err(|error| store.0.causes.explain(&begin, &error))
        })
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        let (store, gone) = (self.clone(), path.to_owned());
        self.run("blob remove", path, async move {
            let file = store.check(&gone)?;
            match store.0.disk.remove(&file).await {
                Ok(()) => Ok(()),
                Err(error) if cause::is_absent(&error) => Ok(()),
                Err(error) => Err(store.0.causes.explain(&gone, &error)),
            }
        })
    }
}

/// An object in the making: a file that is removed unless it is published.
struct FileUpload {
    store: FileBlobs,
    path: String,
    file: PendingFile,
}

impl BlobUpload for FileUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<Result<(), BlobError>> {
        let written = self.file.append(bytes);
        let (store, path) = (self.store.clone(), self.path.clone());
        Box::pin(async move {
            written
                .await
                .map_err(|error| store.0.causes.explain(&path, &error))
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<Result<Created, BlobError>> {
        let Self { store, path, file } = *self;
        let (finishing, to) = (store.clone(), path.clone());
        store.run("blob finish", &path, async move {
            finishing.publish(&to, file).await
        })
    }
}
