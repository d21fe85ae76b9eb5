//! A user-written sink that hashes rows, or only keeps the compiler from dropping them.
//!
//! Invariant: a row is looked at once; the writers' parts are added up when they finish.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use sameriver::operator::Progress;
use sameriver::operator::sink::{Sink, SinkError, SinkWriter, WriterArgs};
use sameriver::{Batch, Element};

use crate::plain::Rows;
use crate::row::{Cell, Checksum};

/// A sink of rows `first|count`; its clones share one total.
#[derive(Clone, Debug)]
pub struct RowSink {
    rows: Rows,
    total: Arc<Mutex<Checksum>>,
}

impl RowSink {
    /// A sink with an empty total.
    pub fn new(rows: Rows) -> Self {
        Self {
            rows,
            total: Arc::default(),
        }
    }

    /// What all writers that have finished took.
    pub fn total(&self) -> Checksum {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Cell + Element> Sink<(C, u64)> for RowSink {
    fn describe(&self) -> String {
        format!("rows {:?}", self.rows)
    }

    fn writer(&self, _args: WriterArgs) -> Result<Box<dyn SinkWriter<(C, u64)>>, SinkError> {
        Ok(Box::new(Writer {
            sink: self.clone(),
            part: Checksum::default(),
        }))
    }
}

struct Writer {
    sink: RowSink,
    part: Checksum,
}

impl<C: Cell> SinkWriter<(C, u64)> for Writer {
    fn write(&mut self, batch: &mut Batch<(C, u64)>) -> Result<(), SinkError> {
        match self.sink.rows {
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
        Ok(())
    }

    fn has_room(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        let total = &self.sink.total;
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        total.merge(std::mem::take(&mut self.part));
        Ok(Progress::Done)
    }
}
