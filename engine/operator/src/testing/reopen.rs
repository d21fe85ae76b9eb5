//! Takes a snapshot of a chain and opens another one from it.

use std::sync::Arc;

use sameriver_model::{Barrier, CheckpointId, RestoredState, SectionWriter};

use super::context;
use crate::consumer::{Consumer, Walk};
use crate::context::Context;
use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::source_head::SourceHead;

/// How many bytes a step of a walk is given: few, so that a snapshot has many.
const STEP_BYTES: usize = 64;

/// What has snapshots: a link, and a chain that starts with a source.
///
/// # Errors
/// As every method of [`Consumer`].
#[expect(
    clippy::missing_errors_doc,
    reason = "the trait says it for all of its methods"
)]
pub trait Snapshots {
    /// See [`Consumer::barrier`].
    fn cut(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError>;
    /// See [`Consumer::snapshot`].
    fn begin(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError>;
    /// See [`Consumer::walk`].
    fn step(&mut self, sections: &mut SectionWriter) -> Result<Walk, OperatorError>;
}

impl<T> Snapshots for dyn Consumer<T> {
    fn cut(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError> {
        self.barrier(barrier, cx)
    }

    fn begin(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.snapshot(sections)
    }

    fn step(&mut self, sections: &mut SectionWriter) -> Result<Walk, OperatorError> {
        self.walk(STEP_BYTES, sections)
    }
}

impl Snapshots for dyn SourceHead {
    fn cut(&mut self, barrier: Barrier, cx: &mut Context) -> Result<(), OperatorError> {
        self.barrier(barrier, cx)
    }

    fn begin(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        self.snapshot(sections)
    }

    fn step(&mut self, sections: &mut SectionWriter) -> Result<Walk, OperatorError> {
        self.walk(STEP_BYTES, sections)
    }
}

/// What a subtask is given that starts from these sections.
fn restored(mut sections: SectionWriter) -> RestoredState {
    let bytes = sections.take();
    let mut restored = RestoredState::default();
    for section in sections.into_sections() {
        let from = usize::try_from(section.offset).expect("a test's snapshot is small");
        let length = usize::try_from(section.length).expect("a test's snapshot is small");
        let part = bytes[from..from + length].to_vec();
        restored.add(section.id, part.into());
    }
    restored
}

/// Takes the snapshot of checkpoint `checkpoint`; `meanwhile` is called between the steps.
pub fn snapshot_under_way<C: Snapshots + ?Sized>(
    chain: &mut C,
    checkpoint: u64,
    mut meanwhile: impl FnMut(&mut C),
) -> RestoredState {
    let mut sections = SectionWriter::default();
    let checkpoint = CheckpointId::new(checkpoint);
    let cut = chain.cut(Barrier { checkpoint }, &mut context());
    cut.expect("a barrier passes");
    chain.begin(&mut sections).expect("a snapshot begins");
    while chain.step(&mut sections).expect("a snapshot goes on") != Walk::Done {
        meanwhile(chain);
    }
    restored(sections)
}

/// Takes a snapshot of a chain.
///
/// # Panics
/// If the snapshot fails.
pub fn snapshot_of<C: Snapshots + ?Sized>(chain: &mut C) -> RestoredState {
    snapshot_under_way(chain, 1, |_| {})
}

/// Takes a snapshot of a chain and opens another one from it.
///
/// # Panics
/// If either fails.
pub fn reopened<C: Snapshots + ?Sized, R>(
    chain: &mut C,
    args: &OpenArgs,
    open: impl FnOnce(&OpenArgs) -> Result<R, OperatorError>,
) -> R {
    let restored = Some(Arc::new(snapshot_of(chain)));
    let args = OpenArgs {
        restored,
        ..args.clone()
    };
    open(&args).expect("a snapshot can be opened")
}
