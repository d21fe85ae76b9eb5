//! One data thread: runs the subtasks that it hosts, one slice at a time.

use sameriver_model::SlotIndex;
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Lane, Panicked, TaskHandle, World};
use thiserror::Error;

use crate::exchange::Exchange;
use crate::mail::{SlotEvent, SlotMail};
use crate::settings::SlotSettings;

/// The slot has ended and reads no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("slot {slot} has ended: start another one")]
pub struct SlotStopped {
    /// Which slot.
    pub slot: SlotIndex,
}

/// The handle of a running slot. Dropping it ends the slot after its current slice.
pub struct Slot {
    index: SlotIndex,
    mail: mpsc::Sender<SlotMail>,
    task: TaskHandle,
}

impl Slot {
    /// Starts a slot on a data lane of its own.
    pub fn start(
        world: &World,
        index: SlotIndex,
        settings: SlotSettings,
        exchange: Exchange,
        events: mpsc::Sender<SlotEvent>,
    ) -> Self {
        let (mail, mut inbox) = mpsc::channel(settings.mail_max.max(1));
        let _ = (exchange, events);
        let task = world.spawn(Lane::Data, &format!("slot {index}"), async move {
            while let Some(mail) = inbox.recv().await {
                if matches!(mail, SlotMail::Stop) {
                    return;
                }
            }
        });
        Self { index, mail, task }
    }

    /// Sends control mail; waits while the mailbox is full.
    ///
    /// # Errors
    /// [`SlotStopped`] when the slot has ended.
    pub async fn send(&self, mail: SlotMail) -> Result<(), SlotStopped> {
        let sent = self.mail.send(mail).await;
        sent.map_err(|_| SlotStopped { slot: self.index })
    }

    /// Ends the slot and waits until everything it hosted is dropped.
    ///
    /// # Errors
    /// [`Panicked`] when the slot itself did: a bug of the engine.
    pub async fn stop(self) -> Result<(), Panicked> {
        // A slot that has ended already needs no letter.
        let _ = self.mail.send(SlotMail::Stop).await;
        self.task.join().await
    }
}
