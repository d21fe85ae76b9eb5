//! The end of a chain that writes to a sink.
//!
//! Invariant: `finish` answers `Done` only when the writer says that everything is outside.

use std::sync::Arc;

use sameriver_model::{Barrier, Batch, CheckpointId, Element, SectionWriter, Watermark};

use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;
use crate::sink::{SinkError, SinkWriter};

struct SinkLink<T> {
    name: Arc<str>,
    writer: Box<dyn SinkWriter<T>>,
    finishing: bool,
    staging: bool,
}

impl<T> SinkLink<T> {
    fn error(&self, cause: SinkError) -> OperatorError {
        let operator = self.name.to_string();
        OperatorError::Sink { operator, cause }
    }
}

impl<T: Element> Consumer<T> for SinkLink<T> {
    fn slice(&mut self, batch: &mut Batch<T>, cx: &mut Context) -> Result<(), OperatorError> {
        // Writers mostly look at the records and clear the batch.
        batch.keep_spent(true);
        let written = self.writer.write(batch);
        batch.keep_spent(false);
        cx.spent.take(batch.spent_mut());
        // The next records share the allocation, and must not meet what the writer has left there.
        cx.spent.take(batch.parts_mut().0);
        batch.clear();
        written.map_err(|cause| self.error(cause))
    }

    fn watermark(
        &mut self,
        _watermark: Watermark,
        _cx: &mut Context,
    ) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }

    fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
        if self.finishing {
            return self.finish(cx);
        }
        Ok(Progress::Done)
    }

    fn idle(&mut self, _idle: bool, _cx: &mut Context) -> Result<(), OperatorError> {
        Ok(())
    }

    fn flush(&mut self, _cx: &mut Context) -> Result<(), OperatorError> {
        let flushed = self.writer.flush();
        flushed.map_err(|cause| self.error(cause))
    }

    fn finish(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        self.finishing = true;
        let finished = self.writer.finish();
        finished.map_err(|cause| self.error(cause))
    }

    fn has_room(&self) -> bool {
        self.writer.has_room()
    }

    fn barrier(&mut self, barrier: Barrier, _cx: &mut Context) -> Result<(), OperatorError> {
        let staged = self.writer.stage(barrier.checkpoint);
        staged.map_err(|cause| self.error(cause))
    }

    fn snapshot(&mut self, _sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.staging = true;
        Ok(())
    }

    fn walk(
        &mut self,
        _bytes_max: usize,
        _sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        if !self.staging {
            return Ok(Walk::Done);
        }
        let staged = self.writer.staged();
        match staged.map_err(|cause| self.error(cause))? {
            Some(_) => {
                self.staging = false;
                Ok(Walk::Done)
            }
            None => Ok(Walk::Waiting),
        }
    }

    fn drop_snapshot(&mut self) {
        self.staging = false;
    }

    fn complete(&mut self, _checkpoint: CheckpointId) -> Result<(), OperatorError> {
        Ok(())
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }
}

/// Ends a chain with a sink's writer.
pub fn sink<T: Element>(name: &str, writer: Box<dyn SinkWriter<T>>) -> Box<dyn Consumer<T>> {
    Box::new(SinkLink {
        name: name.into(),
        writer,
        finishing: false,
        staging: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Collecting, Seen, context, failure_of, run, timed, untimed};
    use crate::transform::{fan_out, map};

    /// Has no room, needs two calls to finish, and refuses the number 13.
    struct Slow(u32);

    impl SinkWriter<u64> for Slow {
        fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
            let unlucky = batch.records().contains(&13);
            batch.clear();
            if !unlucky {
                return Ok(());
            }
            Err(SinkError::Other {
                output: "totals/".into(),
                cause: "13 is unlucky".into(),
            })
        }

        fn has_room(&self) -> bool {
            false
        }

        fn flush(&mut self) -> Result<(), SinkError> {
            Ok(())
        }

        fn finish(&mut self) -> Result<Progress, SinkError> {
            self.0 += 1;
            Ok(if self.0 < 2 {
                Progress::Waiting
            } else {
                Progress::Done
            })
        }
    }

    #[test]
    fn a_writer_that_is_not_finished_is_asked_again() {
        let mut slow = sink("totals", Box::new(Slow(0)));
        let cx = &mut context();
        assert_eq!(slow.finish(cx).expect("works"), Progress::Waiting);
        assert_eq!(slow.resume(cx).expect("works"), Progress::Done);
    }

    /// Drains records and forgets their event times, or only looks at them.
    struct Careless {
        drains: bool,
    }

    impl SinkWriter<u64> for Careless {
        fn write(&mut self, batch: &mut Batch<u64>) -> Result<(), SinkError> {
            if self.drains {
                batch.parts_mut().0.clear();
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
            Ok(Progress::Done)
        }
    }

    #[test]
    fn what_a_writer_leaves_in_a_batch_never_meets_the_next_records() {
        for drains in [true, false] {
            let (end, seen) = Collecting::new();
            let careless = || sink("careless", Box::new(Careless { drains }));
            let mapped = map("same", |n: u64| n, careless());
            let mut all = fan_out::<u64>(vec![mapped, end, careless()]);
            run(&mut *all, timed([(1, 10)]), None);
            run(&mut *all, timed([(2, 20)]), None);
            let records = [Seen::Record(1, Some(10)), Seen::Record(2, Some(20))];
            assert_eq!(seen.take(), records);
        }
    }

    #[test]
    fn what_a_writer_clears_or_leaves_waits_to_be_dropped() {
        struct Looking {
            clears: bool,
        }
        impl SinkWriter<String> for Looking {
            fn write(&mut self, batch: &mut Batch<String>) -> Result<(), SinkError> {
                if self.clears {
                    batch.clear();
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
                Ok(Progress::Done)
            }
        }
        for clears in [true, false] {
            let (mut looking, mut cx) = (sink("looking", Box::new(Looking { clears })), context());
            let mut batch = Batch::from_parts(vec!["a".to_owned()], None);
            looking.slice(&mut batch, &mut cx).expect("works");
            assert!(batch.is_empty() && batch.spent_mut().is_empty());
            cx.spent.drop_one();
            assert!(cx.spent.is_empty(), "exactly one waited");
        }
    }

    #[test]
    fn a_full_writer_is_a_chain_without_room() {
        assert!(!sink("totals", Box::new(Slow(0))).has_room());
    }

    #[test]
    fn a_sink_error_names_the_sink() {
        let mut slow = sink("totals", Box::new(Slow(0)));
        let error = failure_of(&mut *slow, untimed([13]), &mut context());
        assert_eq!(error.to_string(), "sink totals: totals/: 13 is unlucky");
    }
}
