//! Two job masters on one store.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sameriver_cluster::{JobEnd, JobStatus, job_folder};
use sameriver_model::RecordStatus;
use sameriver_runtime::sync::Notify;
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created,
};
use sameriver_runtime_tokio::TokioWorld;
use sameriver_storage::{JobLog, MemoryBlobs};

use crate::job::{Gate, Input, Job, all_of};
use crate::site::{Master, hasty, start_task_manager, store, until, world_with};

fn gated(splits: u64) -> (Job, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let job = Job {
        gate: Some((splits / 2, Arc::clone(&gate))),
        ..Job::new(Input::Splits(splits), 1)
    };
    (job, gate)
}

#[test]
fn a_second_job_master_stands_by_and_takes_over_when_the_first_is_killed() {
    let store = store();
    let tokio = world_with(&store);
    let settings = hasty();
    let (job, gate) = gated(6);
    tokio.block_on(async {
        let first = Master::bind(&tokio, "first").await;
        let second = Master::bind(&tokio, "second").await;
        let at = [second.address(), first.address()];
        let (control, leader) = first.run(&job, &settings);
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        let (standing_by, heir) = second.run(&job, &settings);
        let report = standing_by.report().await.unwrap();
        assert!(!report.leads);
        control.checkpoint().await.unwrap();
        leader.kill().await;
        gate.open();
        let outcome = heir.wait().await;
        assert_eq!(outcome.status, JobEnd::Finished);
        assert_eq!(outcome.counts.restored, 1);
        host.wait().await.unwrap();
    });
    assert_eq!(job.committed.sorted(), all_of(6));
}

#[test]
fn a_job_master_that_finds_nobody_where_the_leader_was_does_not_wait_for_its_time_out() {
    let store = store();
    let tokio = world_with(&store);
    let mut settings = hasty();
    let checkpoints = settings.checkpoints.as_mut().unwrap();
    checkpoints.leader_timeout = std::time::Duration::from_secs(1_000_000);
    let (job, gate) = gated(6);
    tokio.block_on(async {
        let first = Master::bind(&tokio, "first").await;
        let second = Master::bind(&tokio, "second").await;
        let at = [second.address(), first.address()];
        let (control, leader) = first.run(&job, &settings);
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        let alive = format!("{}/alive/", job_folder("numbers"));
        while store.list(&alive).await.unwrap().is_empty() {
            control.report().await.unwrap();
        }
        control.checkpoint().await.unwrap();
        leader.kill().await;
        gate.open();
        let (_, heir) = second.run(&job, &settings);
        let outcome = heir.wait().await;
        assert_eq!(
            (outcome.status, outcome.counts.restored),
            (JobEnd::Finished, 1)
        );
        host.wait().await.unwrap();
    });
    assert_eq!(job.committed.sorted(), all_of(6));
}

#[test]
fn a_job_master_that_stands_by_ends_when_the_leader_has_finished_the_job() {
    let store = store();
    let tokio = world_with(&store);
    let settings = hasty();
    let (job, gate) = gated(2);
    tokio.block_on(async {
        let first = Master::bind(&tokio, "first").await;
        let second = Master::bind(&tokio, "second").await;
        let at = [first.address(), second.address()];
        let (control, leader) = first.run(&job, &settings);
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        let (_, other) = second.run(&job, &settings);
        gate.open();
        assert_eq!(leader.wait().await.status, JobEnd::Finished);
        let other = other.wait().await;
        assert_eq!(other.status, JobEnd::Finished);
        assert_eq!(other.counts.checkpoints_completed, 0);
        host.wait().await.unwrap();
    });
    assert_eq!(job.committed.sorted(), all_of(2));
}

/// A store that one node cannot reach while it is cut off: its calls wait.
#[derive(Clone)]
struct CutOff {
    inner: MemoryBlobs,
    cut: Arc<Mutex<bool>>,
    mended: Arc<Notify>,
}

impl CutOff {
    fn new(inner: &MemoryBlobs) -> Self {
        Self {
            inner: inner.clone(),
            cut: Arc::default(),
            mended: Arc::default(),
        }
    }

    fn cut(&self) {
        *self.cut.lock().unwrap() = true;
    }

    fn mend(&self) {
        *self.cut.lock().unwrap() = false;
        self.mended.notify_waiters();
    }

    /// Starts the call once the node reaches the store.
    fn reached<R: Send + 'static>(
        &self,
        call: impl FnOnce(&MemoryBlobs) -> BoxFuture<R> + Send + 'static,
    ) -> BoxFuture<R> {
        let this = self.clone();
        Box::pin(async move {
            loop {
                let mended = this.mended.notified();
                if !*this.cut.lock().unwrap() {
                    break;
                }
                mended.await;
            }
            call(&this.inner).await
        })
    }
}

impl BlobStore for CutOff {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn abilities(&self) -> BlobAbilities {
        self.inner.abilities()
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        let path = path.to_owned();
        self.reached(move |store| store.create(&path, bytes))
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        let path = path.to_owned();
        self.reached(move |store| store.upload(&path))
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        let path = path.to_owned();
        self.reached(move |store| store.read_range(&path, offset, length))
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        let path = path.to_owned();
        self.reached(move |store| store.read(&path))
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        let prefix = prefix.to_owned();
        self.reached(move |store| store.list(&prefix))
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        let path = path.to_owned();
        self.reached(move |store| store.remove(&path))
    }
}

#[test]
fn a_job_master_that_was_deposed_publishes_nothing_and_stands_by() {
    let store = store();
    let cut_off = CutOff::new(&store);
    let tokio = {
        let (store, cut_off) = (store.clone(), cut_off.clone());
        let world = TokioWorld::builder().node("test");
        let world = world.service::<dyn BlobStore>("blob", move |_, world| {
            let all: Arc<dyn BlobStore> = Arc::new(store.clone());
            let one: Arc<dyn BlobStore> = Arc::new(cut_off.clone());
            Ok(if world.node() == "first" { one } else { all })
        });
        world.build().unwrap()
    };
    let settings = hasty();
    let (job, gate) = gated(6);
    let newest = tokio.block_on(async {
        let first = Master::bind(&tokio, "first").await;
        let second = Master::bind(&tokio, "second").await;
        let at = [first.address(), second.address()];
        let (control, deposed) = first.run(&job, &settings);
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        control.checkpoint().await.unwrap();
        // The next checkpoint waits for a store that the leader does not reach.
        cut_off.cut();
        let publishing = control.clone();
        let asked = sameriver_runtime::sync::oneshot::channel();
        let (tell, published) = asked;
        let asking = async move { drop(tell.send(publishing.checkpoint().await)) };
        let lane = sameriver_runtime::Lane::Control;
        tokio.world().spawn(lane, "asking", asking).detach();
        let (control, leader) = second.run(&job, &settings);
        while !control.report().await.unwrap().leads {}
        cut_off.mend();
        assert!(published.await.unwrap().is_err());
        gate.open();
        let outcome = leader.wait().await;
        assert_eq!(outcome.status, JobEnd::Finished);
        // The deposed one finds the end in the log.
        assert_eq!(deposed.wait().await.status, JobEnd::Finished);
        host.wait().await.unwrap();
        let all: Arc<dyn BlobStore> = Arc::new(store.clone());
        let log = JobLog::open(&tokio.world(), all, &job_folder("numbers")).unwrap();
        log.read().await.unwrap().unwrap()
    });
    assert_eq!((newest.epoch, newest.status), (2, RecordStatus::Finished));
    assert_eq!(job.committed.sorted(), all_of(6));
}
