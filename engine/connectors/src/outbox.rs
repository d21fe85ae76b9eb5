//! The bounded queue between a writer on the slot's thread and the task that writes for it.
//!
//! Invariant: the writer never waits; items are written in the order in which they were offered;
//! [`Outbox::finish`] answers `Done` only after the task has ended well. A queue that is dropped
//! before `finish` was called is abandoned: the task is told, and must not make its work visible.
//! Does not know what the items are.

use sameriver_operator::Progress;
use sameriver_operator::sink::SinkError;
use sameriver_operator::source::Surroundings;
use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{Lane, Wake, select};

use crate::wake_at_end::WakeAtEnd;

/// How many items may wait for the task.
const QUEUE_ITEMS: usize = 8;

/// What the task gets.
pub(crate) enum Mail<I> {
    /// The next item.
    Item(I),
    /// Nothing follows: make the work visible.
    Finish,
    /// The writer is gone: leave nothing behind.
    Abandoned,
}

/// The writer's end.
pub(crate) struct Outbox<I> {
    output: String,
    items: mpsc::Sender<Mail<I>>,
    ending: oneshot::Receiver<Result<(), SinkError>>,
    finish: Finish,
    /// Dropped with the writer.
    _here: oneshot::Sender<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    NotAsked,
    Asked,
    Done,
}

/// The task's end.
pub(crate) struct Inbox<I> {
    items: mpsc::Receiver<Mail<I>>,
    /// Nothing comes here; it closes with the writer.
    writer: oneshot::Receiver<()>,
    wake: Wake,
}

impl<I> Inbox<I> {
    /// Waits for the next item; the writer is woken, since the queue has room again. What a writer
    /// that is gone has left in the queue is not handed out.
    pub(crate) async fn next(&mut self) -> Mail<I> {
        if self.items.is_closed() {
            return Mail::Abandoned;
        }
        let mail = self.items.recv().await;
        self.wake.wake();
        mail.unwrap_or(Mail::Abandoned)
    }

    /// Does `work`, but drops it once the writer is gone: whoever does not take our output must not
    /// hold up the end of a job. The inbox is of no use after `None`.
    pub(crate) async fn unless_abandoned<R>(&mut self, work: impl Future<Output = R>) -> Option<R> {
        select! {
            done = work => Some(done),
            _ = &mut self.writer => None,
        }
    }
}

impl<I: Send + 'static> Outbox<I> {
    /// Starts the task that `work` describes; `output` names it in errors.
    pub(crate) fn start<F>(
        surroundings: &Surroundings,
        output: &str,
        work: impl FnOnce(Inbox<I>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), SinkError>> + Send + 'static,
    {
        let (items, receiver) = mpsc::channel(QUEUE_ITEMS);
        let (ended, ending) = oneshot::channel();
        let (here, writer) = oneshot::channel();
        let wake = surroundings.wake.clone();
        let work = work(Inbox {
            items: receiver,
            writer,
            wake: wake.clone(),
        });
        let task = async move {
            // Declared first, dropped last: the slot is woken after the result is there.
            let _wake = WakeAtEnd(wake);
            // The writer may be gone; then nobody asks for the result.
            let _ = ended.send(work.await);
        };
        // It is joined by its result, for which `finish` waits.
        let world = &surroundings.world;
        world.spawn(Lane::Control, "sink", task).detach();
        Self {
            output: output.to_owned(),
            items,
            ending,
            finish: Finish::NotAsked,
            _here: here,
        }
    }

    /// Whether an item would be taken. A task that has ended counts as room, so that the next
    /// call finds its error.
    pub(crate) fn has_room(&self) -> bool {
        self.items.capacity() > 0 || self.items.is_closed()
    }

    /// Offers an item, and gives it back when there is no room.
    pub(crate) fn offer(&mut self, item: I) -> Result<Option<I>, SinkError> {
        self.check()?;
        match self.items.try_send(Mail::Item(item)) {
            Ok(()) => Ok(None),
            Err(refused) => match refused.into_inner() {
                Mail::Item(item) => Ok(Some(item)),
                Mail::Finish | Mail::Abandoned => Ok(None),
            },
        }
    }

    /// Reports an error of the task.
    pub(crate) fn check(&mut self) -> Result<(), SinkError> {
        if self.finish == Finish::Done {
            return Ok(());
        }
        match self.ending.try_recv() {
            Ok(Ok(())) => {
                self.finish = Finish::Done;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(oneshot::error::TryRecvError::Empty) => Ok(()),
            Err(oneshot::error::TryRecvError::Closed) => Err(SinkError::Other {
                output: self.output.clone(),
                cause: "the task that writes it has panicked: see the log".to_owned(),
            }),
        }
    }

    /// Tells the task that nothing follows, and asks whether it has ended well.
    pub(crate) fn finish(&mut self) -> Result<Progress, SinkError> {
        self.check()?;
        if self.finish == Finish::NotAsked && self.items.try_send(Mail::Finish).is_ok() {
            self.finish = Finish::Asked;
        }
        Ok(match self.finish {
            Finish::NotAsked | Finish::Asked => Progress::Waiting,
            Finish::Done => Progress::Done,
        })
    }
}
