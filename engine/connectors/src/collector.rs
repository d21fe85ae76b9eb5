//! Records that a job hands to whoever started it: the service behind `Collect`.
//!
//! Invariant: records under one key are kept once, however often they are committed; the order of
//! the whole is canonical, by subtask and then by what they were committed as. Does not know the
//! record type: records are in `wire` encoding.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sameriver_model::codec::wire::{self, WireError};
use sameriver_model::{AttemptNumber, Element, SubtaskIndex};
use sameriver_runtime::BoxFuture;
use thiserror::Error;

/// Under what records are committed; never used for other records.
///
/// ```
/// use sameriver_connectors::CollectKey;
/// use sameriver_model::{AttemptNumber, SubtaskIndex};
/// let (subtask, attempt) = (SubtaskIndex::new(3), AttemptNumber::of_epoch(2, 1));
/// assert_eq!(CollectKey { subtask, attempt, number: 7 }.to_string(), "3-a2.1-7");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CollectKey {
    /// The subtask that wrote them.
    pub subtask: SubtaskIndex,
    /// Its attempt.
    pub attempt: AttemptNumber,
    /// Counts what the attempt has staged, from 0.
    pub number: u64,
}

impl fmt::Display for CollectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.subtask, self.attempt, self.number)
    }
}

/// Keeps the records of one collection; reached by the URL that [`collect_url`] makes.
pub trait Collector: Send + Sync {
    /// Keeps records, each in `wire` encoding, unless some are kept under this key already.
    ///
    /// # Errors
    /// When whoever collects does not answer; the records may be kept or not.
    fn commit(&self, key: CollectKey, records: Vec<Vec<u8>>) -> BoxFuture<io::Result<()>>;
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
///
/// ```
/// use sameriver_connectors::{CollectError, CollectedResults};
/// let nothing = CollectedResults::new();
/// let error = nothing.take::<u64>("totals").expect_err("no job has run");
/// assert!(matches!(error, CollectError::Unknown { .. }));
/// assert!(error.to_string().contains("nothing is collected as totals"));
/// ```
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

type Parts = BTreeMap<CollectKey, Vec<Vec<u8>>>;

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

    /// Keeps records of the collection `name`, each in `wire` encoding, and says whether there were
    /// none under this key before.
    pub fn keep(&self, name: &str, key: CollectKey, records: Vec<Vec<u8>>) -> bool {
        let mut collections = self.lock();
        let parts = collections.entry(name.to_owned()).or_default();
        if parts.contains_key(&key) {
            return false;
        }
        parts.insert(key, records);
        true
    }

    /// Takes a collection out: by subtask, then in the order in which the subtask wrote.
    ///
    /// # Errors
    /// [`CollectError`]; records of another type stay where they are.
    pub fn take<T: Element>(&self, name: &str) -> Result<Vec<T>, CollectError> {
        let mut collections = self.lock();
        let records = read(name, &collections)?;
        collections.remove(name);
        Ok(records)
    }

    /// Reads what a collection holds by now, in the same order, and leaves it there.
    ///
    /// # Errors
    /// [`CollectError`].
    pub fn read<T: Element>(&self, name: &str) -> Result<Vec<T>, CollectError> {
        read(name, &self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Parts>> {
        // Every change is one call that cannot panic half-way.
        self.collections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<T: Element>(
    name: &str,
    collections: &BTreeMap<String, Parts>,
) -> Result<Vec<T>, CollectError> {
    let Some(parts) = collections.get(name) else {
        return Err(unknown(name, collections));
    };
    let records = parts.values().flatten();
    let records: Result<Vec<T>, WireError> = records.map(|record| wire::decode(record)).collect();
    records.map_err(|cause| CollectError::OtherType {
        name: name.to_owned(),
        cause,
    })
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
    fn commit(&self, key: CollectKey, records: Vec<Vec<u8>>) -> BoxFuture<io::Result<()>> {
        let (name, results) = (self.name.clone(), self.results.clone());
        Box::pin(async move {
            results.keep(&name, key, records);
            Ok(())
        })
    }
}
