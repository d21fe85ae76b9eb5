//! Throws records away: for benchmarks and for jobs that are watched by their metrics only.
//!
//! Invariant: the compiler cannot leave out the work that made a record.

use std::hint::black_box;

use sameriver_model::{Batch, Element};
use sameriver_operator::Progress;
use sameriver_operator::sink::{Committable, Sink, SinkError, SinkWriter, WriterArgs};

/// A sink that keeps nothing.
///
/// After a failure it meets the records since the last checkpoint again.
///
/// ```
/// use sameriver_connectors::Discard;
/// use sameriver_operator::sink::Sink;
/// assert_eq!(Sink::<u64>::describe(&Discard), "discard");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl<T: Element> Sink<T> for Discard {
    fn describe(&self) -> String {
        "discard".to_owned()
    }

    fn writer(&self, _args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError> {
        Ok(Box::new(Self))
    }
}

impl<T: Element> SinkWriter<T> for Discard {
    #[inline]
    fn write(&mut self, batch: &mut Batch<T>) -> Result<(), SinkError> {
        for record in batch.records() {
            black_box(record);
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
        Ok(Progress::Done)
    }
    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        Ok(Some(Vec::new()))
    }
}
