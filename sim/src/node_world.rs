//! The world as one life of one node sees it.
//!
//! Invariant: after that life has ended, nothing that is asked here has an effect or an answer.

use std::any::{Any, TypeId};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use sameriver_model::probe::Crashed;
use sameriver_runtime::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, TaskHandle, WallTime, WorldApi,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::counters::lock;
use crate::disk::NodeDisk;
use crate::fault::FaultFamily;
use crate::life::Life;
use crate::net;
use crate::node_site::log_between;
use crate::sim_world::SimWorld;
use crate::trace::Event;
use crate::virtual_clock::nanos;
use crate::{current, node_task, quiet_panics};

/// What a slice costs besides its records and bytes, in nanoseconds.
const SLICE_NANOS: u64 = 200;

pub(crate) struct NodeWorld {
    world: SimWorld,
    life: Life,
}

impl NodeWorld {
    pub(crate) fn new(world: SimWorld, life: Life) -> Self {
        Self { world, life }
    }

    /// The clock was looked at, or slept by.
    fn count_drift(&self) {
        if self.life.site().drifts() {
            lock(self.world.board()).add_effect(FaultFamily::ClockDrift, 1);
        }
    }

    /// Ends when the world has moved on by so much.
    fn pass(&self, nanos: u64) -> BoxFuture<()> {
        let at = self.world.now_nanos().saturating_add(nanos);
        Box::pin(self.world.sleep_until(&self.life, at))
    }
}

impl WorldApi for NodeWorld {
    fn node(&self) -> &str {
        self.life.site().name()
    }

    fn now(&self) -> Monotonic {
        self.count_drift();
        let nanos = self.life.site().monotonic(self.world.now_nanos());
        Monotonic::from_origin(Duration::from_nanos(nanos))
    }

    fn wall(&self) -> WallTime {
        let site = self.life.site();
        if site.has_jumped() {
            lock(self.world.board()).add_effect(FaultFamily::ClockJump, 1);
        }
        let elapsed = site.wall_millis(self.world.now_nanos());
        WallTime::from_millis(site.wall_start_millis().saturating_add(elapsed))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.count_drift();
        self.pass(self.life.site().global_duration(nanos(duration)))
    }

    fn random(&self, stream: &str) -> RandomStream {
        let generation = self.life.generation().get();
        let seed = xxh3_64_with_seed(self.node().as_bytes(), self.world.seed());
        RandomStream::named(seed, &format!("{generation} {stream}"))
    }

    fn turn(&self, _due: usize, count: usize) -> usize {
        lock(&self.life.site().turns).below(count as u64) as usize
    }

    fn spawn(&self, lane: Lane, name: &str, task: BoxFuture<()>) -> TaskHandle {
        node_task::spawn(&self.world, &self.life, lane, name, task)
    }

    fn blocking(
        &self,
        name: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>> {
        if self.life.is_stale() {
            return Box::pin(std::future::pending());
        }
        self.world.trace(
            self.life.node(),
            Event::Blocking,
            xxh3_64(name.as_bytes()),
            || name.to_owned(),
        );
        let run = || quiet_panics::watched(|| catch_unwind(AssertUnwindSafe(work)));
        let result = current::of(&self.life, run);
        if let Err(payload) = result.as_ref()
            && payload.is::<Crashed>()
            && current::is(&self.life)
        {
            // The thread of the work and the task that waits for it die with their node.
            resume_unwind(Box::new(Crashed));
        }
        let result = result.map_err(|payload| Panicked::new(name, &*payload));
        let delay = log_between(&mut lock(&self.life.site().blocking), 2_000, 2_000_000);
        let delay = self.pass(delay);
        self.life.guard(async move {
            delay.await;
            result
        })
    }

    fn charge(&self, records: u64) -> Charge {
        if !self.life.is_stale() {
            let digest = xxh3_64(&records.to_le_bytes());
            self.world
                .trace(self.life.node(), Event::Charge, digest, || {
                    format!("{records} records")
                });
        }
        let cost = records.saturating_mul(self.life.site().record_nanos());
        let cost = cost.saturating_add(SLICE_NANOS);
        Charge::Sleep(self.pass(cost))
    }

    fn any_port(&self) -> Address {
        Address::new(format!("{}:0", self.node()))
    }

    fn connect(&self, to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        let connecting = net::connect(self.world.clone(), self.life.clone(), to.clone());
        self.life.guard(connecting)
    }

    fn listen(&self, at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        let (world, life, at) = (self.world.clone(), self.life.clone(), at.clone());
        self.life
            .guard(async move { net::listen(&world, &life, &at) })
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(NodeDisk::new(self.world.clone(), self.life.clone()))
    }

    fn service(&self, wanted: TypeId, url: &str) -> Result<Box<dyn Any + Send>, ServiceError> {
        let factory = lock(self.world.services()).find(wanted, url)?;
        factory.make(&self.world, &self.life, url)
    }
}
