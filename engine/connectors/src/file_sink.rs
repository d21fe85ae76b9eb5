//! Writes records as lines of plain files.
//!
//! Invariant: a file under its final name is complete and durable; what is not finished is named
//! `….inprogress`. An existing result is never overwritten. Does not know checkpoints yet: until
//! then a job that fails leaves no result, and one that is run again writes everything anew.

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::PathBuf;

use sameriver_model::{Batch, Element};
use sameriver_operator::Progress;
use sameriver_operator::sink::{Sink, SinkError, SinkWriter, WriterArgs};

use crate::file_part::{FilePart, write_part};
use crate::outbox::Outbox;
use crate::text_outbox::{TextOutbox, append_display};

/// How a record becomes a line; implemented by [`Text`] and [`Json`].
pub trait LineFormat<T>: Send + Sync + 'static {
    /// How files in this format are named: `txt`.
    const EXTENSION: &'static str;

    /// Appends the line, without its end.
    ///
    /// # Errors
    /// [`SinkError::Other`] when the record refuses.
    fn append(record: &T, output: &str, into: &mut Vec<u8>) -> Result<(), SinkError>;
}

/// Lines as records display themselves.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl<T: Display> LineFormat<T> for Text {
    const EXTENSION: &'static str = "txt";

    fn append(record: &T, output: &str, into: &mut Vec<u8>) -> Result<(), SinkError> {
        append_display(record, output, into)
    }
}

/// Lines of JSON.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl<T: Element> LineFormat<T> for Json {
    const EXTENSION: &'static str = "jsonl";

    fn append(record: &T, output: &str, into: &mut Vec<u8>) -> Result<(), SinkError> {
        serde_json::to_writer(into, record).map_err(|error| SinkError::Other {
            output: output.to_owned(),
            cause: format!(
                "cannot write {} as JSON: {error}",
                std::any::type_name::<T>()
            ),
        })
    }
}

/// A sink that writes every record on a line of a file.
///
/// Each subtask writes a file of its own, `part-<subtask>.txt` or `part-<subtask>.jsonl`, in one
/// folder, which is created if it is missing. While it grows, `.inprogress` is appended to its
/// name; it gets its final name, durably, when the input has ended. A subtask without records
/// leaves an empty file. A subtask that fails leaves no file; files of subtasks that had finished
/// before stay. No two sinks of a job may have one folder and format. Exactly-once results of jobs
/// that restart come with checkpoints.
///
/// ```
/// use sameriver_connectors::FileSink;
/// use sameriver_operator::sink::Sink;
/// let sink = FileSink::json("totals/");
/// assert_eq!(Sink::<u64>::describe(&sink), "file totals/");
/// ```
#[derive(Debug)]
pub struct FileSink<F> {
    path: PathBuf,
    single: bool,
    format: PhantomData<fn() -> F>,
}

impl<F> Clone for FileSink<F> {
    fn clone(&self) -> Self {
        Self {
            path: self.path.clone(),
            ..*self
        }
    }
}

impl FileSink<Text> {
    /// Writes what each record displays into files in the folder `directory`.
    ///
    /// A record that displays a line feed takes several lines.
    pub fn lines(directory: impl Into<PathBuf>) -> Self {
        Self::new(directory.into())
    }
}

impl FileSink<Json> {
    /// Writes each record as JSON into files in the folder `directory`.
    pub fn json(directory: impl Into<PathBuf>) -> Self {
        Self::new(directory.into())
    }
}

impl<F> FileSink<F> {
    fn new(path: PathBuf) -> Self {
        let (single, format) = (false, PhantomData);
        Self {
            path,
            single,
            format,
        }
    }

    /// Takes the path as that of one file; the sink's parallelism must be 1.
    pub fn single_file(mut self) -> Self {
        self.single = true;
        self
    }

    fn part(&self, args: &WriterArgs, extension: &str) -> Result<FilePart, SinkError> {
        if !self.single {
            let subtask = args.subtask.index;
            return Ok(FilePart {
                file: self.path.join(format!("part-{subtask}.{extension}")),
                growing: self
                    .path
                    .join(format!("part-{subtask}.{extension}.inprogress")),
                directory: self.path.clone(),
            });
        }
        let parallelism = args.parallelism.get();
        if parallelism != 1 {
            return Err(SinkError::Other {
                output: self.path.display().to_string(),
                cause: format!(
                    "{parallelism} subtasks cannot write one file: set the sink's parallelism to \
                     1, or leave out `single_file`"
                ),
            });
        }
        let mut growing = self.path.clone().into_os_string();
        growing.push(".inprogress");
        // A bare file name lies in the working directory, which always exists.
        let directory = self.path.parent().unwrap_or(&self.path);
        let bare = directory.as_os_str().is_empty();
        Ok(FilePart {
            directory: if bare {
                PathBuf::from(".")
            } else {
                directory.to_owned()
            },
            growing: growing.into(),
            file: self.path.clone(),
        })
    }
}

impl<T: Element, F: LineFormat<T>> Sink<T> for FileSink<F> {
    fn describe(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError> {
        let part = self.part(&args, F::EXTENSION)?;
        let output = part.file.display().to_string();
        let disk = args.surroundings.world.disk();
        let outbox = Outbox::start(&args.surroundings, &output, |inbox| {
            write_part(inbox, disk, part)
        });
        Ok(Box::new(FileWriter::<F> {
            output,
            outbox: TextOutbox::new(outbox),
            format: PhantomData,
        }))
    }
}

struct FileWriter<F> {
    output: String,
    outbox: TextOutbox,
    format: PhantomData<fn() -> F>,
}

impl<T: Element, F: LineFormat<T>> SinkWriter<T> for FileWriter<F> {
    fn write(&mut self, batch: &mut Batch<T>) -> Result<(), SinkError> {
        let output = &self.output;
        self.outbox
            .write(batch, |record, into| F::append(record, output, into))
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
}
