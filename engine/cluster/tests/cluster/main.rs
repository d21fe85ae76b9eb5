//! A hand-made job on clusters over real sockets: every way to end, failures of every part, two job
//! masters on one store, damage to that store, and what strangers at the doors are told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod damage;
mod ends;
mod fencing;
mod job;
mod leadership;
mod ledger;
mod recovery;
mod site;
mod strangers;
