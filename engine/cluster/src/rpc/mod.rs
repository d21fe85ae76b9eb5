//! The control protocol: how the job master and the task managers talk.
//!
//! Reading order: [`hello`] (plain bytes that tell strangers apart) → [`frame`] (numbered, checked
//! frames) → [`message`] (what is said) → `connection` (both directions at once).
//!
//! Invariant: bytes of a stranger, another release or a broken link never turn into a message: they
//! are an error that names what was found. `docs/formats.md` describes the bytes.

pub(crate) mod connection;
pub mod frame;
pub mod hello;
pub mod message;

pub use frame::{FrameError, FrameReader, FrameWriter};
pub use hello::{Hello, HelloError, Identity, Refusal};
pub use message::{Deploy, InOrder, MasterMessage, Restore, TakesCheckpoints, TaskManagerMessage};

/// Whether the documentation shows these bytes as an example.
#[cfg(test)]
fn is_documented(bytes: &[u8]) -> bool {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    let page = include_str!("../../../../docs/formats.md");
    page.contains(&format!("`{}`", digits.collect::<String>()))
}
