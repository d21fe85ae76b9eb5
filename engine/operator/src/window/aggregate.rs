//! What a window computes of its records, one at a time.

use sameriver_state::Value;
use serde::{Deserialize, Serialize};

use super::TimeWindow;

/// Computes one value of the records of a window, without keeping them.
///
/// ```
/// use sameriver_operator::window::Aggregate;
///
/// /// The mean of whole numbers.
/// #[derive(Clone)]
/// struct Mean;
///
/// impl Aggregate<u64> for Mean {
///     type Acc = (u64, u64);
///     type Out = f64;
///     fn create(&self) -> (u64, u64) {
///         (0, 0)
///     }
///     fn add(&self, (sum, count): &mut (u64, u64), record: &u64) {
///         *sum += record;
///         *count += 1;
///     }
///     fn merge(&self, into: &mut (u64, u64), other: (u64, u64)) {
///         into.0 += other.0;
///         into.1 += other.1;
///     }
///     fn result(&self, (sum, count): (u64, u64)) -> f64 {
///         sum as f64 / count as f64
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate records of type `{T}`",
    label = "not an `Aggregate<{T}>`",
    note = "implement `Aggregate<{T}>` for a type that is `Clone + Send + Sync + 'static`, or use `Count`"
)]
pub trait Aggregate<T>: Clone + Send + Sync + 'static {
    /// What is kept a key and window.
    type Acc: Value;
    /// What the window emits.
    type Out;

    /// The accumulator of no record.
    fn create(&self) -> Self::Acc;

    /// Adds one record.
    fn add(&self, acc: &mut Self::Acc, record: &T);

    /// Adds the records of another accumulator.
    fn merge(&self, into: &mut Self::Acc, other: Self::Acc);

    /// What the accumulated records come to.
    fn result(&self, acc: Self::Acc) -> Self::Out;
}

/// Counts the records of a window.
///
/// ```
/// use sameriver_operator::window::{Aggregate, Count};
/// let mut count = Aggregate::<&str>::create(&Count);
/// Count.add(&mut count, &"a click");
/// assert_eq!(count, 1);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Count;

impl<T> Aggregate<T> for Count {
    type Acc = u64;
    type Out = u64;

    fn create(&self) -> u64 {
        0
    }

    #[inline]
    fn add(&self, acc: &mut u64, _record: &T) {
        *acc += 1;
    }

    fn merge(&self, into: &mut u64, other: u64) {
        *into += other;
    }

    fn result(&self, acc: u64) -> u64 {
        acc
    }
}

/// What a window emits for a key.
///
/// ```
/// use sameriver_model::EventTime;
/// use sameriver_operator::window::{TimeWindow, WindowResult};
/// let window = TimeWindow { start: EventTime::from_millis(0), end: EventTime::from_millis(60) };
/// let clicks = WindowResult { key: "ann".to_owned(), window, value: 3_u64 };
/// assert_eq!(clicks.value, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WindowResult<K, V> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: TimeWindow,
    /// The aggregate of the key's records in the window.
    pub value: V,
}
