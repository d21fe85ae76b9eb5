//! The end of a chain that writes to a sink, and commits what the sink stages.
//!
//! Invariant: `finish` answers `Done` only when the writer says that everything is outside, and,
//! in a job without checkpoints, committed. A snapshot is done only when everything before its
//! barrier is outside, and holds every committable that is not confirmed, also of older
//! checkpoints. Nothing is committed because a sink goes away. When everything is committed and
//! nothing follows, the committer sweeps, once.

mod commits;
mod patience;

use std::sync::Arc;

use sameriver_model::{
    Barrier, Batch, CheckpointId, Element, SectionKind, SectionWriter, Watermark,
};
use sameriver_state::RestoreError;

use crate::consumer::{Consumer, Progress, Walk};
use crate::context::Context;
use crate::error::OperatorError;
use crate::open::{CommitRule, OpenArgs};
use crate::saved;
use crate::sink::{Committer, SinkError, SinkWriter};
use commits::{Commits, Staged};

/// The checkpoint of what a job stages that takes none; real ones are counted from 1.
const AT_END: CheckpointId = CheckpointId::new(0);

struct SinkLink<T> {
    name: Arc<str>,
    writer: Box<dyn SinkWriter<T>>,
    /// For sinks that commit.
    commits: Option<Commits>,
    rule: CommitRule,
    /// The last barrier, until the writer says what it came to.
    staging: Option<CheckpointId>,
    /// Whether a snapshot waits for that.
    is_saving: bool,
    /// The first checkpoint that has everything that was ever written.
    last: Option<CheckpointId>,
    ending: Ending,
}

/// How far `finish` came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It was not called.
    Open,
    /// The writer hands on what it has.
    Writing,
    /// The writer says what is to be committed.
    Staging,
    /// The committer has it.
    Committing,
    Done,
}

impl<T> SinkLink<T> {
    fn error(&self, cause: SinkError) -> OperatorError {
        let operator = self.name.to_string();
        OperatorError::Sink { operator, cause }
    }

    /// Asks the writer what the last barrier came to; says whether it knows.
    fn ask_writer(&mut self) -> Result<bool, OperatorError> {
        let Some(checkpoint) = self.staging else {
            return Ok(true);
        };
        let staged = self.writer.staged();
        let Some(staged) = staged.map_err(|cause| self.error(cause))? else {
            return Ok(false);
        };
        self.staging = None;
        match &mut self.commits {
            Some(commits) => commits.stage(checkpoint, staged),
            None if staged.is_empty() => {}
            None => {
                return Err(self.error(SinkError::Other {
                    output: self.name.to_string(),
                    cause: "it stages what nobody commits: implement Sink::committer".to_owned(),
                }));
            }
        }
        Ok(true)
    }

    fn confirmed(&mut self) -> Result<Progress, OperatorError> {
        let Some(commits) = &mut self.commits else {
            return Ok(Progress::Done);
        };
        let mut settled = commits.settle();
        if let (Ok(Progress::Done), None, Some(last)) = (&settled, self.staging, self.last) {
            commits.end(last);
            settled = commits.settle();
        }
        settled.map_err(|cause| OperatorError::Commit {
            operator: self.name.to_string(),
            cause,
        })
    }

