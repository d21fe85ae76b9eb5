//! A world without anything in it, for operators that must not touch one.

use std::any::{Any, TypeId};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sameriver_runtime::{
    Address, BoxFuture, ByteStream, Charge, Disk, Lane, Listener, Monotonic, Panicked,
    RandomStream, ServiceError, TaskHandle, Wake, WallTime, World, WorldApi,
};

use super::Surroundings;

impl Surroundings {
    /// A world that panics when it is touched.
    pub fn nowhere() -> Self {
        Self {
            world: World::new(Arc::new(Nowhere)),
            wake: Wake::new(),
        }
    }
}

struct Nowhere;

fn touched(what: &str) -> ! {
    panic!("an operator touched the world: {what}")
}

impl WorldApi for Nowhere {
    fn node(&self) -> &'static str {
        "nowhere"
    }
    fn now(&self) -> Monotonic {
        touched("now")
    }
    fn wall(&self) -> WallTime {
        touched("wall")
    }
    fn sleep(&self, _duration: Duration) -> BoxFuture<()> {
        touched("sleep")
    }
    fn random(&self, _stream: &str) -> RandomStream {
        touched("random")
    }
    fn spawn(&self, _lane: Lane, _name: &str, _task: BoxFuture<()>) -> TaskHandle {
        touched("spawn")
    }
    fn blocking(
        &self,
        _name: &str,
        _work: Box<dyn FnOnce() + Send>,
    ) -> BoxFuture<Result<(), Panicked>> {
        touched("blocking")
    }
    fn charge(&self, _records: u64, _bytes: u64) -> Charge {
        touched("charge")
    }
    fn any_port(&self) -> Address {
        touched("any_port")
    }
    fn connect(&self, _to: &Address) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
        touched("connect")
    }
    fn listen(&self, _at: &Address) -> BoxFuture<io::Result<Box<dyn Listener>>> {
        touched("listen")
    }
    fn disk(&self) -> Arc<dyn Disk> {
        touched("disk")
    }
    fn service(&self, _wanted: TypeId, _url: &str) -> Result<Box<dyn Any + Send>, ServiceError> {
        touched("service")
    }
}
