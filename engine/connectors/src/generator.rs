//! Makes records out of numbers: a workload that needs no file.
//!
//! Invariant: a record depends on its partition and offset (and the seed) alone, so the same
//! records come in every world, whoever makes them. Reading again gives the same records.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use sameriver_model::{Element, SubtaskIndex};
use sameriver_operator::source::{
    Assignment, Enumerator, EnumeratorArgs, Reader, ReaderArgs, Source, SourceError,
    SplitEnumerator, Tells,
};
use sameriver_runtime::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::draws::{DrawSeed, Draws};
use crate::generator_reader::GeneratorReader;
use crate::split_queue::{restored_splits, snapshot_splits};
use crate::stored::Versioned;

/// One partition of a generator, from some record on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSplit", into = "StoredSplit")]
pub struct GeneratorSplit {
    /// Which, counted from 0.
    pub partition: u32,
    /// How many there are.
    pub partitions: u32,
    /// How many records this one has.
    pub records: u64,
    /// The offset of the next record.
    pub offset: u64,
}

/// The fields in their order.
type StoredSplit = Versioned<(u32, u32, u64, u64)>;

impl From<StoredSplit> for GeneratorSplit {
    fn from(Versioned::V1((partition, partitions, records, offset)): StoredSplit) -> Self {
        Self {
            partition,
            partitions,
            records,
            offset,
        }
    }
}

impl From<GeneratorSplit> for StoredSplit {
    fn from(split: GeneratorSplit) -> Self {
        Self::V1((
            split.partition,
            split.partitions,
            split.records,
            split.offset,
        ))
    }
}

/// How a generator makes a record; implemented by [`Drawn`] and [`Counted`].
pub trait Recipe: Clone + Send + Sync + 'static {
    /// The type of the records.
    type Out: Element;

    /// The record at `offset` of a partition.
    fn make(&self, split: &GeneratorSplit, offset: u64) -> Self::Out;
}

/// Records made from partition, offset and random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<F> {
    seed: DrawSeed,
    make: F,
}

impl<T: Element, F> Recipe for Drawn<F>
where
    F: Fn(u32, u64, &mut Draws) -> T + Clone + Send + Sync + 'static,
{
    type Out = T;

    #[inline]
    fn make(&self, split: &GeneratorSplit, offset: u64) -> T {
        let mut draws = self.seed.record(split.partition, offset);
        (self.make)(split.partition, offset, &mut draws)
    }
}

/// Records made from their number in the whole sequence.
#[derive(Clone, Copy, Debug)]
pub struct Counted<F>(F);

impl<T: Element, F> Recipe for Counted<F>
where
    F: Fn(u64) -> T + Clone + Send + Sync + 'static,
{
    type Out = T;

    #[inline]
    fn make(&self, split: &GeneratorSplit, offset: u64) -> T {
        (self.0)(u64::from(split.partition) + offset * u64::from(split.partitions))
    }
}

/// How the records are spread over partitions.
#[derive(Clone, Copy, Debug)]
enum Partitions {
    /// A fixed number of partitions, each with this many records.
    Fixed { count: u32, records: u64 },
    /// One for each reader, which share this many records.
    PerReader { records: u64 },
}

/// A source that makes its records.
///
/// [`Generator::new`] has a fixed number of partitions, whatever the parallelism: the same records
/// in the same order within each partition. [`Generator::sequence`] numbers its records; reader
/// `w` of `p` makes the numbers `w`, `w + p`, `w + 2p`, … A reader makes the records of its
/// partitions in turn, so that their event times progress evenly.
///
/// ```
/// use sameriver_connectors::Generator;
/// use sameriver_operator::source::Source;
/// let clicks = Generator::new("clicks", 4, 1_000, |partition, offset, draws| {
///     (u64::from(partition), offset, draws.below(100))
/// });
/// assert_eq!(clicks.seed(7).rate_per_second(500).describe(), "generator clicks");
/// let squares = Generator::sequence(10, |k: u64| k * k);
/// assert_eq!(squares.describe(), "generator of 10");
/// ```
#[derive(Clone, Debug)]
pub struct Generator<R> {
    name: String,
    partitions: Partitions,
    rate: Option<NonZeroU64>,
    marker_every: Option<NonZeroU64>,
    recipe: R,
}

