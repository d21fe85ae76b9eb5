//! Prints records as lines on the standard output.
//!
//! Invariant: lines of several subtasks never mix within a line; the lines of one subtask keep
//! their order. Does not know what the standard output of its world is.

use std::fmt::Display;
use std::sync::Arc;

use sameriver_model::{Batch, CheckpointId, Element};
use sameriver_operator::Progress;
use sameriver_operator::sink::{Committable, Sink, SinkError, SinkWriter, WriterArgs};

use crate::outbox::{Inbox, Mail, Outbox};
use crate::text_out::{STDOUT, TextOut};
use crate::text_outbox::{CHUNK_BYTES, TextOutbox, append_display};

const OUTPUT: &str = "standard output";

/// A sink that prints every record on a line of its own.
///
/// A line cannot be taken back: after a failure the lines since the last checkpoint come again.
///
/// ```
/// use sameriver_connectors::Print;
/// use sameriver_operator::sink::Sink;
/// let sink = Print::lines().prefix("late: ");
/// assert_eq!(Sink::<String>::describe(&sink), "print");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Print {
    prefix: String,
}

impl Print {
    /// Prints what each record displays.
    pub fn lines() -> Self {
        Self::default()
    }

    /// Puts `prefix` in front of every line.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl<T: Element + Display> Sink<T> for Print {
    fn describe(&self) -> String {
        "print".to_owned()
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError> {
        let world = &args.surroundings.world;
        let out = world.service::<dyn TextOut>(STDOUT);
        let out = out.map_err(|error| SinkError::Other {
            output: OUTPUT.to_owned(),
            cause: error.to_string(),
        })?;
        let outbox = Outbox::start(&args.surroundings, OUTPUT, |inbox| print(inbox, out));
        Ok(Box::new(PrintWriter {
            prefix: self.prefix.clone(),
            outbox: TextOutbox::new(outbox, CHUNK_BYTES),
        }))
    }
}

async fn print(mut inbox: Inbox<bytes::Bytes>, out: Arc<dyn TextOut>) -> Result<(), SinkError> {
    loop {
        match inbox.next().await {
            Mail::Item(text) => {
                let Some(written) = inbox.unless_abandoned(out.write(text)).await else {
                    return Ok(());
                };
                written.map_err(|cause| SinkError::Unwritable {
                    output: OUTPUT.to_owned(),
                    cause,
                    remedy: "keep its reader alive, or use another sink",
                })?;
            }
            // Every write has been answered.
            Mail::Stage(stage) => inbox.answer(stage, Vec::new()),
            Mail::Finish | Mail::Abandoned => return Ok(()),
        }
    }
}

struct PrintWriter {
    prefix: String,
    outbox: TextOutbox,
}

impl<T: Element + Display> SinkWriter<T> for PrintWriter {
    fn write(&mut self, batch: &mut Batch<T>) -> Result<(), SinkError> {
        let prefix = self.prefix.as_bytes();
        self.outbox.write(batch, |record, into| {
            into.extend_from_slice(prefix);
            append_display(record, OUTPUT, into)
        })
    }

    fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.outbox.flush()
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.outbox.finish()
    }
    fn stage(&mut self, _checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.outbox.stage()
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        self.outbox.staged()
    }
}
