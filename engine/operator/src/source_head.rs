//! What the slot loop sees of a chain that starts with a source.
//!
//! Invariant: as for every [`Chain`]; splits come in `wire` encoding, so no split type is known.

use sameriver_runtime::Monotonic;

use crate::chain::Chain;
use crate::consumer::Progress;
use crate::context::Context;
use crate::error::OperatorError;

/// What a source has to say after a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceProgress {
    /// Call again.
    Ready,
    /// The chain is not done with a watermark: call `resume` until it is.
    Resume(Progress),
    /// Nothing to read before a wake.
    Waiting,
    /// Nothing to read before this instant (or a wake).
    Until(Monotonic),
    /// The splits are used up: ask the enumerator for more.
    NeedSplit,
    /// Nothing follows. The caller sends the last watermark and finishes the chain.
    Finished,
}

/// The head of a chain that starts with a source.
///
/// # Errors
/// As every method of [`Chain`]; those of the source name its input.
#[expect(
    clippy::missing_errors_doc,
    reason = "the trait says it for all of its methods"
)]
pub trait SourceHead: Chain {
    /// Hands over splits in `wire` encoding, and whether the enumerator has no further ones for
    /// this reader.
    fn assign(&mut self, splits: &[Vec<u8>], no_more: bool) -> Result<(), OperatorError>;

    /// Reads up to `max` records and runs them through the chain.
    fn slice(&mut self, max: usize, cx: &mut Context) -> Result<SourceProgress, OperatorError>;
}
