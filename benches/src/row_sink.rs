//! A user-written sink that hashes rows, or only keeps the compiler from dropping them.
//!
//! Invariant: a row is looked at once. What a writer has added up since the last barrier becomes a
//! part of the total when it is committed, once, however often it is committed again.

use std::collections::{BTreeSet, VecDeque};
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sameriver::model::{CheckpointId, SubtaskId};
use sameriver::operator::Progress;
use sameriver::operator::sink::{
    CommitError, Committable, Committer, Sink, SinkError, SinkWriter, WriterArgs,
};
use sameriver::runtime::BoxFuture;
use sameriver::{Batch, Element};

use crate::plain::Rows;
use crate::row::{Cell, Checksum};
use crate::stops::{Stops, Watch};

/// The version of a committable's bytes.
const FORMAT: u8 = 1;

/// A sink of rows `first|count`; its clones share one total.
#[derive(Clone, Debug)]
pub struct RowSink {
    rows: Rows,
    stops: Option<Stops>,
    committed: Arc<Mutex<BTreeSet<Committable>>>,
}

impl RowSink {
    /// A sink with an empty total.
    pub fn new(rows: Rows) -> Self {
        Self {
            rows,
            stops: None,
            committed: Arc::default(),
        }
    }

    /// The same sink, whose writers measure how long their threads are kept between two slices.
    #[must_use]
    pub fn watched(self, stops: &Stops) -> Self {
        let stops = Some(stops.clone());
        Self { stops, ..self }
    }

    /// What is committed so far: all rows, once the job has finished.
    pub fn total(&self) -> Checksum {
        let mut total = Checksum::default();
        for part in self.committed().iter().filter_map(part) {
            total.merge(part);
        }
        total
    }

    /// How many parts are committed so far.
    pub fn parts(&self) -> usize {
        self.committed().len()
    }

    fn committed(&self) -> MutexGuard<'_, BTreeSet<Committable>> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Cell + Element> Sink<(C, u64)> for RowSink {
    fn describe(&self) -> String {
        format!("rows {:?}", self.rows)
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<(C, u64)>>, SinkError> {
        Ok(Box::new(Writer {
            rows: self.rows,
            watch: self.stops.as_ref().map(Stops::watch),
            name: format!("{}-{}", args.subtask, args.attempt),
            part: Checksum::default(),
            staged: VecDeque::new(),
            stages: 0,
        }))
    }

    fn commits(&self) -> bool {
        true
    }

    fn committer(&self, args: WriterArgs) -> Result<Option<Box<dyn Committer>>, SinkError> {
        let (sink, subtask) = (self.clone(), args.subtask);
        Ok(Some(Box::new(Adder { sink, subtask })))
    }
}

struct Writer {
    rows: Rows,
    watch: Option<Watch>,
    /// Whose parts these are: no other writer of the job has the same.
    name: String,
    part: Checksum,
    staged: VecDeque<Committable>,
    stages: u64,
}

impl Writer {
    /// Closes the part that is being added up.
    fn close(&mut self) {
        let part = std::mem::take(&mut self.part);
        if part.rows > 0 {
            let committable = committable(&self.name, self.stages, part);
            self.staged.push_back(committable);
            self.stages += 1;
        }
    }
}

impl<C: Cell> SinkWriter<(C, u64)> for Writer {
    fn write(&mut self, batch: &mut Batch<(C, u64)>) -> Result<(), SinkError> {
        match self.rows {
            Rows::Hashed => {
                for (first, count) in batch.records() {
                    self.part.add(first, *count);
                }
            }
            Rows::Timed => {
                for row in batch.records() {
                    black_box(row);
                }
                self.part.rows += batch.len() as u64;
            }
        }
        batch.clear();
        if let Some(watch) = &mut self.watch {
            watch.slice();
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.close();
        // What follows is the end of the job, not a stop between two slices.
        self.watch = None;
        Ok(Progress::Done)
    }

    fn stage(&mut self, _checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.close();
        Ok(())
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        Ok(Some(self.staged.drain(..).collect()))
    }
}

/// Adds parts to the total.
struct Adder {
    sink: RowSink,
    subtask: SubtaskId,
}

impl Committer for Adder {
    fn commit(&self, committables: Vec<Committable>) -> BoxFuture<Result<(), CommitError>> {
        let foreign = committables.iter().find(|one| part(one).is_none());
        let committed = if let Some(foreign) = foreign {
            Err(CommitError::Refused {
                output: "rows".to_owned(),
                what: self.name(foreign),
                cause: "it is not a part of rows: start the bench anew".to_owned(),
            })
        } else {
            self.sink.committed().extend(committables);
            Ok(())
        };
        Box::pin(async { committed })
    }

    fn name(&self, committable: &Committable) -> String {
        format!(
            "a part of {} bytes of {}",
            committable.0.len(),
            self.subtask
        )
    }
}

/// Version, rows, sum, number of the part, name of its writer.
fn committable(name: &str, number: u64, part: Checksum) -> Committable {
    let mut bytes = vec![FORMAT];
    for word in [part.rows, part.sum, number] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(name.as_bytes());
    Committable(bytes)
}

fn part(committable: &Committable) -> Option<Checksum> {
    let (format, rest) = committable.0.split_first()?;
    let (rows, rest) = rest.split_first_chunk()?;
    let (sum, _) = rest.split_first_chunk()?;
    (*format == FORMAT).then(|| Checksum {
        rows: u64::from_le_bytes(*rows),
        sum: u64::from_le_bytes(*sum),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_committed_again_counts_once() {
        let sink = RowSink::new(Rows::Hashed);
        let (one, other) = (Checksum { rows: 2, sum: 7 }, Checksum { rows: 1, sum: 1 });
        let parts = [committable("a", 0, one), committable("a", 1, other)];
        for _ in 0..2 {
            sink.committed().extend(parts.clone());
        }
        assert_eq!(sink.total(), Checksum { rows: 3, sum: 8 });
    }

    #[test]
    fn equal_parts_of_two_writers_both_count() {
        let sink = RowSink::new(Rows::Hashed);
        let one = Checksum { rows: 2, sum: 7 };
        let parts = [committable("a", 0, one), committable("b", 0, one)];
        sink.committed().extend(parts);
        assert_eq!(sink.total(), Checksum { rows: 4, sum: 14 });
    }
}
