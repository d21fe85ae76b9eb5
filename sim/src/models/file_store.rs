//! The checkpoint store of files as users have it, on the disk that all nodes share, and watched.
//!
//! Invariant: the driver is the production one. What is noted of it is what the disk shows: an
//! object is created when a file has its name, whoever gave it, and lost when a power cut takes a
//! name that nobody had made durable. What the driver has answered for is noted apart, so that a
//! judge can hold it to that.

use std::sync::Arc;

use bytes::Bytes;
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created,
};
use sameriver_storage::FileBlobs;

use super::blobs::{BlobEvent, BlobOutcome, BlobRequest};
use crate::counters::lock;
use crate::disk::{is_shared, normalise};
use crate::life::Life;
use crate::services::ServiceSite;
use crate::sim_world::SimWorld;

/// The folder of a store in which files are no objects yet.
const UNFINISHED: &str = ".pending/";

/// Offers the store to every node; one in a folder of the node's own disk is not watched.
pub(super) fn offer(world: &SimWorld) {
    world.try_offer::<dyn BlobStore>("file", |site| {
        let files = FileBlobs::open(&site.world(), site.url());
        let files = files.map_err(|error| error.to_string())?;
        let folder = site
            .url()
            .trim_start_matches("file:")
            .trim_start_matches("//");
        let folder = normalise(folder.as_ref());
        if is_shared(&folder) {
            lock(site.sim().blobs_of_all()).watch(folder, site.url());
        }
        Ok(Arc::new(WatchedFiles { files, site }))
    });
}

/// What has changed the names of the shared disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Somebody has asked the disk for it.
    Asked,
    /// A power cut.
    PowerCut,
}

/// Notes what changes of names on the shared disk are to the stores there.
pub(crate) fn note_changes(
    world: &SimWorld,
    life: &Life,
    cause: Cause,
    changed: Vec<(String, Option<Vec<u8>>)>,
) {
    for (path, now) in changed {
        let mut blobs = lock(world.blobs_of_all());
        let Some((url, object)) = blobs.place(&path) else {
            continue;
        };
        if object.starts_with(UNFINISHED) {
            continue;
        }
        let (url, object) = (url.to_owned(), object.to_owned());
        let objects = blobs.store(&url);
        let is_known = objects.contains_key(&object);
        let body = now.map(Bytes::from);
        match &body {
            Some(bytes) => objects.insert(object.clone(), bytes.clone()),
            None => objects.remove(&object),
        };
        let (request, outcome) = match (&body, cause) {
            (Some(_), Cause::Asked) => (BlobRequest::Create, BlobOutcome::Created),
            (Some(_), Cause::PowerCut) => (BlobRequest::PowerCut, BlobOutcome::Returned),
            // A folder, or a name that came and went at once.
            (None, _) if !is_known => continue,
            (None, Cause::Asked) => (BlobRequest::Remove, BlobOutcome::Done),
            (None, Cause::PowerCut) => (BlobRequest::PowerCut, BlobOutcome::Lost),
        };
        let event = event_of(world, life, &url, request, &object);
        blobs.note(BlobEvent {
            outcome,
            body: body.unwrap_or_default(),
            ..event
        });
    }
}

fn event_of(
    world: &SimWorld,
    life: &Life,
    url: &str,
    request: BlobRequest,
    path: &str,
) -> BlobEvent {
    BlobEvent {
        at: world.now(),
        node: life.site().shared_name(),
        generation: life.generation(),
        store: url.to_owned(),
        request,
        path: path.to_owned(),
        outcome: BlobOutcome::Done,
        offset: 0,
        body: Bytes::new(),
        answered: true,
    }
}

/// The production driver, and what it answers.
struct WatchedFiles {
    files: FileBlobs,
    site: ServiceSite,
}

/// Notes, when it comes, that an object is promised to be there.
fn promised(
    site: ServiceSite,
    request: BlobRequest,
    path: &str,
    answer: BoxFuture<Result<Created, BlobError>>,
) -> BoxFuture<Result<Created, BlobError>> {
    let path = path.to_owned();
    Box::pin(async move {
        let answer = answer.await;
        if answer.is_ok() {
            let world = site.sim();
            let event = event_of(world, site.life(), site.url(), request, &path);
            lock(world.blobs_of_all()).note(BlobEvent {
                outcome: BlobOutcome::Promised,
                ..event
            });
        }
        answer
    })
}

impl BlobStore for WatchedFiles {
    fn describe(&self) -> String {
        self.files.describe()
    }

    fn abilities(&self) -> BlobAbilities {
        self.files.abilities()
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        let answer = self.files.create(path, bytes);
        promised(self.site.clone(), BlobRequest::Create, path, answer)
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        let (upload, site, path) = (self.files.upload(path), self.site.clone(), path.to_owned());
        Box::pin(async move {
            let upload = upload.await?;
            let watched: Box<dyn BlobUpload> = Box::new(WatchedUpload { upload, site, path });
            Ok(watched)
        })
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        let (site, path) = (self.site.clone(), path.to_owned());
        let noted = lock(site.sim().blobs_of_all()).noted();
        let answer = self.files.read_range(&path, offset, length);
        Box::pin(async move {
            let answer = answer.await;
            if let Ok(bytes) = &answer {
                let world = site.sim();
                let read = BlobEvent {
                    offset,
                    body: bytes.clone(),
                    ..event_of(world, site.life(), site.url(), BlobRequest::Read, &path)
                };
                let mut blobs = lock(world.blobs_of_all());
                // Who has opened a file may read it after its removal.
                let has_gone = blobs.since(noted).iter().any(|event| {
                    let goes = matches!(event.outcome, BlobOutcome::Done | BlobOutcome::Lost);
                    let is_read = event.request == BlobRequest::Read;
                    goes && !is_read && event.path == path && event.store == read.store
                });
                if !has_gone {
                    blobs.note(read);
                }
            }
            answer
        })
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        self.read_range(path, 0, u64::MAX)
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        self.files.list(prefix)
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        self.files.remove(path)
    }
}

struct WatchedUpload {
    upload: Box<dyn BlobUpload>,
    site: ServiceSite,
    path: String,
}

impl BlobUpload for WatchedUpload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<Result<(), BlobError>> {
        self.upload.write(bytes)
    }

    fn finish(self: Box<Self>) -> BoxFuture<Result<Created, BlobError>> {
        let Self { upload, site, path } = *self;
        promised(site, BlobRequest::Finish, &path, upload.finish())
    }
}
