//! The bounded queue between a writer on the slot's thread and the task that writes for it.
//!
//! Invariant: the writer never waits; items are written in the order in which they were offered,
//! and a stage stands behind all items that were offered before it; [`Outbox::finish`] answers
//! `Done` only after the task has ended well. A queue that is dropped before `finish` was called is
//! abandoned: the task is told, and must not make its work visible. Does not know what items are.

use std::collections::VecDeque;

use sameriver_operator::Progress;
use sameriver_operator::sink::{Committable, SinkError};
use sameriver_operator::source::Surroundings;
use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{Lane, Wake, select};

use crate::wake_at_end::WakeAtEnd;

/// How many items may wait for the task. Fixed: an item is what a slice came to, and a writer that
/// is slower than its slot is so with any number of them waiting.
const QUEUE_ITEMS: usize = 8;

/// What the task gets.
pub(crate) enum Mail<I> {
    /// The next item.
    Item(I),
    /// What came so far is to be outside and durable; [`Inbox::answer`] says when.
    Stage(Stage),
    /// Nothing follows.
    Finish,
    /// The writer is gone: leave nothing behind that only it knows of.
    Abandoned,
}

/// Where the task answers a stage.
pub(crate) struct Stage(oneshot::Sender<Vec<Committable>>);

/// The writer's end.
pub(crate) struct Outbox<I> {
    output: String,
    items: mpsc::Sender<Mail<I>>,
    ending: mpsc::Receiver<Result<(), SinkError>>,
    finish: Finish,
    /// What found no room in the queue and must not be given back: it goes first.
    waiting: VecDeque<Mail<I>>,
    /// The answers to come, in the order of the stages.
    stages: VecDeque<oneshot::Receiver<Vec<Committable>>>,
    /// What was answered and not handed out.
    staged: Vec<Committable>,
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
    ended: mpsc::Sender<Result<(), SinkError>>,
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

    /// Says that everything before a stage is durable, and what it came to.
    pub(crate) fn answer(&self, stage: Stage, committables: Vec<Committable>) {
        // The writer may be gone; then nobody wants to know.
        let _ = stage.0.send(committables);
        self.wake.wake();
    }

    /// Says that all is written, and waits until the writer is gone: by then what it staged is
    /// committed, or nobody will ever commit it.
    pub(crate) async fn outlive_writer(mut self) {
        // The writer may be gone already; then nobody asks for the result.
        let _ = self.ended.try_send(Ok(()));
        self.wake.wake();
        // It closes; nothing ever comes.
        let _ = (&mut self.writer).await;
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
        // Room for what the task says on the way and for its result.
        let (ended, ending) = mpsc::channel(2);
        let (here, writer) = oneshot::channel();
        let wake = surroundings.wake.clone();
        let work = work(Inbox {
            items: receiver,
            writer,
            ended: ended.clone(),
            wake: wake.clone(),
        });
        let task = async move {
            // Declared first, dropped last: the slot is woken after the result is there.
            let _wake = WakeAtEnd(wake);
            // The writer may be gone; then nobody asks for the result.
            let _ = ended.try_send(work.await);
        };
        // It is joined by its result, for which `finish` waits.
        let world = &surroundings.world;
        world.spawn(Lane::Control, "sink", task).detach();
        Self {
            output: output.to_owned(),
            items,
            ending,
            finish: Finish::NotAsked,
            waiting: VecDeque::new(),
            stages: VecDeque::new(),
            staged: Vec::new(),
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
        self.pump();
        if !self.waiting.is_empty() {
            return Ok(Some(item));
        }
        match self.items.try_send(Mail::Item(item)) {
            Ok(()) => Ok(None),
            Err(refused) => match refused.into_inner() {
                Mail::Item(item) => Ok(Some(item)),
                Mail::Stage(_) | Mail::Finish | Mail::Abandoned => Ok(None),
            },
        }
    }

    /// Asks that everything so far be made durable, with a last item in front if there is one. They
    /// are taken even without room: what comes later belongs behind them.
    pub(crate) fn stage(&mut self, last: Option<I>) -> Result<(), SinkError> {
        self.check()?;
        self.waiting.extend(last.map(Mail::Item));
        if self.finish == Finish::NotAsked {
            let (answer, stage) = oneshot::channel();
            self.waiting.push_back(Mail::Stage(Stage(answer)));
            self.stages.push_back(stage);
        }
        self.pump();
        Ok(())
    }

    /// What all stages so far came to, each committable once; `None` before they are answered.
    pub(crate) fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        self.check()?;
        self.pump();
        while let Some(stage) = self.stages.front_mut() {
            match stage.try_recv() {
                Ok(committables) => self.staged.extend(committables),
                // Without an answer the task has failed: the next check says why.
                Err(oneshot::error::TryRecvError::Empty | oneshot::error::TryRecvError::Closed) => {
                    return Ok(None);
                }
            }
            self.stages.pop_front();
        }
        Ok(Some(std::mem::take(&mut self.staged)))
    }

    /// Moves what waits into the queue, as far as there is room.
    fn pump(&mut self) {
        while let Some(mail) = self.waiting.pop_front() {
            if let Err(refused) = self.items.try_send(mail) {
                self.waiting.push_front(refused.into_inner());
                return;
            }
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
            Err(mpsc::error::TryRecvError::Empty) => Ok(()),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(SinkError::Other {
                output: self.output.clone(),
                cause: "the task that writes it has panicked: see the log".to_owned(),
            }),
        }
    }

    /// Tells the task that nothing follows, and asks whether it has ended well. The last stage is
    /// part of it.
    pub(crate) fn finish(&mut self) -> Result<Progress, SinkError> {
        if self.finish == Finish::NotAsked {
            self.stage(None)?;
            self.waiting.push_back(Mail::Finish);
            self.finish = Finish::Asked;
        }
        self.pump();
        self.check()?;
        Ok(match self.finish {
            Finish::NotAsked | Finish::Asked => Progress::Waiting,
            Finish::Done => Progress::Done,
        })
    }
}
