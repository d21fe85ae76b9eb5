//! The world of one node: the seam, method by method.
//!
//! Invariant: nodes of one process share threads, services and the clock's origin; each has its own
//! name and random seed.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the fence points here: these are the real clocks"
)]

use std::any::{Any, TypeId};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sameriver_runtime::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, Services, TaskHandle, WallTime, World, WorldApi,
};

use crate::control::Control;
use crate::disk::RealDisk;
use crate::{data_lane, stream};

/// What the nodes of a process share.
pub(crate) struct Shared {
    pub(crate) control: Arc<Control>,
    pub(crate) services: Services,
    host: String,
    origin: Instant,
    seed: u64,
}

impl Shared {
    /// The monotonic clock begins now.
    pub(crate) fn new(control: Arc<Control>, services: Services, host: String, seed: u64) -> Self {
        Self {
            control,
            services,
            host,
            origin: Instant::now(),
            seed,
        }
    }
}

/// One node of the process.
#[derive(Clone)]
pub(crate) struct Node {
    shared: Arc<Shared>,
    name: Arc<str>,
    seed: u64,
}

impl Node {
    pub(crate) fn new(shared: Arc<Shared>, name: &str) -> Self {
        let seed = RandomStream::named(shared.seed, name).next_u64();
        Self {
            shared,
            name: name.into(),
            seed,
        }
    }

    pub(crate) fn world(&self) -> World {
        World::new(Arc::new(self.clone()))
    }
}

impl WorldApi for Node {
    fn node(&self) -> &str {
        &self.name
    }

    fn now(&self) -> Monotonic {
        Monotonic::from_origin(self.shared.origin.elapsed())
    }

    fn wall(&self) -> WallTime {
        WallTime::from_millis(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        self.shared.control.sleep(duration)
    }

    fn random(&self, stream: &str) -> RandomStream {
        RandomStream::named(self.seed, stream)
    }

    fn spawn(&self, lane: Lane, name: &str, task: BoxFuture<()>) -> TaskHandle {
        match lane {
            Lane::Data => data_lane::start(name, task),
            Lane::Control => self.shared.control.spawn(name, task),
        }
    }

    fn blocking(
        &self,
        name: &str,
        work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>> {
        self.shared.control.blocking(name, work)
    }

    #[inline]
    fn charge(&self, _records: u64) -> Charge {
        Charge::Ready
    }

    fn any_port(&self) -> Address {
        Address::new(format!("{}:0", self.shared.host))
    }

    fn connect(&self, to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        stream::connect(Arc::clone(&self.shared.control), to)
    }

    fn listen(&self, at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        stream::listen(Arc::clone(&self.shared.control), at)
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(RealDisk::new(Arc::clone(&self.shared.control)))
    }

    fn service(&self, wanted: TypeId, url: &str) -> Result<Box<dyn Any + Send>, ServiceError> {
        self.shared.services.open(wanted, url, &self.world())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
