//! A real world with a folder of its own, and slots reduced to a loop.
//!
//! Invariant: the folder is unique to the test and removed at its end; nothing waits for a clock.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use sameriver_connectors::{CollectedResults, Collector, TextIn, TextOut};
use sameriver_model::codec::wire;
use sameriver_model::{
    AttemptNumber, Batch, Element, JobNonce, Parallelism, SubtaskId, SubtaskIndex, VertexId,
};
use sameriver_operator::sink::{CommitError, Committable, Sink, SinkError, SinkWriter, WriterArgs};
use sameriver_operator::source::{
    EnumeratorArgs, ReadBatch, ReadStatus, ReaderArgs, Source, SourceError, SourceReader,
    SplitEnumerator, Surroundings,
};
use sameriver_operator::{CommitRule, Progress};
use sameriver_runtime::{Wake, World};
use sameriver_runtime_tokio::TokioWorld;

/// A world and a folder.
pub(crate) struct Site {
    tokio: TokioWorld,
    pub(crate) world: World,
    pub(crate) folder: PathBuf,
    pub(crate) results: CollectedResults,
}

impl Site {
    /// A folder named after the test.
    pub(crate) fn new(test: &str) -> Self {
        Self::with_text(test, None, None)
    }

    /// The same with models of standard input and output.
    pub(crate) fn with_text(
        test: &str,
        input: Option<Arc<dyn TextIn>>,
        output: Option<Arc<dyn TextOut>>,
    ) -> Self {
        let results = CollectedResults::new();
        let collections = results.clone();
        let mut builder = TokioWorld::builder().seed(1).service::<dyn Collector>(
            "collect",
            move |url, _world| {
                let name = url.strip_prefix("collect:").expect("a collection's URL");
                Ok(collections.collector(name))
            },
        );
        if let Some(input) = input {
            builder = builder.service::<dyn TextIn>("stdin", move |_, _| Ok(Arc::clone(&input)));
        }
        if let Some(output) = output {
            builder = builder.service::<dyn TextOut>("stdout", move |_, _| Ok(Arc::clone(&output)));
        }
        let tokio = builder.build().unwrap();
        let world = tokio.world();
        let name = format!("sameriver-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        tokio
            .block_on(world.disk().create_directories(&folder))
            .unwrap();
        Self {
            tokio,
            world,
            folder,
            results,
        }
    }

    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.tokio.block_on(future)
    }

