//! Makes the records of a reader's partitions in turn, at a rate or as fast as they are taken.
//!
//! Invariant: within a partition records come by offset, none twice; with a rate none before it is
//! due, counted from the record with which this reader began. Does not know how a record is made.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use sameriver_operator::Position;
use sameriver_operator::source::{ReadBatch, ReadStatus, ReaderArgs, SourceError, SourceReader};
use sameriver_runtime::{Monotonic, World};

use crate::generator::{GeneratorSplit, Recipe};

const NANOS: u128 = 1_000_000_000;

/// When records are due: the records of all partitions, interleaved, at even distances.
#[derive(Clone, Copy)]
struct Schedule {
    start: Monotonic,
    rate: NonZeroU64,
}

impl Schedule {
    /// How many records of the partition are due at `now`.
    fn due(self, split: &GeneratorSplit, now: Monotonic) -> u64 {
        let elapsed = now.since(self.start).as_nanos();
        let last = elapsed.saturating_mul(u128::from(self.rate.get())) / NANOS;
        let Some(rounds) = last.checked_sub(u128::from(split.partition)) else {
            return 0;
        };
        let due = rounds / u128::from(split.partitions) + 1;
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// When the record at `offset` of the partition is due.
    fn instant(self, split: &GeneratorSplit, offset: u64) -> Monotonic {
        let ordinal =
            u128::from(offset) * u128::from(split.partitions) + u128::from(split.partition);
        let nanos = ordinal.saturating_mul(NANOS);
        let nanos = nanos.div_ceil(u128::from(self.rate.get()));
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        self.start.saturating_add(Duration::from_nanos(nanos))
    }
}

/// A partition that is not used up.
struct Partition {
    index: usize,
    name: Arc<str>,
    /// Its offset is that of the next record.
    split: GeneratorSplit,
    /// The first record that this reader makes: the schedule starts with it.
    first: u64,
}

impl Partition {
    /// How many records are due at `now`, those before the first included.
    fn due(&self, schedule: Schedule, now: Monotonic) -> u64 {
        schedule.due(&self.split, now).saturating_add(self.first)
    }

    /// When the next record is due.
    fn instant(&self, schedule: Schedule) -> Monotonic {
        schedule.instant(&self.split, self.split.offset - self.first)
    }
}

/// The reader of one subtask.
pub(crate) struct GeneratorReader<R> {
    name: String,
    recipe: R,
    rate: Option<NonZeroU64>,
    marker_every: Option<NonZeroU64>,
    world: World,
    schedule: Option<Schedule>,
    partitions: Vec<Partition>,
    /// The position in `partitions` of the one whose turn it is.
    turn: usize,
    assigned: usize,
    no_more: bool,
}

impl<R: Recipe> GeneratorReader<R> {
    /// A reader without partitions; the pace is a rate, and after how many records of a partition
    /// there is a marker.
    pub(crate) fn new(
        args: ReaderArgs,
        name: &str,
        (rate, marker_every): (Option<NonZeroU64>, Option<NonZeroU64>),
        recipe: R,
    ) -> Self {
        Self {
            name: name.to_owned(),
            recipe,
            rate,
            marker_every,
            world: args.surroundings.world,
            schedule: None,
            partitions: Vec::new(),
            turn: 0,
            assigned: 0,
            no_more: false,
        }
    }

    /// Finds the next partition with a due record, and how many of its records are due.
    fn next_due(&mut self) -> Result<u64, Monotonic> {
        let Some(schedule) = self.schedule else {
            return Ok(u64::MAX);
        };
        let now = self.world.now();
        let mut earliest = None;
        for _ in 0..self.partitions.len() {
            let partition = &self.partitions[self.turn];
            let due = partition.due(schedule, now);
            if due > partition.split.offset {
                return Ok(due);
            }
            let instant = partition.instant(schedule);
            earliest = Some(earliest.map_or(instant, |other: Monotonic| other.min(instant)));
            self.turn = (self.turn + 1) % self.partitions.len();
        }
        Err(earliest.unwrap_or(schedule.start))
    }

    /// Makes up to `max` records of the partition whose turn it is, and passes the turn on.
    fn make(&mut self, batch: &mut ReadBatch<R::Out>, max: usize, due: u64) {
        let partition = &mut self.partitions[self.turn];
        let (split, from) = (partition.split, partition.split.offset);
        let to = from.saturating_add(max as u64).min(split.records).min(due);
        let recipe = &self.recipe;
        batch
            .records
            .extend((from..to).map(|offset| recipe.make(&split, offset)));
        batch.split = partition.index;
        batch.position = Position::Source {
            split: Arc::clone(&partition.name),
            from,
            to,
            unit: "record",
        };
        partition.split.offset = to;
        if let Some(every) = self.marker_every
            && to / every > from / every
        {
            batch.ask_for_checkpoint();
        }
        if to == split.records {
            batch.ended.push(partition.index);
            self.partitions.remove(self.turn);
        } else {
            self.turn += 1;
        }
        if self.turn >= self.partitions.len() {
            self.turn = 0;
        }
    }
}

impl<R: Recipe> SourceReader<R::Out, GeneratorSplit> for GeneratorReader<R> {
    fn add_splits(
        &mut self,
        splits: Vec<GeneratorSplit>,
        no_more: bool,
    ) -> Result<(), SourceError> {
        self.no_more |= no_more;
        for split in splits {
            self.partitions.push(Partition {
                index: self.assigned,
                name: Arc::from(format!("{} partition {}", self.name, split.partition)),
                split,
                first: split.offset,
            });
            self.assigned += 1;
        }
        if let (Some(rate), None) = (self.rate, self.schedule) {
            let start = self.world.now();
            self.schedule = Some(Schedule { start, rate });
        }
        Ok(())
    }

    fn read(
        &mut self,
        batch: &mut ReadBatch<R::Out>,
        max: usize,
    ) -> Result<ReadStatus, SourceError> {
        batch.ended.clear();
        if self.partitions.is_empty() {
            return Ok(if self.no_more {
                ReadStatus::Finished
            } else {
                ReadStatus::NeedSplit
            });
        }
        match self.next_due() {
            Ok(due) => {
                self.make(batch, max, due);
                Ok(ReadStatus::Ready)
            }
            Err(instant) => Ok(ReadStatus::Until(instant)),
        }
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, GeneratorSplit)>, SourceError> {
        let partitions = self.partitions.iter();
        Ok(partitions.map(|rest| (rest.index, rest.split)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_is_due_from_its_instant_on_and_not_before(
            rate in 1_u64..3_000_000,
            partitions in 1_u32..9,
            draw in any::<u32>(),
            offset in 0_u64..1_000_000,
            start in 0_u64..1_000_000,
        ) {
            let schedule = Schedule {
                start: Monotonic::from_origin(Duration::from_micros(start)),
                rate: NonZeroU64::new(rate).expect("the range starts at 1"),
            };
            let (partition, records) = (draw % partitions, u64::MAX);
            let split = GeneratorSplit { partition, partitions, records, offset: 0 };
            let instant = schedule.instant(&split, offset);
            prop_assert!(schedule.due(&split, instant) > offset);
            if instant > schedule.start {
                let before = instant.elapsed().saturating_sub(Duration::from_nanos(1));
                let before = Monotonic::from_origin(before);
                prop_assert!(schedule.due(&split, before) <= offset);
            }
        }
    }
}
