//! Durations as they are said: `mins(5)`.
//!
//! Invariant: arithmetic saturates.

use std::time::Duration;

/// So many milliseconds.
///
/// ```
/// use sameriver::prelude::*;
/// assert_eq!(millis(1_500).as_secs_f64(), 1.5);
/// ```
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
///
/// ```
/// use sameriver::prelude::*;
/// assert_eq!(secs(2), millis(2_000));
/// ```
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// So many minutes.
///
/// ```
/// use sameriver::prelude::*;
/// assert_eq!(mins(2), secs(120));
/// ```
pub const fn mins(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// So many hours.
///
/// ```
/// use sameriver::prelude::*;
/// assert_eq!(hours(2), mins(120));
/// ```
pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(3_600))
}
