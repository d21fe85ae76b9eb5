//! The phases of a run: warm-up, chaos, healing, quiescence, verification.
//!
//! Invariant: no fault begins before the end of the warm-up, and none lasts beyond the chaos.

use std::time::Duration;

use sameriver_runtime::RandomStream;

use crate::fault::Window;
use crate::virtual_clock::nanos;

/// How long each phase lasts; the last two last until the job has ended.
///
/// ```
/// use sameriver_sim::Phases;
/// use std::time::Duration;
/// let phases = Phases { warm_up: Duration::from_secs(2), chaos: Duration::from_secs(30) };
/// assert_eq!(phases.healing(), Duration::from_secs(32));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Before the first fault.
    pub warm_up: Duration,
    /// In which faults happen.
    pub chaos: Duration,
}

impl Phases {
    /// Draws them: a fifth of the seeds have no warm-up.
    pub fn draw(random: &mut RandomStream) -> Self {
        let warm_up = if random.chance(200) {
            0
        } else {
            random.between(500, 5_000)
        };
        Self {
            warm_up: Duration::from_millis(warm_up),
            chaos: Duration::from_millis(random.between(15_000, 45_000)),
        }
    }

    /// When everything is healed, since the start of the run.
    pub fn healing(&self) -> Duration {
        self.warm_up.saturating_add(self.chaos)
    }

    /// The span of the chaos.
    pub fn window(&self) -> Window {
        Window {
            start_nanos: nanos(self.warm_up),
            end_nanos: nanos(self.healing()),
        }
    }
}
