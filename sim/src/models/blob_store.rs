//! How a node asks the blob store.
//!
//! Invariant: a request starts when it is called and goes on when its future is dropped. Of the
//! requests that are on their way when their node crashes, a draw decides which arrive; their
//! answers are lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created, RandomStream,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::blobs::{BlobEvent, BlobOutcome, BlobRequest};
use crate::counters::lock;
use crate::fault::{StoreFailure, StoreWish};
use crate::life::Life;
use crate::node_site::log_between;
use crate::services::ServiceSite;
use crate::sim_world::SimWorld;
use crate::trace::Event;

/// After which a client gives up on an answer.
const ANSWER_WAIT_NANOS: u64 = 5_000_000_000;

type Objects = BTreeMap<String, Bytes>;

/// Offers the store to every node.
pub(super) fn offer(world: &SimWorld) {
    world.offer::<dyn BlobStore>("blob", |site| Arc::new(SimBlobStore::new(site)));
}

/// What the store did.
struct Done<T> {
    outcome: BlobOutcome,
    offset: u64,
    body: Bytes,
    answer: Result<T, BlobError>,
}

impl<T> Done<T> {
    fn new(outcome: BlobOutcome, answer: Result<T, BlobError>) -> Self {
        Self {
            outcome,
            offset: 0,
            body: Bytes::new(),
            answer,
        }
    }

    fn of(mut self, bytes: &Bytes) -> Self {
        self.body = bytes.clone();
        self
    }

    fn from(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }
}

impl BlobRequest {
    fn wish(self) -> StoreWish {
        match self {
            Self::Create | Self::Part | Self::Finish => StoreWish::Write,
            Self::Upload | Self::Read | Self::List | Self::Remove | Self::PowerCut => {
                StoreWish::Look
            }
        }
    }
}

/// What is asked for, of which path.
struct Asked {
    request: BlobRequest,
    path: String,
    /// It does not arrive before.
    not_before: u64,
}

#[derive(Clone)]
struct SimBlobStore {
    site: ServiceSite,
    draws: Arc<Mutex<RandomStream>>,
}

impl SimBlobStore {
    fn new(site: ServiceSite) -> Self {
        let draws = site.world().random(&format!("outside {}", site.url()));
        Self {
            draws: Arc::new(Mutex::new(draws)),
            site,
        }
    }

    fn travel(&self) -> u64 {
        log_between(&mut lock(&self.draws), 100_000, 10_000_000)
    }

    fn unavailable(&self, path: &str, cause: &str) -> BlobError {
        BlobError::Unavailable {
            store: self.describe(),
            path: path.to_owned(),
            cause: cause.to_owned(),
        }
    }

    fn full(&self, path: &str) -> BlobError {
        BlobError::Refused {
            store: self.describe(),
            path: path.to_owned(),
            cause: "507: no storage space".to_owned(),
            remedy: "free space there, or choose another store for checkpoints",
        }
    }

    fn check(&self, path: &str) -> Result<(), BlobError> {
        let bad = |part: &str| matches!(part, "" | "." | "..");
        if !path.split('/').any(bad) {
            return Ok(());
        }
        Err(BlobError::Refused {
            store: self.describe(),
            path: path.to_owned(),
            cause: "a part of the path is empty, . or ..".to_owned(),
            remedy: "name the object by parts joined by /",
        })
    }

