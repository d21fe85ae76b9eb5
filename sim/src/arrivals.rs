//! A source whose records arrive on a schedule: the workload of a simulated run.
//!
//! Invariant: a record has arrived from its instant on, for every reader of every attempt, so what
//! is read depends on no crash. Records are named by partition and offset.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use sameriver::operator::Position;
use sameriver::operator::source::{
    Assignment, Enumerator, EnumeratorArgs, ReadBatch, ReadStatus, Reader, ReaderArgs, Source,
    SourceError, SourceReader, SplitEnumerator, Tells,
};
use sameriver_model::codec::wire;
use sameriver_model::{Element, SubtaskIndex};
use sameriver_runtime::{BoxFuture, Monotonic, RandomStream, World};
use serde::{Deserialize, Serialize};

/// When the records of a partition arrive, counted from the start of the run.
///
/// ```
/// use sameriver_sim::ArrivalSchedule;
/// let schedule = ArrivalSchedule { from_millis: 100, to_millis: 200, bursts: 2 };
/// assert_eq!(schedule.instant(0, 10).elapsed().as_millis(), 150);
/// assert_eq!(schedule.instant(9, 10).elapsed().as_millis(), 200);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArrivalSchedule {
    /// After when the first record arrives.
    pub from_millis: u64,
    /// When the last one has.
    pub to_millis: u64,
    /// In how many bursts, at even distances; 0 for records that come one by one.
    pub bursts: u64,
}

impl ArrivalSchedule {
    /// Draws a schedule that ends shortly before an instant, so that faults meet a job at work; a
    /// few have it all at once.
    pub fn draw(random: &mut RandomStream, end: Duration) -> Self {
        let end = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        let to_millis = if random.chance(5) {
            0
        } else {
            random.between(end / 10 * 8, end)
        };
        Self {
            from_millis: 0,
            to_millis,
            bursts: if random.chance(300) {
                random.between(1, 20)
            } else {
                0
            },
        }
    }

    /// When the record at `offset` of `count` has arrived.
    pub fn instant(&self, offset: u64, count: u64) -> Monotonic {
        let count = count.max(1);
        let (steps, of) = match self.bursts {
            0 => (offset.saturating_add(1), count),
            bursts => {
                let burst = u128::from(offset) * u128::from(bursts) / u128::from(count);
                (
                    u64::try_from(burst).unwrap_or(bursts).saturating_add(1),
                    bursts,
                )
            }
        };
        let span = u128::from(self.to_millis.saturating_sub(self.from_millis)) * 1_000_000;
        let nanos = span * u128::from(steps) / u128::from(of);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let start = Duration::from_millis(self.from_millis);
        Monotonic::from_origin(start.saturating_add(Duration::from_nanos(nanos)))
    }

    /// When all records have arrived.
    pub fn end(&self) -> Duration {
        Duration::from_millis(self.to_millis)
    }
}

/// The rest of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrivalSplit {
    partition: u32,
    offset: u64,
}

/// Records in partitions, each with its instant.
///
/// ```
/// use sameriver::operator::source::Source;
/// use sameriver_sim::{ArrivalSchedule, Arrivals};
/// let numbers = Arrivals::new("numbers", vec![vec![1_u64, 2], vec![3]],
/// ArrivalSchedule::default()); assert_eq!(numbers.describe(), "3 arrivals of numbers");
/// ```
#[derive(Clone, Debug)]
pub struct Arrivals<T> {
    name: Arc<str>,
    partitions: Arc<[Vec<T>]>,
    schedule: ArrivalSchedule,
    marker_every: Option<NonZeroU64>,
}

impl<T> Arrivals<T> {
    /// These partitions, on this schedule.
    pub fn new(name: &str, partitions: Vec<Vec<T>>, schedule: ArrivalSchedule) -> Self {
        Self {
            name: Arc::from(name),
            partitions: partitions.into(),
            schedule,
            marker_every: None,
        }
    }

    /// Asks for a checkpoint behind every so many records of each partition; 0 for never.
    #[must_use]
    pub fn marker_every(mut self, records: u64) -> Self {
        self.marker_every = NonZeroU64::new(records);
        self
    }
}

impl<T: Element + Clone + Sync> Source for Arrivals<T> {
    type Out = T;
    type Split = ArrivalSplit;

    fn describe(&self) -> String {
        let count: usize = self.partitions.iter().map(Vec::len).sum();
        format!("{count} arrivals of {}", self.name)
    }

    fn is_replayable(&self) -> bool {
        true
    }

    fn tells(&self) -> Tells {
        Tells {
            bytes: false,
            markers: self.marker_every.is_some(),
        }
    }

    fn enumerate(&self, args: EnumeratorArgs) -> BoxFuture<Result<Enumerator<Self>, SourceError>> {
        let rest = match args.restored {
            Some(bytes) => wire::decode(&bytes).map_err(|error| self.broken(&error)),
            None => Ok(splits(self.partitions.len())),
        };
        let name = Arc::clone(&self.name);
        Box::pin(async move {
            let rest = rest?;
            let readers = args.parallelism.get();
            let enumerator: Enumerator<Self> = Box::new(Unassigned {
                name,
                rest,
                readers,
            });
            Ok(enumerator)
        })
    }

