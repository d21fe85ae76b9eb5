//! A store in memory that loses answers, answers late, and applies late, as a script says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use sameriver_runtime::{
    BlobAbilities, BlobEntry, BlobError, BlobStore, BlobUpload, BoxFuture, Created,
};

use crate::memory_blobs::MemoryBlobs;

/// What happens to one operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// It is carried out and answered so many polls later each.
    Slow(u8, u8),
    /// It is not carried out, and not answered.
    LostBefore,
    /// It is carried out, and not answered.
    LostAfter,
    /// It is not answered, and carried out so many operations later.
    Late(u8),
    /// Nothing happens, for ever.
    Silent,
}

/// The faults to come; none at its end.
#[derive(Clone, Default)]
pub(super) struct Script {
    creates: VecDeque<Fault>,
    bytes: Arc<Mutex<VecDeque<u8>>>,
}

impl Script {
    pub(super) fn of_creates(faults: &[Fault]) -> Self {
        let creates = faults.iter().copied().collect();
        let bytes = Arc::default();
        Self { creates, bytes }
    }

    /// Every operation draws its fault from the bytes, as does whoever calls [`Self::draw`].
    pub(super) fn of_bytes(bytes: Vec<u8>) -> Self {
        let bytes = Arc::new(Mutex::new(bytes.into()));
        let creates = VecDeque::new();
        Self { creates, bytes }
    }

    pub(super) fn draw(&self) -> u8 {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.pop_front().unwrap_or(0)
    }

    fn fault(&mut self, is_create: bool) -> Fault {
        let told = is_create.then(|| self.creates.pop_front()).flatten();
        told.unwrap_or_else(|| match self.draw() {
            0..=127 => Fault::None,
            128..=191 => Fault::Slow(self.draw() % 16, self.draw() % 16),
            192..=207 => Fault::LostBefore,
            208..=231 => Fault::LostAfter,
            232.. => Fault::Late(self.draw() % 16),
        })
    }
}

type Late = (u64, Box<dyn FnOnce() + Send>);

struct State {
    script: Script,
    operations: u64,
    late: Vec<Late>,
}

/// See the module.
pub(super) struct FlakyBlobs {
    memory: MemoryBlobs,
    abilities: BlobAbilities,
    state: Arc<Mutex<State>>,
}

impl FlakyBlobs {
    pub(super) fn new(memory: MemoryBlobs, script: Script) -> Self {
        Self {
            abilities: memory.abilities(),
            memory,
            state: Arc::new(Mutex::new(State {
                script,
                operations: 0,
                late: Vec::new(),
            })),
        }
    }

    pub(super) fn with(self, abilities: BlobAbilities) -> Self {
        Self { abilities, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<R: Send + 'static>(
        &self,
        is_create: bool,
        path: &str,
        apply: impl FnOnce(&MemoryBlobs) -> BoxFuture<Result<R, BlobError>> + Send + 'static,
    ) -> BoxFuture<Result<R, BlobError>> {
        let mut state = self.state();
        state.operations += 1;
        let now = state.operations;
        let (due, later): (Vec<Late>, Vec<Late>) =
            state.late.drain(..).partition(|(at, _)| *at <= now);
        state.late = later;
        for (_, apply) in due {
            apply();
        }
        let lost = Err(BlobError::Unavailable {
            store: self.describe(),
            path: path.to_owned(),
            cause: "the answer was lost".to_owned(),
        });
        let memory = self.memory.clone();
        match state.script.fault(is_create) {
            Fault::None => apply(&memory),
            Fault::LostBefore => Box::pin(async move { lost }),
            Fault::Silent => Box::pin(std::future::pending()),
            Fault::LostAfter => Box::pin(async move {
                drop(apply(&memory).await);
                lost
            }),
            Fault::Late(operations) => {
                let apply = move || drop(crate::now(apply(&memory)));
                let at = now + u64::from(operations);
                state.late.push((at, Box::new(apply)));
                Box::pin(async move { lost })
            }
            Fault::Slow(before, after) => Box::pin(async move {
                polls(before).await;
                let answer = apply(&memory).await;
                polls(after).await;
                answer
            }),
        }
    }
}

/// Is ready when it was polled so often.
async fn polls(mut left: u8) {
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl BlobStore for FlakyBlobs {
    fn describe(&self) -> String {
        self.memory.describe()
    }

    fn abilities(&self) -> BlobAbilities {
        self.abilities
    }

    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>> {
        let to = path.to_owned();
        self.run(true, path, move |memory| memory.create(&to, bytes))
    }

    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>> {
        self.memory.upload(path)
    }

    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>> {
        let from = path.to_owned();
        self.run(false, path, move |memory| {
            memory.read_range(&from, offset, length)
        })
    }

    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>> {
        let from = path.to_owned();
        self.run(false, path, move |memory| memory.read(&from))
    }

    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>> {
        let of = prefix.to_owned();
        self.run(false, prefix, move |memory| memory.list(&of))
    }

    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>> {
        let gone = path.to_owned();
        self.run(false, path, move |memory| memory.remove(&gone))
    }
}
