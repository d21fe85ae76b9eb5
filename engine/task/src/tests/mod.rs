//! Tests of the room as a whole: slots, gates and exchange with chains made for the purpose.

mod bad_frames;
mod chains;
mod checkpoints;
mod remote;
mod rig;
mod slot;
mod store;