    fn reader(&self, args: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        Ok(Box::new(ArrivalReader {
            arrivals: self.clone(),
            world: args.surroundings.world,
            open: VecDeque::new(),
            assigned: 0,
            no_more: false,
        }))
    }
}

impl<T> Arrivals<T> {
    fn broken(&self, error: &impl std::fmt::Display) -> SourceError {
        SourceError::Other {
            input: self.name.to_string(),
            cause: format!("its splits in the checkpoint cannot be read: {error}"),
        }
    }
}

fn splits(partitions: usize) -> Vec<ArrivalSplit> {
    let partitions = u32::try_from(partitions).expect("a workload has few partitions");
    let split = |partition| ArrivalSplit {
        partition,
        offset: 0,
    };
    (0..partitions).map(split).collect()
}

/// The partitions whose reader has not asked for them yet. A reader gets its whole share at once:
/// event times of partitions that wait for a reader would be late.
struct Unassigned {
    name: Arc<str>,
    rest: Vec<ArrivalSplit>,
    readers: u32,
}

impl SplitEnumerator<ArrivalSplit> for Unassigned {
    fn assign(&mut self, reader: SubtaskIndex) -> Assignment<ArrivalSplit> {
        let is_of_reader =
            |split: &mut ArrivalSplit| split.partition % self.readers == reader.get();
        Assignment {
            splits: self.rest.extract_if(.., is_of_reader).collect(),
            no_more: true,
        }
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        wire::encode(&self.rest).map_err(|error| SourceError::Other {
            input: self.name.to_string(),
            cause: error.to_string(),
        })
    }
}

struct ArrivalReader<T> {
    arrivals: Arrivals<T>,
    world: World,
    /// What is left of the partitions, each with its number in the order of assignment.
    open: VecDeque<(usize, ArrivalSplit)>,
    assigned: usize,
    no_more: bool,
}

impl<T: Element + Clone + Sync> ArrivalReader<T> {
    /// Reads what has arrived of the partition whose turn it is.
    fn take(&mut self, batch: &mut ReadBatch<T>, max: usize, now: Monotonic) -> Option<Monotonic> {
        let (index, mut split) = self.open.pop_front()?;
        let records = &self.arrivals.partitions[split.partition as usize];
        let (from, count) = (split.offset, records.len() as u64);
        let mut next = None;
        while split.offset < count && batch.records.len() < max {
            let instant = self.arrivals.schedule.instant(split.offset, count);
            if instant > now {
                next = Some(instant);
                break;
            }
            batch.records.push(records[split.offset as usize].clone());
            split.offset += 1;
        }
        let to = split.offset;
        if let Some(every) = self.arrivals.marker_every
            && to / every > from / every
        {
            batch.ask_for_checkpoint();
        }
        batch.split = index;
        batch.position = Position::Source {
            split: Arc::from(format!(
                "{} partition {}",
                self.arrivals.name, split.partition
            )),
            from,
            to: split.offset,
            unit: "record",
        };
        if split.offset == count {
            batch.ended.push(index);
        } else {
            self.open.push_back((index, split));
        }
        next
    }
}

impl<T: Element + Clone + Sync> SourceReader<T, ArrivalSplit> for ArrivalReader<T> {
    fn add_splits(&mut self, splits: Vec<ArrivalSplit>, no_more: bool) -> Result<(), SourceError> {
        self.no_more |= no_more;
        for split in splits {
            self.open.push_back((self.assigned, split));
            self.assigned += 1;
        }
        Ok(())
    }

    fn read(&mut self, batch: &mut ReadBatch<T>, max: usize) -> Result<ReadStatus, SourceError> {
        batch.ended.clear();
        let now = self.world.now();
        let mut earliest: Option<Monotonic> = None;
        for _ in 0..self.open.len() {
            let next = self.take(batch, max, now);
            if !batch.records.is_empty() || !batch.ended.is_empty() {
                return Ok(ReadStatus::Ready);
            }
            earliest = earliest.into_iter().chain(next).min();
        }
        Ok(match earliest {
            Some(instant) => ReadStatus::Until(instant),
            None if self.no_more => ReadStatus::Finished,
            None => ReadStatus::NeedSplit,
        })
    }

    fn snapshot(&mut self) -> Result<Vec<(usize, ArrivalSplit)>, SourceError> {
        Ok(self.open.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_never_go_back_and_stay_in_the_span() {
        for seed in 0..500 {
            let mut random = RandomStream::named(seed, "arrivals");
            let schedule = ArrivalSchedule::draw(&mut random, Duration::from_secs(30));
            let instants: Vec<_> = (0..50).map(|offset| schedule.instant(offset, 50)).collect();
            assert!(instants.is_sorted(), "{schedule:?}");
            assert!(instants.iter().all(|at| at.elapsed() <= schedule.end()));
        }
    }
}
