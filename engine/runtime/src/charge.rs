//! What work costs: nothing on real hardware, virtual time in simulation.

use crate::BoxFuture;

/// The answer to reporting finished work.
pub enum Charge {
    /// Go on.
    Ready,
    /// Wait for this first: simulated work takes simulated time.
    Sleep(BoxFuture<()>),
}

impl Charge {
    /// Pays the charge.
    #[inline]
    pub async fn settle(self) {
        match self {
            Self::Ready => {}
            Self::Sleep(sleep) => sleep.await,
        }
    }
}