    /// Sends a request now; the second part of the answer is when it arrives.
    fn send<T: Send + 'static>(
        &self,
        asked: Asked,
        work: impl FnOnce(&mut Objects) -> Done<T> + Send + 'static,
    ) -> (BoxFuture<Result<T, BlobError>>, u64) {
        let (sim, life) = (self.site.sim().clone(), self.site.life().clone());
        if life.is_stale() {
            return (Box::pin(std::future::pending()), 0);
        }
        let verdict = lock(sim.board()).store(asked.request.wish());
        if verdict.failure == Some(StoreFailure::Silent) {
            return (Box::pin(std::future::pending()), asked.not_before);
        }
        let now = sim.now_nanos();
        let there = self.travel().saturating_add(verdict.delay_nanos);
        let arrival = now.saturating_add(there).max(asked.not_before);
        let answered = verdict.failure != Some(StoreFailure::Unanswered);
        let back = if answered {
            self.travel()
        } else {
            ANSWER_WAIT_NANOS
        };
        let lost = (!answered).then(|| self.unavailable(&asked.path, "no answer in time"));
        let failed = self.unavailable(&asked.path, "503: slow down");
        let full = self.full(&asked.path);
        let slot = Arc::new(Mutex::new(None));
        let (answer, asking, store) = (Arc::clone(&slot), life.clone(), self.describe());
        sim.act_at(arrival, move |sim| {
            if !arrives(sim, &asking) {
                return;
            }
            let done = match verdict.failure {
                Some(StoreFailure::Refused) => Done::new(BlobOutcome::Failed, Err(failed)),
                Some(StoreFailure::Full) => Done::new(BlobOutcome::Failed, Err(full)),
                Some(StoreFailure::Unanswered | StoreFailure::Silent) | None => {
                    work(lock(sim.blobs_of_all()).store(&store))
                }
            };
            note(sim, &asking, store, asked, &done, answered);
            *lock(&answer) = Some(lost.map_or(done.answer, Err));
        });
        let over = sim.sleep_until(&life, arrival.saturating_add(back));
        let hear = life.guard(async move {
            over.await;
            let answer = lock(&slot).take();
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        });
        (hear, arrival)
    }

    fn ask<T: Send + 'static>(
        &self,
        request: BlobRequest,
        path: &str,
        work: impl FnOnce(&mut Objects) -> Done<T> + Send + 'static,
    ) -> BoxFuture<Result<T, BlobError>> {
        let asked = Asked {
            request,
            path: path.to_owned(),
            not_before: 0,
        };
        self.send(asked, work).0
    }

    fn not_found<T>(&self, path: &str) -> Done<T> {
        let error = BlobError::NotFound {
            store: self.describe(),
            path: path.to_owned(),
        };
        Done::new(BlobOutcome::NotFound, Err(error))
    }
}

/// Whether a request arrives: one of a node that has crashed since is decided by a draw.
fn arrives(sim: &SimWorld, asking: &Life) -> bool {
    let number = lock(sim.blobs_of_all()).number();
    let seed = xxh3_64_with_seed(b"blob in flight", sim.seed());
    !asking.is_stale() || xxh3_64_with_seed(&number.to_le_bytes(), seed).is_multiple_of(2)
}

fn note<T>(
    sim: &SimWorld,
    life: &Life,
    store: String,
    asked: Asked,
    done: &Done<T>,
    answered: bool,
) {
    let event = BlobEvent {
        at: sim.now(),
        node: life.site().shared_name(),
        generation: life.generation(),
        store,
        request: asked.request,
        path: asked.path,
        outcome: done.outcome,
        offset: done.offset,
        body: done.body.clone(),
        answered,
    };
    let said = format!("{:?} {} {:?}", event.request, event.path, event.outcome);
    let digest = xxh3_64_with_seed(said.as_bytes(), xxh3_64(&event.body));
    sim.trace(life.node(), Event::Outside, digest, || {
        format!("{} {said} {} bytes", event.store, event.body.len())
    });
    lock(sim.blobs_of_all()).note(event);
}

fn create(objects: &mut Objects, path: String, bytes: Bytes) -> Done<Created> {
    if objects.contains_key(&path) {
        return Done::new(BlobOutcome::Exists, Ok(Created::Exists)).of(&bytes);
    }
    let done = Done::new(BlobOutcome::Created, Ok(Created::Created)).of(&bytes);
    objects.insert(path, bytes);
    done
}

fn joined(parts: &[Bytes]) -> Bytes {
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        whole.extend_from_slice(part);
    }
    whole.freeze()
}

impl BlobStore for SimBlobStore {
    fn describe(&self) -> String {
        self.site.url().to_owned()
    }