    /// Goes on with the end as far as it comes.
    fn end(&mut self) -> Result<Progress, OperatorError> {
        if self.ending == Ending::Writing {
            let finished = self.writer.finish();
            match finished.map_err(|cause| self.error(cause))? {
                Progress::Done => {}
                progress @ (Progress::More | Progress::Waiting) => return Ok(progress),
            }
            self.ending = match (&self.commits, self.rule) {
                (Some(_), CommitRule::AtEnd) => Ending::Staging,
                (Some(_), CommitRule::OnCheckpoint) | (None, _) => Ending::Done,
            };
            if self.ending == Ending::Staging {
                self.staging = Some(AT_END);
            }
        }
        if self.ending == Ending::Staging {
            if !self.ask_writer()? {
                return Ok(Progress::Waiting);
            }
            if let Some(commits) = &mut self.commits {
                commits.complete(AT_END);
            }
            self.last = Some(AT_END);
            self.ending = Ending::Committing;
        }
        if self.ending == Ending::Committing {
            match self.confirmed()? {
                Progress::Done => self.ending = Ending::Done,
                progress @ (Progress::More | Progress::Waiting) => return Ok(progress),
            }
        }
        Ok(Progress::Done)
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

    fn resume(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        match self.ending {
            Ending::Open => Ok(Progress::Done),
            Ending::Writing | Ending::Staging | Ending::Committing | Ending::Done => self.end(),
        }
    }

    fn idle(&mut self, _idle: bool, _cx: &mut Context) -> Result<(), OperatorError> {
        Ok(())
    }

    fn flush(&mut self, _cx: &mut Context) -> Result<(), OperatorError> {
        let flushed = self.writer.flush();
        flushed.map_err(|cause| self.error(cause))
    }

    fn finish(&mut self, _cx: &mut Context) -> Result<Progress, OperatorError> {
        if self.ending == Ending::Open {
            self.ending = Ending::Writing;
        }
        self.end()
    }

    fn has_room(&self) -> bool {
        self.writer.has_room()
    }

    fn barrier(&mut self, barrier: Barrier, _cx: &mut Context) -> Result<(), OperatorError> {
        // What an abandoned barrier has staged meanwhile keeps its number; what it stages later
        // belongs to this one.
        self.ask_writer()?;
        let staged = self.writer.stage(barrier.checkpoint);
        self.staging = Some(barrier.checkpoint);
        if self.ending == Ending::Done {
            self.last.get_or_insert(barrier.checkpoint);
        }
        staged.map_err(|cause| self.error(cause))
    }

    fn snapshot(&mut self, _sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.is_saving = true;
        Ok(())
    }

    fn walk(
        &mut self,
        _bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<Walk, OperatorError> {
        if !self.is_saving {
            return Ok(Walk::Done);
        }
        if !self.ask_writer()? {
            return Ok(Walk::Waiting);
        }
        self.is_saving = false;
        if let Some(commits) = &self.commits {
            let unconfirmed = commits.unconfirmed();
            if !unconfirmed.is_empty() {
                let id = saved::section(&self.name, "", SectionKind::Committables);
                saved::write(id, &unconfirmed, sections)?;
            }
        }
        Ok(Walk::Done)
    }

    fn drop_snapshot(&mut self) {
        self.is_saving = false;
    }

    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        if let Some(commits) = &mut self.commits {
            commits.complete(checkpoint);
        }
        self.confirmed().map(|_| ())
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        self.ask_writer()?;
        self.confirmed()
    }
}

/// Ends a chain with a sink's writer, and its committer if it has one.
///
/// What `args.restored` holds of the sink `name` belongs to a checkpoint that is complete: it is
/// committed again at once.
///
/// # Errors
/// [`OperatorError::Restore`] when the snapshot is not one that it can start from, or holds
/// committables of a sink that does not commit any more.
pub fn sink<T: Element>(
    name: &str,
    writer: Box<dyn SinkWriter<T>>,
    committer: Option<Box<dyn Committer>>,
    args: &OpenArgs,
) -> Result<Box<dyn Consumer<T>>, OperatorError> {
    let name: Arc<str> = name.into();
    let mut commits = committer.map(|committer| Commits::new(&name, committer, args));
    let section = saved::section(&name, "", SectionKind::Committables);
    let restored: Vec<Staged> = saved::read(&section, args)?;
    match &mut commits {
        Some(commits) => {
            let staged = restored.into_iter().flatten();
            let mut latest = None;
            for (checkpoint, committables) in staged {
                latest = latest.max(Some(checkpoint));
                commits.stage(checkpoint, committables);
            }
            if let Some(latest) = latest {
                commits.complete(latest);
            }
        }
        None if restored.is_empty() => {}
        None => {
            let cause = RestoreError::Undeclared { section };
            return Err(OperatorError::restore(&name, cause));
        }
    }
    Ok(Box::new(SinkLink {
        name,
        writer,
        commits,
        rule: args.commits,
        staging: None,
        is_saving: false,
        last: None,
        ending: Ending::Open,
    }))
}

#[cfg(test)]
mod tests;
