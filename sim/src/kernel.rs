//! One fresh thread, one seeded executor: what makes a run repeatable.
//!
//! Invariant: everything that a library may draw from the thread or the process is seeded before
//! the first task runs: the executor's choice of the next task, the hash keys of the thread, the
//! system's entropy and clocks, and the order of `select!` and of watchers. From madsim come the
//! executor, the clock, the random stream and the interception of libc; nothing else.

use std::thread;

use madsim::runtime::Runtime;
use tokio::runtime::RngSeed;

/// Deep enough for the futures of a debug build.
const STACK_BYTES: usize = 8 << 20;

/// Runs `main` alone on a fresh thread, seeded; a panic of `main` itself is the answer `Err`.
#[expect(clippy::disallowed_methods, reason = "a world has a thread of its own")]
pub(crate) fn simulate<T, M, F>(seed: u64, main: M) -> thread::Result<T>
where
    T: Send + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = T>,
{
    let run = move || {
        // First of all: the thread's first hash keys must be drawn from the seed.
        let executor = Runtime::with_seed_and_config(seed, madsim::Config::default());
        // Never runs a task: it lends its seeded order to `select!` and `watch`.
        let order = tokio::runtime::Builder::new_current_thread()
            .rng_seed(RngSeed::from_bytes(&seed.to_le_bytes()))
            .build()
            .expect("a runtime without drivers needs nothing from the system");
        // Unconstrained: tokio's budget would never be renewed in here.
        order.block_on(tokio::task::unconstrained(async move {
            executor.block_on(async move { main().await })
        }))
    };
    thread::Builder::new()
        .name(format!("seed {seed}"))
        .stack_size(STACK_BYTES)
        .spawn(run)
        .expect("the system can start one more thread")
        .join()
}
