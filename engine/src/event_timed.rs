//! Whether the records of a stream have event times, as far as the compiler can know.
//!
//! Invariant: a stream is [`Timed`] only behind `watermarks`, so a window without event time does
//! not compile.

/// Marks streams whose records have no event time: `DataStream<T>` is `DataStream<T, Untimed>`.
///
/// ```
/// use sameriver::prelude::*;
/// fn same(numbers: DataStream<u64>) -> DataStream<u64, Untimed> {
///     numbers
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Untimed {}

/// Marks streams whose records have an event time and whose watermarks advance.
///
/// ```
/// use sameriver::prelude::*;
/// /// A part of several jobs, which asks for event time.
/// fn per_minute(times: DataStream<i64, Timed>) -> DataStream<u64, Timed> {
///     let counts = times.key_by(|_| ()).window(Tumbling::of(mins(1)));
///     counts.aggregate("per-minute", Count).map(|count| count.value)
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Timed {}

/// Holds for the mark of streams that have event time.
///
/// ```
/// use sameriver::EventTimed;
/// use sameriver::prelude::*;
/// /// Takes every stream that can be cut into windows, and no other.
/// fn per_hour<M: EventTimed>(clicks: DataStream<u64, M>) -> DataStream<u64, Timed> {
///     let counts = clicks.key_by(|user| *user).window(Tumbling::of(hours(1)));
///     counts.aggregate("per-hour", Count).map(|count| count.value)
/// }
/// # drop(per_hour::<Timed>);
/// ```
#[diagnostic::on_unimplemented(
    message = "this stream has no event time, so it cannot be cut into windows",
    label = "no event time here",
    note = "call `.watermarks(Watermarks::bounded(..).event_time(..))` before `key_by`, best directly behind the source"
)]
pub trait EventTimed: 'static {}

impl EventTimed for Timed {}
