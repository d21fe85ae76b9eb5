//! Gathers lines into chunks and hands them to the task that writes them.
//!
//! Invariant: a chunk is whole lines; one goes out when it reaches its size or is flushed. While
//! the queue is full the chunk grows by no more than the slices that were let in.
//! Does not know where the chunks go.

use std::fmt::Display;
use std::io::Write as _;

use bytes::Bytes;
use sameriver_model::Batch;
use sameriver_operator::Progress;
use sameriver_operator::sink::{Committable, SinkError};

use crate::outbox::Outbox;

/// From this many bytes on a chunk is handed on without a flush, unless the sink wants less.
pub(crate) const CHUNK_BYTES: usize = 128 * 1024;

/// A queue of chunks in front of a task.
pub(crate) struct TextOutbox {
    chunk: Vec<u8>,
    chunk_bytes: usize,
    outbox: Outbox<Bytes>,
}

impl TextOutbox {
    /// An empty chunk in front of `outbox`, handed on from `chunk_bytes` on.
    pub(crate) fn new(outbox: Outbox<Bytes>, chunk_bytes: usize) -> Self {
        let chunk = Vec::new();
        Self {
            chunk,
            chunk_bytes,
            outbox,
        }
    }

    /// Takes all records out of `batch`; `line` appends the line of one of them, without its end.
    pub(crate) fn write<T>(
        &mut self,
        batch: &mut Batch<T>,
        mut line: impl FnMut(&T, &mut Vec<u8>) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        self.outbox.check()?;
        for record in batch.records() {
            line(record, &mut self.chunk)?;
            self.chunk.push(b'\n');
            if self.chunk.len() >= self.chunk_bytes {
                self.hand_on()?;
            }
        }
        batch.clear();
        Ok(())
    }

    /// Whether another slice may come.
    pub(crate) fn has_room(&self) -> bool {
        self.chunk.len() < self.chunk_bytes || self.outbox.has_room()
    }

    /// Hands on the chunk, if the queue has room.
    pub(crate) fn flush(&mut self) -> Result<(), SinkError> {
        if self.chunk.is_empty() {
            return self.outbox.check();
        }
        self.hand_on()
    }

    /// Asks that everything so far be made durable.
    pub(crate) fn stage(&mut self) -> Result<(), SinkError> {
        let chunk = std::mem::take(&mut self.chunk);
        let last = (!chunk.is_empty()).then(|| Bytes::from(chunk));
        self.outbox.stage(last)
    }

    /// See [`Outbox::staged`].
    pub(crate) fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        self.outbox.staged()
    }

    /// Hands on the rest, and asks whether all of it is outside.
    pub(crate) fn finish(&mut self) -> Result<Progress, SinkError> {
        self.flush()?;
        if self.chunk.is_empty() {
            return self.outbox.finish();
        }
        Ok(Progress::Waiting)
    }

    fn hand_on(&mut self) -> Result<(), SinkError> {
        if !self.outbox.has_room() {
            return self.outbox.check();
        }
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        match self.outbox.offer(chunk)? {
            None => self.chunk.reserve(self.chunk_bytes),
            // Something else took the room meanwhile: nobody else holds these bytes.
            Some(back) => self.chunk = back.into(),
        }
        Ok(())
    }
}

/// Appends what `record` displays.
pub(crate) fn append_display<T: Display>(
    record: &T,
    output: &str,
    into: &mut Vec<u8>,
) -> Result<(), SinkError> {
    write!(into, "{record}").map_err(|_| SinkError::Other {
        output: output.to_owned(),
        cause: format!("the `Display` of {} failed", std::any::type_name::<T>()),
    })
}
