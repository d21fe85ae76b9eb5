//! What the blob store holds, and all that it was asked.
//!
//! Invariant: an object is created whole, once, and never changes; every request that arrived is in
//! the history, in the order of arrival. The shelf belongs to the supervisor: no crash takes
//! anything off it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sameriver_runtime::Monotonic;

use crate::counters::lock;
use crate::life::Generation;
use crate::sim_world::SimWorld;

/// What a store was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobRequest {
    /// To create an object.
    Create,
    /// To begin an object of parts.
    Upload,
    /// To keep a part of an object.
    Part,
    /// To make an object of its parts.
    Finish,
    /// To hand out bytes.
    Read,
    /// To name the objects below a path.
    List,
    /// To remove an object.
    Remove,
    /// For nothing: a power cut has changed what is on the disk of a store of files.
    PowerCut,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlobOutcome {
    /// The object was created.
    Created,
    /// The path was taken.
    Exists,
    /// It was done: read, listed, kept, removed.
    Done,
    /// There was no such object.
    NotFound,
    /// The store failed and did nothing.
    Failed,
    /// A store of files has answered that the object is there for good.
    Promised,
    /// The object is gone: its name was not durable.
    Lost,
    /// The object is back: its removal was not durable.
    Returned,
}

/// A request that arrived at the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobEvent {
    /// When it arrived, in the world's own time.
    pub at: Monotonic,
    /// The node that asked.
    pub node: Arc<str>,
    /// The life of that node in which it asked; it may be over.
    pub generation: Generation,
    /// The store, by its whole URL.
    pub store: String,
    /// What was asked for.
    pub request: BlobRequest,
    /// The path, or the beginning of paths.
    pub path: String,
    /// What came of it.
    pub outcome: BlobOutcome,
    /// The first byte that was read.
    pub offset: u64,
    /// The bytes that were written or read; none for other requests.
    pub body: Bytes,
    /// Whether the answer was sent; it is lost all the same if the node is gone.
    pub answered: bool,
}

/// All blob stores of a world.
#[derive(Default)]
pub(crate) struct Blobs {
    stores: BTreeMap<String, BTreeMap<String, Bytes>>,
    history: Vec<BlobEvent>,
    requests: u64,
    /// The folders of stores of files, each with the store's URL.
    folders: BTreeMap<String, String>,
}

impl Blobs {
    pub(super) fn store(&mut self, url: &str) -> &mut BTreeMap<String, Bytes> {
        self.stores.entry(url.to_owned()).or_default()
    }

    pub(super) fn note(&mut self, event: BlobEvent) {
        self.history.push(event);
    }

    /// Takes the files below a folder of the shared disk as the objects of a store.
    pub(super) fn watch(&mut self, folder: String, url: &str) {
        self.folders.insert(folder, url.to_owned());
    }

    /// The store of files to which a path of the shared disk belongs, and the path in it.
    pub(super) fn place<'a>(&self, path: &'a str) -> Option<(&str, &'a str)> {
        let mut folders = self.folders.iter();
        folders.find_map(|(folder, url)| {
            let object = path.strip_prefix(folder.as_str())?.strip_prefix('/')?;
            Some((url.as_str(), object))
        })
    }

    /// How many requests are in the history.
    pub(super) fn noted(&self) -> usize {
        self.history.len()
    }

    /// What has happened since there were so many requests in the history.
    pub(super) fn since(&self, noted: usize) -> &[BlobEvent] {
        self.history.get(noted..).unwrap_or_default()
    }

    /// The number of a new request.
    pub(super) fn number(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }
}

/// A blob store as the scenario and its judges see it: at once, and past all faults.
///
/// ```
/// # use sameriver_sim::{Limits, run_seed};
/// # let outcome = run_seed(7, &Limits::default(), |sim| async move {
/// let shelf = sim.blobs("blob://checkpoints");
/// shelf.put("job/log/00000000000000000001", "first");
/// assert_eq!(shelf.objects().len(), 1);
/// assert!(shelf.history().is_empty(), "nobody of the world has asked");
/// # Ok(()) });
/// # assert_eq!(outcome.verdict, Ok(()));
/// ```
pub struct BlobShelf {
    world: SimWorld,
    url: String,
}

impl SimWorld {
    /// The blob store at a URL, as nodes reach it by [`World::service`](sameriver_runtime::World).
    pub fn blobs(&self, url: &str) -> BlobShelf {
        BlobShelf {
            world: self.clone(),
            url: url.to_owned(),
        }
    }
}

impl BlobShelf {
    /// All objects by path, as they are now.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.with(|blobs, url| blobs.store(url).clone())
    }

    /// One object, as it is now.
    pub fn object(&self, path: &str) -> Option<Bytes> {
        self.with(|blobs, url| blobs.store(url).get(path).cloned())
    }

    /// Puts an object in, or another one in its place.
    pub fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.with(|blobs, url| {
            blobs.store(url).insert(path.to_owned(), bytes);
        });
    }

    /// The requests that have arrived at this store, in order.
    pub fn history(&self) -> Vec<BlobEvent> {
        self.with(|blobs, url| {
            let ours = blobs.history.iter().filter(|event| event.store == url);
            ours.cloned().collect()
        })
    }

    fn with<R>(&self, look: impl FnOnce(&mut Blobs, &str) -> R) -> R {
        look(&mut lock(self.world.blobs_of_all()), &self.url)
    }
}
