//! How long a store is asked again before its silence is an answer.
//!
//! Invariant: only what changes nothing when it is done twice is asked again here.

use std::time::Duration;

use sameriver_runtime::{BlobError, BoxFuture, World};

/// How often, and how long, a store is asked.
///
/// ```
/// use sameriver_storage::Patience;
/// let patience = Patience { tries: 3, ..Patience::default() };
/// assert_eq!(patience.answer.as_secs(), 30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often in all, at least once.
    pub tries: u32,
    /// The pause before the second try; each later one is twice as long.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// How long one answer may take.
    pub answer: Duration,
}

impl Default for Patience {
    /// 6 tries, 50 ms to 2 s apart, 30 s each.
    fn default() -> Self {
        Self {
            tries: 6,
            pause: Duration::from_millis(50),
            pause_max: Duration::from_secs(2),
            answer: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// Asks until there is an answer that trying again would not change.
    pub(crate) async fn ask<R>(
        self,
        world: &World,
        store: &str,
        path: &str,
        mut ask: impl FnMut() -> BoxFuture<Result<R, BlobError>>,
    ) -> Result<R, BlobError> {
        let mut tried = 1;
        loop {
            let answer = self.once(world, store, path, ask()).await;
            let is_over = !matches!(answer, Err(BlobError::Unavailable { .. }));
            if is_over || tried >= self.tries {
                return answer;
            }
            self.rest(world, tried).await;
            tried += 1;
        }
    }

    /// Waits for one answer; silence is one that says nothing.
    pub(crate) async fn once<R>(
        self,
        world: &World,
        store: &str,
        path: &str,
        asked: BoxFuture<Result<R, BlobError>>,
    ) -> Result<R, BlobError> {
        let answer = world.timeout(self.answer, asked).await;
        answer.unwrap_or_else(|silence| {
            Err(BlobError::Unavailable {
                store: store.to_owned(),
                path: path.to_owned(),
                cause: silence.to_string(),
            })
        })
    }

    /// Waits before the next try; `tried` is at least 1.
    pub(crate) async fn rest(self, world: &World, tried: u32) {
        let doubled = 1_u32.checked_shl(tried - 1).unwrap_or(u32::MAX);
        let pause = self.pause.saturating_mul(doubled).min(self.pause_max);
        if !pause.is_zero() {
            world.sleep(pause).await;
        }
    }
}
