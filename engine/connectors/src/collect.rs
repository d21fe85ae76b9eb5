//! Hands records to whoever started the job.
//!
//! Invariant: what [`CollectedResults::take`](crate::CollectedResults::take) gives is complete once
//! the job has finished. Does not know where the collector is.

use std::sync::Arc;

use sameriver_model::codec::wire;
use sameriver_model::{Batch, Element, SubtaskIndex};
use sameriver_operator::Progress;
use sameriver_operator::sink::{Sink, SinkError, SinkWriter, WriterArgs};

use crate::collector::{Collector, collect_url};
use crate::outbox::{Inbox, Mail, Outbox};

/// From this many records on they are handed on without a flush.
const RECORDS: usize = 1024;

/// A sink that collects all records in memory, under a name.
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
}

impl<T: Element> Sink<T> for Collect {
    fn describe(&self) -> String {
        format!("collect {}", self.name)
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError> {
        let (url, world) = (collect_url(&self.name), &args.surroundings.world);
        let collector = world.service::<dyn Collector>(&url);
        let collector = collector.map_err(|error| SinkError::Other {
            output: url.clone(),
            cause: error.to_string(),
        })?;
        let (subtask, output) = (args.subtask.index, url.clone());
        let outbox = Outbox::start(&args.surroundings, &url, |inbox| {
            collect(inbox, collector, subtask, output)
        });
        Ok(Box::new(CollectWriter {
            url,
            records: Vec::new(),
            outbox,
        }))
    }
}

async fn collect(
    mut inbox: Inbox<Vec<Vec<u8>>>,
    collector: Arc<dyn Collector>,
    subtask: SubtaskIndex,
    output: String,
) -> Result<(), SinkError> {
    loop {
        match inbox.next().await {
            Mail::Item(records) => {
                let kept = collector.append(subtask, records).await;
                kept.map_err(|cause| SinkError::Unwritable {
                    output: output.clone(),
                    cause,
                    remedy: "keep whoever collects alive until the job has ended",
                })?;
            }
            Mail::Finish | Mail::Abandoned => return Ok(()),
        }
    }
}

struct CollectWriter {
    url: String,
    records: Vec<Vec<u8>>,
    outbox: Outbox<Vec<Vec<u8>>>,
}

impl CollectWriter {
    fn hand_on(&mut self) -> Result<(), SinkError> {
        if self.records.is_empty() || !self.outbox.has_room() {
            return self.outbox.check();
        }
        // What is given back comes from a task that has ended: the next call reports why.
        self.outbox.offer(std::mem::take(&mut self.records))?;
        Ok(())
    }
}

impl<T: Element> SinkWriter<T> for CollectWriter {
    fn write(&mut self, batch: &mut Batch<T>) -> Result<(), SinkError> {
        self.outbox.check()?;
        for record in batch.records() {
            let bytes = wire::encode(record).map_err(|error| SinkError::Other {
                output: self.url.clone(),
                cause: error.to_string(),
            })?;
            self.records.push(bytes);
        }
        batch.clear();
        if self.records.len() >= RECORDS {
            self.hand_on()?;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.records.len() < RECORDS || self.outbox.has_room()
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.hand_on()
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.hand_on()?;
        if self.records.is_empty() {
            return self.outbox.finish();
        }
        Ok(Progress::Waiting)
    }
}
