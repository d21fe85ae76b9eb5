//! Events: drawn from a number, or read from a line.
//!
//! Invariant: an event is a pure function of what was asked for, partition and offset; in one
//! partition its time is never more than the allowed disorder behind an earlier event's.

use sameriver::prelude::UserError;
use sameriver_cli::JobArguments;
use serde::{Deserialize, Serialize};

/// How many partitions the generator has, whatever the parallelism.
pub const PARTITIONS: u32 = 4;
/// Event time between two events of a partition, in milliseconds.
const STEP_MILLIS: i64 = 7;
/// How far partitions are apart in event time, in milliseconds.
const SKEW_MILLIS: i64 = 400;
const START_MILLIS: i64 = 1_700_000_000_000;
const KEYS: u32 = 40;
const SEED: u64 = 42;

/// Something with a price that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened, in milliseconds of event time.
    pub at: i64,
    /// What it belongs to.
    pub key: u32,
    /// What is added up.
    pub amount: u64,
}

/// Generated events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Events {
    seed: u64,
    keys: u32,
    /// How many there are in a second of event time, if somebody has asked.
    rate: Option<u64>,
}

impl Events {
    /// Those that a user asks for.
    pub(super) fn of(arguments: &JobArguments) -> Self {
        Self {
            seed: arguments.seed.unwrap_or(SEED),
            keys: arguments.keys.unwrap_or(KEYS),
            rate: arguments.rate,
        }
    }

    /// Those of a seed.
    pub(super) const fn seeded(seed: u64) -> Self {
        Self {
            seed,
            keys: KEYS,
            rate: None,
        }
    }

    /// The event of that number.
    pub(super) fn event(self, partition: u32, offset: u64) -> Event {
        let mut state = mix(self.seed ^ mix(u64::from(partition) + 1)).wrapping_add(offset);
        let mut draw = |bound: u64| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            mix(state) % bound
        };
        let disorder = super::DISORDER.as_millis() as u64;
        let ahead = if draw(10) < 3 { draw(disorder + 1) } else { 0 };
        let base = START_MILLIS + i64::from(partition) * SKEW_MILLIS;
        Event {
            at: base + self.progress_millis(offset) + ahead as i64,
            key: draw(u64::from(self.keys)) as u32,
            amount: draw(1_000),
        }
    }

    /// How far the event time of a partition has come by that offset.
    fn progress_millis(self, offset: u64) -> i64 {
        let Some(rate) = self.rate else {
            return offset as i64 * STEP_MILLIS;
        };
        let millis = u128::from(offset) * u128::from(PARTITIONS) * 1_000 / u128::from(rate.max(1));
        i64::try_from(millis).unwrap_or(i64::MAX / 2)
    }
}

const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Reads `time,key,amount`.
pub(super) fn parse(line: &str) -> Result<Event, UserError> {
    let mut cells = line.split(',').map(str::trim);
    let (Some(at), Some(key), Some(amount), None) =
        (cells.next(), cells.next(), cells.next(), cells.next())
    else {
        return Err(UserError::msg(format!("`{line}` is not `time,key,amount`")));
    };
    let number = |name: &str, cell: &str| {
        UserError::msg(format!(
            "{name} `{cell}` of `{line}` is not a whole number in its range"
        ))
    };
    Ok(Event {
        at: at.parse().map_err(|_| number("time", at))?,
        key: key.parse().map_err(|_| number("key", key))?,
        amount: amount.parse().map_err(|_| number("amount", amount))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disorder_in_a_partition_stays_within_the_bound() {
        let bound = super::super::DISORDER.as_millis() as i64;
        let (seeded, dense) = (Events::seeded(7), Some(20_000));
        for events in [
            seeded,
            Events {
                rate: dense,
                ..seeded
            },
        ] {
            for partition in 0..PARTITIONS {
                let mut newest = i64::MIN;
                for offset in 0..5_000 {
                    let event = events.event(partition, offset);
                    assert!(
                        event.at >= newest.saturating_sub(bound),
                        "{partition} {offset}"
                    );
                    newest = newest.max(event.at);
                }
            }
        }
    }

    #[test]
    fn a_second_of_event_time_has_as_many_events_as_were_asked_for() {
        let events = Events {
            rate: Some(20_000),
            ..Events::seeded(7)
        };
        for partition in 0..PARTITIONS {
            let first = START_MILLIS + i64::from(partition) * SKEW_MILLIS;
            let bound = super::super::DISORDER.as_millis() as i64;
            let late = |offset| events.event(partition, offset).at - first;
            assert!((0..=bound).contains(&late(0)));
            assert!((1_000..=1_000 + bound).contains(&late(5_000)));
        }
    }
}
