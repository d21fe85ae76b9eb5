//! Records that a job hands to whoever started it: the service behind `Collect`.
//!
//! Invariant: the records of one subtask keep their order; the order of the whole is canonical, by
//! subtask and then by arrival. Does not know the record type: records are in `wire` encoding.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sameriver_model::codec::wire::{self, WireError};
use sameriver_model::{Element, SubtaskIndex};
use sameriver_runtime::BoxFuture;
use thiserror::Error;

/// Keeps the records of one collection; reached by the URL that [`collect_url`] makes.
pub trait Collector: Send + Sync {
    /// Keeps records of one subtask, each in `wire` encoding, behind its earlier ones.
    ///
    /// # Errors
    /// When whoever collects has gone away.
    fn append(&self, subtask: SubtaskIndex, records: Vec<Vec<u8>>) -> BoxFuture<io::Result<()>>;
}

/// The scheme of the URLs under which a world offers its [`Collector`]s.
pub const COLLECT_SCHEME: &str = "collect";

/// The URL of the collection `name`: `collect:<name>`.
///
/// ```
/// assert_eq!(sameriver_connectors::collect_url("totals"), "collect:totals");
/// ```
pub fn collect_url(name: &str) -> String {
    format!("{COLLECT_SCHEME}:{name}")
}

/// Why collected records cannot be taken; `Debug` shows what `Display` does.
#[derive(Error)]
pub enum CollectError {
    /// No sink of that name has run, or its records were taken before.
    #[error("nothing is collected as {name}, or it was taken before: what is left is {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that are there, joined by commas, or `nothing`.
        known: String,
    },
    /// The records are not of the type that was asked for.
    #[error("records collected as {name} are not of the type asked for: {cause}")]
    OtherType {
        /// The collection.
        name: String,
        /// What the codec reported.
        cause: WireError,
    },
}

impl fmt::Debug for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

type Parts = BTreeMap<SubtaskIndex, Vec<Vec<u8>>>;

/// The collections of one process; a cheap handle.
///
/// ```
/// use sameriver_connectors::{CollectError, CollectedResults};
/// let results = CollectedResults::new();
/// let collector = results.collector("totals"); // what the world offers at `collect:totals`
/// assert_eq!(results.take::<u64>("totals")?, Vec::<u64>::new());
/// # drop(collector);
/// # Ok::<(), CollectError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CollectedResults {
    collections: Arc<Mutex<BTreeMap<String, Parts>>>,
}

impl CollectedResults {
    /// No collection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The collector of one collection, which exists from now on, if only empty.
    pub fn collector(&self, name: &str) -> Arc<dyn Collector> {
        self.lock().entry(name.to_owned()).or_default();
        let (name, results) = (name.to_owned(), self.clone());
        Arc::new(NamedCollector { name, results })
    }

    /// The names of all collections that were not taken, in ascending order.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Takes a collection out: by subtask, then in order of arrival.
    ///
    /// # Errors
    /// [`CollectError`]; records of another type stay where they are.
    pub fn take<T: Element>(&self, name: &str) -> Result<Vec<T>, CollectError> {
        let mut collections = self.lock();
        let Some(parts) = collections.get(name) else {
            return Err(unknown(name, &collections));
        };
        let records: Result<Vec<T>, WireError> = parts
            .values()
            .flatten()
            .map(|record| wire::decode(record))
            .collect();
        let records = records.map_err(|cause| CollectError::OtherType {
            name: name.to_owned(),
            cause,
        })?;
        collections.remove(name);
        Ok(records)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Parts>> {
        // Every change is one call that cannot panic half-way.
        self.collections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(name: &str, collections: &BTreeMap<String, Parts>) -> CollectError {
    let known: Vec<&str> = collections.keys().map(String::as_str).collect();
    CollectError::Unknown {
        name: name.to_owned(),
        known: if known.is_empty() {
            "nothing".to_owned()
        } else {
            known.join(", ")
        },
    }
}

struct NamedCollector {
    name: String,
    results: CollectedResults,
}

impl Collector for NamedCollector {
    fn append(&self, subtask: SubtaskIndex, records: Vec<Vec<u8>>) -> BoxFuture<io::Result<()>> {
        let (name, results) = (self.name.clone(), self.results.clone());
        Box::pin(async move {
            let mut collections = results.lock();
            let parts = collections.entry(name).or_default();
            parts.entry(subtask).or_default().extend(records);
            Ok(())
        })
    }
}