impl<F> Generator<Drawn<F>> {
    /// Makes `records_per_partition` records in each of `partitions` (at least 1) with
    /// `make(partition, offset, draws)`.
    ///
    /// The random numbers of a record are fixed by seed, name, partition and offset.
    pub fn new<T>(
        name: impl Into<String>,
        partitions: u32,
        records_per_partition: u64,
        make: F,
    ) -> Self
    where
        T: Element,
        F: Fn(u32, u64, &mut Draws) -> T + Clone + Send + Sync + 'static,
    {
        let name = name.into();
        let seed = DrawSeed::new(0, &name);
        Self {
            name,
            partitions: Partitions::Fixed {
                count: partitions.max(1),
                records: records_per_partition,
            },
            rate: None,
            marker_every: None,
            recipe: Drawn { seed, make },
        }
    }

    /// Sets the seed of the random numbers; 0 if left out.
    pub fn seed(mut self, seed: u64) -> Self {
        self.recipe.seed = DrawSeed::new(seed, &self.name);
        self
    }
}

impl<F> Generator<Counted<F>> {
    /// Makes `make(0)`, `make(1)`, … `make(count - 1)`, in this order at parallelism 1.
    pub fn sequence<T>(count: u64, make: F) -> Self
    where
        T: Element,
        F: Fn(u64) -> T + Clone + Send + Sync + 'static,
    {
        Self {
            name: format!("of {count}"),
            partitions: Partitions::PerReader { records: count },
            rate: None,
            marker_every: None,
            recipe: Counted(make),
        }
    }
}

impl<R> Generator<R> {
    /// Makes this many records a second in all, by a fixed schedule that starts when each reader
    /// starts; a reader that falls behind catches up. Without a rate (also 0), as fast as the job
    /// takes them.
    pub fn rate_per_second(mut self, records: u64) -> Self {
        self.rate = NonZeroU64::new(records);
        self
    }

    /// Asks for a checkpoint behind every so many records of each partition; 0, as if left out,
    /// for never. Jobs take them if their setting `checkpoint_markers` is true.
    ///
    /// ```
    /// use sameriver_connectors::Generator;
    /// use sameriver_operator::source::Source;
    /// let days = Generator::sequence(365, |day: u64| day).marker_every(7);
    /// assert!(days.tells().markers);
    /// ```
    pub fn marker_every(mut self, records: u64) -> Self {
        self.marker_every = NonZeroU64::new(records);
        self
    }
}

impl<R: Recipe> Source for Generator<R> {
    type Out = R::Out;
    type Split = GeneratorSplit;

    fn describe(&self) -> String {
        format!("generator {}", self.name)
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
        let (input, readers) = (self.describe(), args.parallelism.get());
        let all = match args.restored {
            Some(bytes) => restored_splits(&input, &bytes),
            None => Ok(cut(self.partitions, readers).collect()),
        };
        Box::pin(async move {
            let mut splits: BTreeMap<SubtaskIndex, Vec<GeneratorSplit>> = BTreeMap::new();
            for split in all? {
                let reader = SubtaskIndex::new(split.partition % readers);
                splits.entry(reader).or_default().push(split);
            }
            let enumerator: Enumerator<Self> = Box::new(GeneratorEnumerator { input, splits });
            Ok(enumerator)
        })
    }

    fn reader(&self, args: ReaderArgs) -> Result<Reader<Self>, SourceError> {
        let name = self.describe();
        let pace = (self.rate, self.marker_every);
        let recipe = self.recipe.clone();
        Ok(Box::new(GeneratorReader::new(args, &name, pace, recipe)))
    }
}

fn cut(partitions: Partitions, readers: u32) -> impl Iterator<Item = GeneratorSplit> {
    let count = match partitions {
        Partitions::Fixed { count, .. } => count,
        Partitions::PerReader { .. } => readers,
    };
    (0..count).map(move |partition| GeneratorSplit {
        partition,
        partitions: count,
        offset: 0,
        records: match partitions {
            Partitions::Fixed { records, .. } => records,
            Partitions::PerReader { records } => {
                let (each, rest) = (records / u64::from(count), records % u64::from(count));
                each + u64::from(u64::from(partition) < rest)
            }
        },
    })
}

/// Gives each reader all its partitions at once.
struct GeneratorEnumerator {
    input: String,
    splits: BTreeMap<SubtaskIndex, Vec<GeneratorSplit>>,
}

impl SplitEnumerator<GeneratorSplit> for GeneratorEnumerator {
    fn assign(&mut self, reader: SubtaskIndex) -> Assignment<GeneratorSplit> {
        Assignment {
            splits: self.splits.remove(&reader).unwrap_or_default(),
            no_more: true,
        }
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        snapshot_splits(&self.input, self.splits.values().flatten().collect())
    }
}