    /// Writes a file in the folder.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let (path, disk) = (self.folder.join(name), self.world.disk());
        self.wait(async {
            let file = disk.create(&path).await.unwrap();
            file.append(Bytes::copy_from_slice(bytes)).await.unwrap();
        });
        path
    }

    /// Reads a file in the folder as text.
    pub(crate) fn text(&self, name: &str) -> String {
        let (path, disk) = (self.folder.join(name), self.world.disk());
        let bytes = self.wait(async {
            let file = disk.open(&path).await.unwrap();
            let length = file.length().await.unwrap();
            file.read_at(0, length as usize).await.unwrap()
        });
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// The names in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        self.wait(self.world.disk().list(&self.folder)).unwrap()
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            world: self.world.clone(),
            wake: Wake::new(),
        }
    }

    /// Reads a source to its end: the records of each reader, which take turns.
    pub(crate) fn read<S: Source>(
        &self,
        source: &S,
        parallelism: u32,
    ) -> Result<Vec<Vec<S::Out>>, SourceError> {
        let parallelism = Parallelism::new(parallelism).unwrap();
        let world = self.world.clone();
        let args = EnumeratorArgs {
            world,
            parallelism,
            restored: None,
        };
        self.wait(async {
            let mut enumerator = source.enumerate(args).await?;
            let mut readers = Vec::new();
            for index in 0..parallelism.get() {
                readers.push(self.slot(source, index, parallelism)?);
            }
            while readers.iter().any(|reader| !reader.finished) {
                for reader in &mut readers {
                    reader.step(&mut *enumerator).await?;
                }
            }
            Ok(readers.into_iter().map(|reader| reader.records).collect())
        })
    }

    /// One reader of a source and its slot.
    pub(crate) fn slot<S: Source>(
        &self,
        source: &S,
        index: u32,
        parallelism: Parallelism,
    ) -> Result<ReaderSlot<S::Out, S::Split>, SourceError> {
        let (subtask, surroundings) = (subtask(index), self.surroundings());
        let wake = surroundings.wake.clone();
        let reader = source.reader(ReaderArgs {
            surroundings,
            subtask,
            attempt: AttemptNumber::new(1),
            parallelism,
        })?;
        Ok(ReaderSlot {
            reader,
            wake,
            index: SubtaskIndex::new(index),
            records: Vec::new(),
            finished: false,
        })
    }

    /// The writer of one subtask, and its slot's wake.
    pub(crate) fn writer<T: Element>(
        &self,
        sink: &impl Sink<T>,
        index: u32,
        parallelism: u32,
    ) -> Result<(Box<dyn SinkWriter<T>>, Wake), SinkError> {
        let surroundings = self.surroundings();
        let wake = surroundings.wake.clone();
        let writer = sink.writer(args(surroundings, index, parallelism))?;
        Ok((writer, wake))
    }

    /// Writes records in slices of two, finishes and commits.
    pub(crate) fn write<T: Element>(
        &self,
        sink: &impl Sink<T>,
        index: u32,
        records: Vec<T>,
    ) -> Result<(), SinkError> {
        let (mut writer, wake) = self.writer(sink, index, 9)?;
        let mut batch = Batch::new();
        let mut left = records.into_iter().peekable();
        while left.peek().is_some() {
            for record in left.by_ref().take(2) {
                batch.push(record, None);
            }
            while !writer.has_room() {
                self.wait(wake.wait());
            }
            writer.write(&mut batch)?;
        }
        self.finish(&mut *writer, &wake)?;
        let staged = self.staged(&mut *writer, &wake)?;
        let committed = self.commit(sink, args(self.surroundings(), index, 9), staged);
        committed.expect("what was staged can be committed");
        Ok(())
    }

    /// Waits for what was staged.
    pub(crate) fn staged<T>(
        &self,
        writer: &mut dyn SinkWriter<T>,
        wake: &Wake,
    ) -> Result<Vec<Committable>, SinkError> {
        loop {
            match writer.staged()? {
                Some(staged) => return Ok(staged),
                None => self.wait(wake.wait()),
            }
        }
    }

    /// Commits with a new committer.
    pub(crate) fn commit<T: Element>(
        &self,
        sink: &impl Sink<T>,
        args: WriterArgs,
        committables: Vec<Committable>,
    ) -> Result<(), CommitError> {
        let committer = sink.committer(args).expect("a good sink");
        let Some(committer) = committer else {
            assert!(committables.is_empty(), "nobody commits {committables:?}");
            return Ok(());
        };
        self.wait(committer.commit(committables))
    }

    /// Finishes a writer.
    pub(crate) fn finish<T>(
        &self,
        writer: &mut dyn SinkWriter<T>,
        wake: &Wake,
    ) -> Result<(), SinkError> {
        while writer.finish()? != Progress::Done {
            self.wait(wake.wait());
        }
        Ok(())
    }
}

impl Drop for Site {
    #[expect(
        clippy::disallowed_methods,
        reason = "the folder of the test, outside of any world"
    )]
    fn drop(&mut self) {
        // Left-over files of a failed test are better than a second panic.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The job of all writers here.
pub(crate) const JOB: JobNonce = JobNonce::new(0x1f3c_09ab_0000_0000);

/// The first attempt of a subtask of a job without checkpoints.
pub(crate) fn args(surroundings: Surroundings, index: u32, parallelism: u32) -> WriterArgs {
    WriterArgs {
        surroundings,
        job: JOB,
        subtask: subtask(index),
        attempt: AttemptNumber::new(1),
        is_restored: false,
        parallelism: Parallelism::new(parallelism).unwrap(),
        commits: CommitRule::AtEnd,
    }
}

fn subtask(index: u32) -> SubtaskId {
    SubtaskId::new(VertexId::new(0), SubtaskIndex::new(index))
}

/// A reader and what a slot knows of it.
pub(crate) struct ReaderSlot<T, S> {
    reader: Box<dyn SourceReader<T, S>>,
    wake: Wake,
    index: SubtaskIndex,
    pub(crate) records: Vec<T>,
    pub(crate) finished: bool,
}

impl<T, S: serde::Serialize + serde::de::DeserializeOwned> ReaderSlot<T, S> {
    /// One read of up to three records, and what follows from it.
    pub(crate) async fn step(
        &mut self,
        enumerator: &mut dyn SplitEnumerator<S>,
    ) -> Result<(), SourceError> {
        let mut batch = ReadBatch::default();
        let status = self.reader.read(&mut batch, 3)?;
        assert!(batch.records.len() <= 3, "more records than asked for");
        self.records.append(&mut batch.records);
        match status {
            ReadStatus::Ready => {}
            ReadStatus::Waiting => self.wake.wait().await,
            ReadStatus::Until(_) => panic!("no schedule was asked for"),
            ReadStatus::NeedSplit => {
                let assignment = enumerator.assign(self.index);
                let travelled = wire::encode(&assignment.splits).unwrap();
                let splits = wire::decode(&travelled).unwrap();
                self.reader.add_splits(splits, assignment.no_more)?;
            }
            ReadStatus::Finished => self.finished = true,
        }
        Ok(())
    }
}
