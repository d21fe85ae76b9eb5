//! Carries control mail to one slot, so that a slot that does not read stops nobody but itself.
//!
//! Invariant: letters reach the slot in the order in which they were posted; when the carrier is
//! dropped or ended, so is its slot.

use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{Lane, Panicked, World};
use sameriver_task::{Slot, SlotMail};

use super::hosting::Hosted;

/// A slot behind its queue of letters.
pub(super) struct Carrier {
    mail: mpsc::Sender<SlotMail>,
    ended: oneshot::Receiver<Result<(), Panicked>>,
}

impl Carrier {
    /// Carries for `slot`; `letters` may wait. A slot that has ended is told to `gone`.
    pub(super) fn start(
        world: &World,
        slot: Slot,
        letters: usize,
        gone: mpsc::Sender<Hosted>,
    ) -> Self {
        let (mail, mut letters) = mpsc::channel(letters);
        let (tell, ended) = oneshot::channel();
        let name = format!("mail of slot {}", slot.index());
        let carry = async move {
            while let Some(letter) = letters.recv().await {
                if slot.send(letter).await.is_err() {
                    // A task manager that is shutting down does not listen any more.
                    let _ = gone.send(Hosted::SlotGone(slot.index())).await;
                    break;
                }
            }
            drop(gone);
            // Nobody may wait any more.
            let _ = tell.send(slot.stop().await);
        };
        world.spawn(Lane::Control, &name, carry).detach();
        Self { mail, ended }
    }

    /// Posts a letter; false if the slot has ended, or so many letters wait that it might as well.
    pub(super) fn post(&self, letter: SlotMail) -> bool {
        self.mail.try_send(letter).is_ok()
    }

    /// Ends the slot; the answer comes when everything it hosted is dropped.
    pub(super) fn end(self) -> oneshot::Receiver<Result<(), Panicked>> {
        self.ended
    }
}
