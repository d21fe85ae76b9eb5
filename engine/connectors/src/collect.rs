//! Hands records to whoever started the job, once they are committed.
//!
//! Invariant: what [`CollectedResults::take`](crate::CollectedResults::take) gives is what was
//! committed, each record once, however often commits were repeated; it is complete once the job
//! has finished. Does not know where the collector is.

use std::sync::Arc;

use sameriver_model::codec::wire;
use sameriver_model::{AttemptNumber, Batch, CheckpointId, Element, SubtaskIndex};
use sameriver_operator::Progress;
use sameriver_operator::sink::{
    CommitError, Committable, Committer, Sink, SinkError, SinkWriter, WriterArgs,
};
use sameriver_runtime::BoxFuture;

use crate::collector::{CollectKey, Collector, collect_url};
use crate::stored;

/// A sink that collects all records in memory, under a name.
///
/// Records become visible when they are committed: with checkpoints, when one that holds them is
/// complete; without, at the end of the input. Until then they are kept in memory and in the
/// checkpoints, so it is a sink for results, not for floods.
///
/// ```
/// use sameriver_connectors::Collect;
/// use sameriver_operator::sink::Sink;
/// assert_eq!(Sink::<u64>::describe(&Collect::named("totals")), "collect totals");
/// ```
#[derive(Clone, Debug)]
pub struct Collect {
    name: String,
}

impl Collect {
    /// Collects under `name`.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn collector(&self, args: &WriterArgs) -> Result<Arc<dyn Collector>, SinkError> {
        let (url, world) = (collect_url(&self.name), &args.surroundings.world);
        let collector = world.service::<dyn Collector>(&url);
        collector.map_err(|error| SinkError::Other {
            output: url,
            cause: error.to_string(),
        })
    }
}

impl<T: Element> Sink<T> for Collect {
    fn describe(&self) -> String {
        format!("collect {}", self.name)
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError> {
        // A collection that stays empty is there all the same.
        self.collector(&args)?;
        Ok(Box::new(CollectWriter {
            url: collect_url(&self.name),
            subtask: args.subtask.index,
            attempt: args.attempt,
            number: 0,
            records: Vec::new(),
            staged: Vec::new(),
        }))
    }

    fn exclusive_output(&self) -> Option<String> {
        Some(collect_url(&self.name))
    }

    fn commits(&self) -> bool {
        true
    }

    fn committer(&self, args: WriterArgs) -> Result<Option<Box<dyn Committer>>, SinkError> {
        Ok(Some(Box::new(CollectCommitter {
            url: collect_url(&self.name),
            collector: self.collector(&args)?,
        })))
    }
}

struct CollectWriter {
    url: String,
    subtask: SubtaskIndex,
    attempt: AttemptNumber,
    /// How many committables this attempt has made.
    number: u64,
    /// What was written since the last one, each in `wire` encoding.
    records: Vec<Vec<u8>>,
    /// What was staged and not handed out.
    staged: Vec<Committable>,
}

impl CollectWriter {
    fn close(&mut self) -> Result<(), SinkError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let rows = Rows {
            subtask: self.subtask,
            attempt: self.attempt,
            number: self.number,
            records: std::mem::take(&mut self.records),
        };
        self.number += 1;
        let committable = rows.committable();
        self.staged
            .push(committable.map_err(|cause| SinkError::Other {
                output: self.url.clone(),
                cause,
            })?);
        Ok(())
    }
}

impl<T: Element> SinkWriter<T> for CollectWriter {
    fn write(&mut self, batch: &mut Batch<T>) -> Result<(), SinkError> {
        for record in batch.records() {
            let bytes = wire::encode(record).map_err(|error| SinkError::Other {
                output: self.url.clone(),
                cause: error.to_string(),
            })?;
            self.records.push(bytes);
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
        self.close()?;
        Ok(Progress::Done)
    }

    fn stage(&mut self, _checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.close()
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        Ok(Some(std::mem::take(&mut self.staged)))
    }
}

/// What one committable carries.
pub(crate) struct Rows {
    pub(crate) subtask: SubtaskIndex,
    pub(crate) attempt: AttemptNumber,
    pub(crate) number: u64,
    pub(crate) records: Vec<Vec<u8>>,
}

impl Rows {
    pub(crate) fn committable(&self) -> Result<Committable, String> {
        let fields = (&self.records, self.subtask, self.attempt, self.number);
        stored::to_bytes(fields).map(Committable)
    }

    fn of(committable: &Committable) -> Result<Self, String> {
        let (records, subtask, attempt, number) = stored::from_bytes(&committable.0)?;
        Ok(Self {
            subtask,
            attempt,
            number,
            records,
        })
    }

    fn key(&self) -> CollectKey {
        CollectKey {
            subtask: self.subtask,
            attempt: self.attempt,
            number: self.number,
        }
    }
}

struct CollectCommitter {
    url: String,
    collector: Arc<dyn Collector>,
}

impl Committer for CollectCommitter {
    fn commit(&self, committables: Vec<Committable>) -> BoxFuture<Result<(), CommitError>> {
        let (url, collector) = (self.url.clone(), Arc::clone(&self.collector));
        Box::pin(async move {
            for committable in &committables {
                let rows = Rows::of(committable).map_err(|cause| CommitError::Refused {
                    output: url.clone(),
                    what: "collected records".to_owned(),
                    cause,
                })?;
                let kept = collector.commit(rows.key(), rows.records).await;
                kept.map_err(|cause| CommitError::Retry {
                    output: url.clone(),
                    cause: cause.to_string(),
                })?;
            }
            Ok(())
        })
    }

    fn name(&self, committable: &Committable) -> String {
        match Rows::of(committable) {
            Ok(rows) => format!("{} records as {}", rows.records.len(), rows.key()),
            Err(_) => "records of another release".to_owned(),
        }
    }
}
