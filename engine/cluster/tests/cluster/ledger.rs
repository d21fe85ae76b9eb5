//! A sink that stages with barriers and commits with completed checkpoints, as a link of a chain.
//!
//! Invariant: what was staged once is committed once, whoever repeats the commit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sameriver_model::codec::wire;
use sameriver_model::{
    AttemptNumber, Barrier, Batch, CheckpointId, SectionId, SectionKind, SectionWriter, SubtaskId,
    Uid, Watermark,
};
use sameriver_operator::sink::SinkError;
use sameriver_operator::{CommitRule, Consumer, Context, OpenArgs, OperatorError, Progress, Walk};

/// Names what one subtask of one attempt staged for one checkpoint.
type Staged = (SubtaskId, AttemptNumber, CheckpointId);

/// What the outside sees.
#[derive(Clone, Default)]
pub(crate) struct Committed(Arc<Mutex<BTreeMap<Staged, Vec<u64>>>>);

impl Committed {
    fn commit(&self, name: Staged, numbers: &[u64]) {
        let mut all = self.0.lock().unwrap();
        let known = all.entry(name).or_insert_with(|| numbers.to_vec());
        assert_eq!(known, numbers, "a commit is repeated with other numbers");
    }

    /// Everything that was committed, in ascending order.
    pub(crate) fn sorted(&self) -> Vec<u64> {
        let mut numbers: Vec<_> = self.0.lock().unwrap().values().flatten().copied().collect();
        numbers.sort_unstable();
        numbers
    }
}

/// The number at which the ledger fails.
#[derive(Clone)]
pub(crate) struct Poison {
    number: u64,
    is_used_up: Option<Arc<AtomicBool>>,
}

impl Poison {
    pub(crate) fn always(number: u64) -> Self {
        Self {
            number,
            is_used_up: None,
        }
    }

    pub(crate) fn once(number: u64) -> Self {
        Self {
            number,
            is_used_up: Some(Arc::default()),
        }
    }

    fn strikes(&self, records: &[u64]) -> bool {
        let used_up = |flag: &Arc<AtomicBool>| flag.swap(true, Ordering::SeqCst);
        records.contains(&self.number) && !self.is_used_up.as_ref().is_some_and(used_up)
    }
}

pub(crate) struct Ledger {
    subtask: SubtaskId,
    attempt: AttemptNumber,
    rule: CommitRule,
    committed: Committed,
    poison: Option<Poison>,
    pending: Vec<u64>,
    staged: BTreeMap<Staged, Vec<u64>>,
}

fn section() -> SectionId {
    SectionId {
        operator: Uid::new("collect"),
        state: String::new(),
        kind: SectionKind::Committables,
        group: None,
    }
}

impl Ledger {
    pub(crate) fn open(args: &OpenArgs, committed: Committed, poison: Option<Poison>) -> Self {
        let restored = args
            .restored
            .as_ref()
            .and_then(|state| state.only(&section()).cloned());
        let restored: Option<Vec<(Staged, Vec<u64>)>> =
            restored.map(|bytes| wire::decode(&bytes).unwrap());
        // The checkpoint that had them is published.
        for (name, numbers) in restored.into_iter().flatten() {
            committed.commit(name, &numbers);
        }
        Self {
            subtask: args.subtask,
            attempt: args.attempt,
            rule: args.commits,
            committed,
            poison,
            pending: Vec::new(),
            staged: BTreeMap::new(),
        }
    }

    fn name(&self, checkpoint: CheckpointId) -> Staged {
        (self.subtask, self.attempt, checkpoint)
    }
}

impl Consumer<u64> for Ledger {
    fn slice(&mut self, batch: &mut Batch<u64>, _: &mut Context) -> Result<(), OperatorError> {
        let (records, _) = batch.parts_mut();
        if self
            .poison
            .as_ref()
            .is_some_and(|poison| poison.strikes(records))
        {
            let cause = SinkError::Unwritable {
                output: "memory".to_owned(),
                cause: std::io::ErrorKind::StorageFull.into(),
                remedy: "make room",
            };
            let operator = "collect".to_owned();
            return Err(OperatorError::Sink { operator, cause });
        }
        self.pending.append(records);
        batch.clear();
        Ok(())
    }

    fn watermark(&mut self, _: Watermark, _: &mut Context) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }

    fn resume(&mut self, _: &mut Context) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }

    fn idle(&mut self, _: bool, _: &mut Context) -> Result<(), OperatorError> {
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<(), OperatorError> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<Progress, OperatorError> {
        if self.rule == CommitRule::AtEnd {
            let name = self.name(CheckpointId::new(0));
            self.committed
                .commit(name, &std::mem::take(&mut self.pending));
        }
        Ok(Progress::Done)
    }

    fn barrier(&mut self, barrier: Barrier, _: &mut Context) -> Result<(), OperatorError> {
        let name = self.name(barrier.checkpoint);
        self.staged.insert(name, std::mem::take(&mut self.pending));
        Ok(())
    }

    fn snapshot(&mut self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        let staged: Vec<_> = self.staged.iter().collect();
        let bytes = wire::encode(&staged).unwrap();
        sections.section(section(), |section| section.extend(bytes));
        Ok(())
    }

    fn walk(&mut self, _: usize, _: &mut SectionWriter) -> Result<Walk, OperatorError> {
        Ok(Walk::Done)
    }

    fn drop_snapshot(&mut self) {}

    fn complete(&mut self, checkpoint: CheckpointId) -> Result<(), OperatorError> {
        let rest = self
            .staged
            .split_off(&self.name(CheckpointId::new(checkpoint.get() + 1)));
        for (name, numbers) in std::mem::replace(&mut self.staged, rest) {
            self.committed.commit(name, &numbers);
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<Progress, OperatorError> {
        Ok(Progress::Done)
    }

    fn has_room(&self) -> bool {
        true
    }
}
