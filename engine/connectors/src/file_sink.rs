//! Writes records as lines of plain files, in two phases.
//!
//! Invariant: a file under its final name is complete, durable and committed; any other is named
//! `.….inprogress`. An existing result is never overwritten. Reading order: this →
//! `part_names` → `file_part` (stages) → `file_commit` (commits).

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sameriver_model::{Batch, CheckpointId, Element};
use sameriver_operator::sink::{Committable, Committer, Sink, SinkError, SinkWriter, WriterArgs};
use sameriver_operator::{CommitRule, Progress};

use crate::file_commit::FileCommitter;
use crate::file_part::{PartWriter, Rolling};
use crate::outbox::Outbox;
use crate::part_names::{Naming, PartNames};
use crate::text_outbox::{CHUNK_BYTES, TextOutbox, append_display};

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
/// Each subtask writes files of its own in one folder, which is created if it is missing. A file
/// grows under a name that starts with a dot and ends with `.inprogress`; once it is complete and
/// durable it waits for its commit, and gets its final name by it. So what has a final name is
/// exactly once.
///
/// With checkpoints a file ends at each checkpoint (or earlier, see
/// [`roll_bytes`](Self::roll_bytes) and [`roll_after`](Self::roll_after)), is committed once that
/// checkpoint is complete, and is called `part-<subtask>-<job>-<attempt>-<number>.txt`, where the
/// job is a number of its own for each run of a job function. No file is empty. What failed
/// attempts have left is removed at the end of the job.
///
/// Without checkpoints files are committed at the end of the input and called `part-<subtask>.txt`
/// (further ones `part-<subtask>-<number>.txt`); a subtask without records leaves an empty one.
///
/// A final name that is taken is an error, and so are, when a job begins, final names of this
/// prefix and format that another job or an earlier run wrote: a reader of the folder could not
/// tell them from ours. No restart mends that. What other jobs have in the folder is never touched.
/// Two sinks of a job may have one folder if their [`prefix`](Self::prefix)es or formats differ.
///
/// ```
/// use std::time::Duration;
///
/// use sameriver_connectors::FileSink;
/// use sameriver_operator::sink::Sink;
/// let sink = FileSink::json("totals/").roll_bytes(64 << 20).roll_after(Duration::from_secs(60));
/// assert_eq!(Sink::<u64>::describe(&sink), "file totals/");
/// assert!(Sink::<u64>::commits(&sink));
/// ```
#[derive(Debug)]
pub struct FileSink<F> {
    path: PathBuf,
    single: bool,
    prefix: String,
    rolling: Rolling,
    format: PhantomData<fn() -> F>,
}

impl<F> Clone for FileSink<F> {
    fn clone(&self) -> Self {
        Self {
            path: self.path.clone(),
            prefix: self.prefix.clone(),
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
        Self {
            path,
            single: false,
            prefix: "part".to_owned(),
            rolling: Rolling::default(),
            format: PhantomData,
        }
    }

    /// Takes the path as that of one file; the sink's parallelism must be 1, and the job must take
    /// no checkpoints.
    pub fn single_file(mut self) -> Self {
        self.single = true;
        self
    }

    /// Sets what the names of the files start with; `part` if left out.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Ends a file with the write that makes it this long, at least 1 byte; lines stay whole.
    pub fn roll_bytes(mut self, bytes: u64) -> Self {
        self.rolling.bytes = Some(bytes.max(1));
        self
    }

    /// Ends a file so long after it was opened, by the clock of its node.
    pub fn roll_after(mut self, age: Duration) -> Self {
        self.rolling.age = Some(age);
        self
    }

    fn output(&self) -> String {
        self.path.display().to_string()
    }

    fn refused(&self, cause: impl Into<String>) -> SinkError {
        SinkError::Other {
            output: self.output(),
            cause: cause.into(),
        }
    }

    fn names(&self, args: &WriterArgs, extension: &'static str) -> Result<PartNames, SinkError> {
        if self.path.to_str().is_none() {
            return Err(self.refused("the name of the folder is not UTF-8: rename it"));
        }
        let (directory, prefix, naming) = if self.single {
            self.single_names(args)?
        } else {
            let naming = match args.commits {
                CommitRule::AtEnd => Naming::Plain,
                CommitRule::OnCheckpoint => Naming::OfAttempt,
            };
            (self.path.clone(), self.checked_prefix()?, naming)
        };
        Ok(PartNames {
            directory,
            prefix,
            extension,
            subtask: args.subtask.index,
            parallelism: args.parallelism,
            job: args.job,
            attempt: args.attempt,
            naming,
        })
    }

    fn checked_prefix(&self) -> Result<String, SinkError> {
        let prefix = &self.prefix;
        if prefix.is_empty() || prefix.starts_with('.') || prefix.contains(['/', '\\', '\0']) {
            return Err(self.refused(format!(
                "the prefix {prefix:?} cannot begin the name of a visible file: name a word"
            )));
        }
        Ok(prefix.clone())
    }

    fn single_names(&self, args: &WriterArgs) -> Result<(PathBuf, String, Naming), SinkError> {
        let parallelism = args.parallelism.get();
        if parallelism != 1 {
            return Err(self.refused(format!(
                "{parallelism} subtasks cannot write one file: set the sink's parallelism to \
                 1, or leave out `single_file`"
            )));
        }
        if args.commits == CommitRule::OnCheckpoint {
            return Err(self.refused(
                "a file that is committed at each checkpoint cannot be one: leave out \
                 `single_file`, or run the job without checkpoints",
            ));
        }
        if self.rolling != Rolling::default() {
            return Err(self.refused(
                "files that end by size or time cannot be one: leave out `single_file`, or \
                 `roll_bytes` and `roll_after`",
            ));
        }
        let name = self.path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.map(str::to_owned) else {
            return Err(self.refused("it is not the name of a file: name one"));
        };
        // A bare file name lies in the working directory, which always exists.
        let directory = match self.path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            Some(_) | None => Path::new("."),
        };
        Ok((directory.to_owned(), name.clone(), Naming::Single(name)))
    }

    fn chunk_bytes(&self) -> usize {
        let bytes = self.rolling.bytes.map(usize::try_from);
        let bytes = bytes.and_then(Result::ok);
        bytes.unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES)
    }
}

impl<T: Element, F: LineFormat<T>> Sink<T> for FileSink<F> {
    fn describe(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<T>>, SinkError> {
        let names = self.names(&args, F::EXTENSION)?;
        let parts = PartWriter::new(
            &args.surroundings.world,
            names,
            self.rolling,
            args.is_restored,
        );
        let output = self.output();
        let outbox = Outbox::start(&args.surroundings, &output, |inbox| parts.run(inbox));
        Ok(Box::new(FileWriter::<F> {
            output,
            outbox: TextOutbox::new(outbox, self.chunk_bytes()),
            format: PhantomData,
        }))
    }

    fn exclusive_output(&self) -> Option<String> {
        let parts = self.path.components().collect::<PathBuf>();
        let parts = parts.display();
        Some(if self.single {
            format!("file {parts}")
        } else {
            format!("file {parts}/{}-*.{}", self.prefix, F::EXTENSION)
        })
    }

    fn commits(&self) -> bool {
        true
    }

    fn committer(&self, args: WriterArgs) -> Result<Option<Box<dyn Committer>>, SinkError> {
        let names = self.names(&args, F::EXTENSION)?;
        let disk = args.surroundings.world.disk();
        Ok(Some(Box::new(FileCommitter { disk, names })))
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

    fn stage(&mut self, _checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.outbox.stage()
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        self.outbox.staged()
    }
}