    fn abilities(&self) -> BlobAbilities {
        BlobAbilities {
            creates_if_absent: true,
            lists_all: true,
        }
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        if let Err(error) = self.check(path) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (to, bytes) = (path.to_owned(), joined(&bytes));
        self.ask(BlobRequest::Create, path, move |objects| {
            create(objects, to, bytes)
        })
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        if let Err(error) = self.check(path) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let upload = SimUpload {
            store: self.clone(),
            path: path.to_owned(),
            parts: Arc::default(),
            sent: 0,
            last_arrival: 0,
        };
        self.ask(BlobRequest::Upload, path, move |_| {
            let upload: Box<dyn BlobUpload> = Box::new(upload);
            Done::new(BlobOutcome::Done, Ok(upload))
        })
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        if let Err(error) = self.check(path) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (store, from) = (self.clone(), path.to_owned());
        self.ask(BlobRequest::Read, path, move |objects| {
            let Some(whole) = objects.get(&from) else {
                return store.not_found(&from);
            };
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
            let bytes = whole.slice(place(offset)..place(offset.saturating_add(length)));
            Done::new(BlobOutcome::Done, Ok(bytes.clone()))
                .of(&bytes)
                .from(offset)
        })
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        self.read_range(path, 0, u64::MAX)
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        let below = prefix.to_owned();
        self.ask(BlobRequest::List, prefix, move |objects| {
            let entries = objects.range(below.clone()..);
            let entries = entries.take_while(|(path, _)| path.starts_with(&below));
            let entries = entries.map(|(path, bytes)| BlobEntry {
                path: path.clone(),
                length: bytes.len() as u64,
            });
            Done::new(BlobOutcome::Done, Ok(entries.collect()))
        })
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        if let Err(error) = self.check(path) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let gone = path.to_owned();
        self.ask(BlobRequest::Remove, path, move |objects| {
            let outcome = match objects.remove(&gone) {
                Some(_) => BlobOutcome::Done,
                None => BlobOutcome::NotFound,
            };
            Done::new(outcome, Ok(()))
        })
    }
}

/// The parts that have arrived.
#[derive(Default)]
struct Parts {
    bytes: Vec<Bytes>,
    /// The caller was told that a part failed; sent again it might be there twice.
    broken: bool,
}

struct SimUpload {
    store: SimBlobStore,
    path: String,
    parts: Arc<Mutex<Parts>>,
    sent: usize,
    /// Parts do not overtake each other.
    last_arrival: u64,
}

impl SimUpload {
    fn asked(&self, request: BlobRequest) -> Asked {
        Asked {
            request,
            path: self.path.clone(),
            not_before: self.last_arrival.saturating_add(1),
        }
    }

    fn broken(&self) -> BlobError {
        let cause = "a part of the upload was lost; begin it again";
        self.store.unavailable(&self.path, cause)
    }
}

impl BlobUpload for SimUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<Result<(), BlobError>> {
        let (broken, kept) = (self.broken(), Arc::clone(&self.parts));
        let asked = self.asked(BlobRequest::Part);
        let (answer, arrival) = self.store.send(asked, move |_| {
            let mut parts = lock(&kept);
            if parts.broken {
                return Done::new(BlobOutcome::Failed, Err(broken));
            }
            let done = Done::new(BlobOutcome::Done, Ok(())).of(&bytes);
            parts.bytes.push(bytes);
            done
        });
        self.last_arrival = arrival;
        self.sent += 1;
        let parts = Arc::clone(&self.parts);
        Box::pin(async move {
            let answer = answer.await;
            lock(&parts).broken |= answer.is_err();
            answer
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<Result<Created, BlobError>> {
        let (broken, to) = (self.broken(), self.path.clone());
        let (parts, sent) = (Arc::clone(&self.parts), self.sent);
        let asked = self.asked(BlobRequest::Finish);
        let (answer, _) = self.store.send(asked, move |objects| {
            let parts = lock(&parts);
            if parts.broken || parts.bytes.len() != sent {
                return Done::new(BlobOutcome::Failed, Err(broken));
            }
            create(objects, to, joined(&parts.bytes))
        });
        answer
    }
}
