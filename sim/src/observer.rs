//! Looks into the engine: writes down what it says of itself, and crashes it where a script says.
//!
//! Invariant: one observer a world, on the world's thread. It changes nothing that the engine sees
//! but by a crash; what a dead generation says, nobody hears.

use std::rc::Rc;

use sameriver_model::probe::{self, Observer, Probe};

use crate::current;
use crate::sim_world::SimWorld;

struct WorldObserver(SimWorld);

/// Lets a world hear what the engine says on this thread.
pub(crate) fn install(world: &SimWorld) {
    probe::watch(Some(Rc::new(WorldObserver(world.clone()))));
}

/// Lets go of the world.
pub(crate) fn uninstall() {
    probe::watch(None);
}

impl Observer for WorldObserver {
    fn observe(&self, probe: &Probe<'_>) {
        let Some(life) = current::life() else {
            return;
        };
        if !life.is_stale() {
            self.0.ledger().probes().record(&self.0, &life, probe);
        }
    }

    fn crashes(&self, place: &'static str) -> bool {
        // A destructor that unwinds already cannot unwind once more.
        if std::thread::panicking() {
            return false;
        }
        let Some(life) = current::life() else {
            return false;
        };
        life.is_stale() || self.0.pass(life.site().name(), place)
    }
}
