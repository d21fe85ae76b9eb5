//! A sink that remembers when each numbered record came.
//!
//! Invariant: the clock is read once a batch, when the sink has it; nothing is computed before the
//! job has ended.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what is measured here is the real world"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sameriver::Batch;
use sameriver::operator::Progress;
use sameriver::operator::sink::{Sink, SinkError, SinkWriter, WriterArgs};

/// Records `first..` of a batch, and when the sink had them.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The numbers of the records.
    pub records: Vec<u64>,
    /// When they came.
    pub at: Instant,
}

/// The sink; its clones share one log.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Mutex<Vec<Arrival>>>);

impl Arrivals {
    /// Takes what has come.
    pub fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink<(u64, u64)> for Arrivals {
    fn describe(&self) -> String {
        "arrivals".to_owned()
    }

    fn writer(&self, _args: WriterArgs) -> Result<Box<dyn SinkWriter<(u64, u64)>>, SinkError> {
        Ok(Box::new(Writer {
            log: self.clone(),
            part: Vec::new(),
        }))
    }
}

struct Writer {
    log: Arrivals,
    part: Vec<Arrival>,
}

impl SinkWriter<(u64, u64)> for Writer {
    fn write(&mut self, batch: &mut Batch<(u64, u64)>) -> Result<(), SinkError> {
        let at = Instant::now();
        let records = batch.records().iter().map(|(record, _)| *record).collect();
        self.part.push(Arrival { records, at });
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
        let mut log = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.append(&mut self.part);
        Ok(Progress::Done)
    }
}
