//! Jobs that are started on a store that is damaged, refuses or is full: each ends with an error
//! that names the file and what to do.

use std::sync::Arc;

use bytes::Bytes;
use sameriver_cluster::{
    ClusterSettings, JobEnd, JobOutcome, JobStatus, RestartStrategy, job_folder,
};
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created,
};
use sameriver_runtime_tokio::TokioWorld;
use sameriver_storage::MemoryBlobs;

use crate::job::{Gate, Input, Job};
use crate::site::{Master, hasty, start_task_manager, store, until, world_with};

fn settings() -> ClusterSettings {
    ClusterSettings {
        restart: RestartStrategy::None,
        ..hasty()
    }
}

/// A job that waits half-way for its gate.
fn gated() -> (Job, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let job = Job {
        gate: Some((3, Arc::clone(&gate))),
        ..Job::new(Input::Splits(6), 1)
    };
    (job, gate)
}

/// What a job left that was killed behind its first checkpoint.
fn checkpointed() -> MemoryBlobs {
    let store = store();
    let tokio = world_with(&store);
    let (job, _gate) = gated();
    tokio.block_on(async {
        let master = Master::bind(&tokio, "first").await;
        let at = [master.address()];
        let (control, leader) = master.run(&job, &settings());
        let host = start_task_manager(&tokio, &at, 0, &job, &settings());
        until(&control, JobStatus::Running).await;
        control.checkpoint().await.unwrap();
        // In this order: a leader whose task manager is lost writes that the job has failed.
        leader.kill().await;
        host.kill().await;
    });
    store
}

/// Starts the job on a store and answers how it ended.
fn run_on(tokio: &TokioWorld) -> JobOutcome {
    let (job, gate) = gated();
    gate.open();
    tokio.block_on(async {
        let master = Master::bind(tokio, "second").await;
        let at = [master.address()];
        let (_, leader) = master.run(&job, &settings());
        let host = start_task_manager(tokio, &at, 0, &job, &settings());
        let outcome = leader.wait().await;
        host.kill().await;
        outcome
    })
}

fn message_of(outcome: JobOutcome) -> String {
    match outcome.status {
        JobEnd::Failed(failure) => failure.to_string(),
        end @ (JobEnd::Finished | JobEnd::Cancelled) => panic!("the job ended as {end}"),
    }
}

/// What is done to a file; `None` removes it.
type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;

const FLIPPED: Damage = |mut bytes| {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Some(bytes)
};
const TRUNCATED: Damage = |mut bytes| {
    bytes.pop();
    Some(bytes)
};
const LONGER: Damage = |mut bytes| {
    bytes.extend([0; 9]);
    Some(bytes)
};
const FOREIGN: Damage = |_| Some(b"JFIF, a holiday".to_vec());
const OTHER_RELEASE: Damage = |mut bytes| {
    bytes[8] = bytes[8].wrapping_add(1);
    Some(bytes)
};
const MISSING: Damage = |_| None;

/// A copy in which every file of a kind is damaged; of the log only the newest record.
async fn damaged(whole: &MemoryBlobs, kind: &str, damage: Damage) -> MemoryBlobs {
    let copy = store();
    let all = whole.list("").await.unwrap();
    let prefix = format!("{}/{kind}", job_folder("numbers"));
    let newest = all.iter().rfind(|entry| entry.path.starts_with(&prefix));
    let newest = newest.unwrap().path.clone();
    for BlobEntry { path, .. } in all {
        let bytes = whole.read(&path).await.unwrap().to_vec();
        let is_meant = path.starts_with(&prefix) && (kind != "log/" || path == newest);
        let bytes = if is_meant { damage(bytes) } else { Some(bytes) };
        if let Some(bytes) = bytes {
            copy.create(&path, vec![bytes.into()]).await.unwrap();
        }
    }
    copy
}

#[test]
fn a_job_on_a_damaged_store_fails_and_names_the_file_and_what_to_do() {
    let whole = checkpointed();
    let copy_back = "put a whole copy back, or start from an older checkpoint";
    let right_back = "put the right file back, or start from an older checkpoint";
    let release = "use the release that wrote it";
    let cases: [(Damage, &str, &str); 6] = [
        (FLIPPED, "is damaged", copy_back),
        (TRUNCATED, "bytes instead of", copy_back),
        (LONGER, "bytes", "or start from an older checkpoint"),
        (FOREIGN, "and is no", right_back),
        (OTHER_RELEASE, "has format version", release),
        (
            MISSING,
            "has no",
            "look whether it is the right store, or put the file back",
        ),
    ];
    for kind in ["snap/", "meta/", "log/"] {
        for (number, (damage, found, remedy)) in cases.into_iter().enumerate() {
            if kind == "log/" && number == 5 {
                // The record before it is the newest then.
                continue;
            }
            let tokio = world_with(&futures_now(damaged(&whole, kind, damage)));
            let message = message_of(run_on(&tokio));
            for part in [kind, found, remedy] {
                assert!(message.contains(part), "{kind} {number}: {message}");
            }
        }
    }
}

/// A store in memory answers at once.
fn futures_now<R>(work: impl Future<Output = R>) -> R {
    let tokio = TokioWorld::builder().node("copy").build().unwrap();
    tokio.block_on(work)
}

/// A store that takes nothing whose path has this part.
#[derive(Clone)]
struct Refusing {
    inner: MemoryBlobs,
    part: &'static str,
    cause: &'static str,
    remedy: &'static str,
}

impl Refusing {
    fn refusal<R: Send + 'static>(&self, path: &str) -> Option<BoxFuture<Result<R, BlobError>>> {
        let refused = BlobError::Refused {
            store: self.describe(),
            path: path.to_owned(),
            cause: self.cause.to_owned(),
            remedy: self.remedy,
        };
        let is_refused = path.contains(self.part);
        is_refused.then(|| -> BoxFuture<_> { Box::pin(async { Err(refused) }) })
    }
}

impl BlobStore for Refusing {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn abilities(&self) -> BlobAbilities {
        self.inner.abilities()
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        let refusal = self.refusal(path);
        refusal.unwrap_or_else(|| self.inner.create(path, bytes))
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        let refusal = self.refusal(path);
        refusal.unwrap_or_else(|| self.inner.upload(path))
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        self.inner.read_range(path, offset, length)
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        self.inner.read(path)
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        self.inner.list(prefix)
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        let refusal = self.refusal(path);
        refusal.unwrap_or_else(|| self.inner.remove(path))
    }
}

#[test]
fn a_job_on_a_store_that_takes_nothing_or_is_full_fails_and_names_the_file_and_what_to_do() {
    let whole = checkpointed();
    let read_only = (
        "read-only file system",
        "choose a store that can be written",
    );
    let full = ("no space left on device", "make room");
    for (part, (cause, remedy)) in [
        ("", read_only),
        ("/log/", full),
        ("/snap/", full),
        ("/meta/", full),
    ] {
        let refusing = Refusing {
            inner: futures_now(damaged(&whole, "log/", Some)),
            part,
            cause,
            remedy,
        };
        let world = TokioWorld::builder().node("test");
        let world =
            world.service::<dyn BlobStore>("blob", move |_, _| Ok(Arc::new(refusing.clone())));
        let message = message_of(run_on(&world.build().unwrap()));
        let says = format!("{cause}: {remedy}");
        for part in [part, &says] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
