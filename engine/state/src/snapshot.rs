//! What tables and timers need to be written into a snapshot while they go on changing.
//!
//! Invariant: a part of a section holds whole entries behind a head that says what they are; the
//! parts of one section come in any order, and no entry is in two of them. Knows neither tables nor
//! files.

use std::collections::VecDeque;

use sameriver_model::codec::ordered::{self, OrderedError};
use sameriver_model::codec::wire::{self, WireError};
use sameriver_model::{Key, KeyGroup, SectionId, SectionKind, SectionWriter, Uid};
use thiserror::Error;

use crate::descriptor::StateDescriptor;
use crate::value::Value;

/// The version of what is written here.
pub(crate) const FORMAT: u8 = 1;

/// How large a part becomes before the next one begins: small enough to be copied in one step.
pub(crate) const PART_BYTES: usize = 32 * 1024;

/// How many entries, gone by now or saved already, a step may look at.
const VISITS_MAX: usize = 32 * 1024;

/// Why state cannot be written into a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// A key has no canonical bytes.
    #[error("key of state: {0}")]
    Key(#[from] OrderedError),
    /// The value's `Serialize` refuses, or says less than it takes to read the value back.
    #[error("value of state: {0}")]
    Value(#[from] WireError),
}

/// How much one step of a walk may do.
///
/// ```
/// let mut budget = sameriver_state::WalkBudget::of(64 * 1024);
/// assert!(!budget.is_spent());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WalkBudget {
    bytes: usize,
    visits: usize,
}

impl WalkBudget {
    /// About so many bytes, and a bounded number of entries that need not be written.
    pub const fn of(bytes_max: usize) -> Self {
        Self {
            bytes: bytes_max,
            visits: VISITS_MAX,
        }
    }

    /// Whether the step has done enough.
    pub const fn is_spent(&self) -> bool {
        self.bytes == 0 || self.visits == 0
    }

    /// How many bytes are left.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn write(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes.max(1));
    }

    pub(crate) fn visit(&mut self, entries: usize) {
        self.visits = self.visits.saturating_sub(entries);
    }
}

/// Which state of which operator it is about.
#[derive(Clone, Copy, Debug)]
pub struct StateAddress<'a> {
    /// The operator's uid.
    pub operator: &'a Uid,
    /// The state, as it was declared.
    pub descriptor: &'a StateDescriptor,
}

impl StateAddress<'_> {
    /// The section of a key group.
    pub(crate) fn section(&self, group: KeyGroup) -> SectionId {
        SectionId {
            operator: self.operator.clone(),
            state: self.descriptor.name().to_owned(),
            kind: SectionKind::Keyed,
            group: Some(group),
        }
    }

    /// What stands before the entries of each part.
    pub(crate) fn head<K>(&self) -> Vec<u8> {
        let mut head = vec![FORMAT, self.descriptor.kind().code()];
        for name in [std::any::type_name::<K>(), self.descriptor.type_name()] {
            text_into(name, &mut head);
        }
        head
    }
}

/// Appends a text, in the way of `wire`: its length in eight bytes, then its bytes.
pub(crate) fn text_into(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Writes an entry: the key in `ordered`, then the value in `wire`.
pub(crate) type EncodeEntry<K, V> = fn(&K, &V, &mut Vec<u8>) -> Result<(), SnapshotError>;

pub(crate) fn encode_entry<K: Key, V: Value>(
    key: &K,
    value: &V,
    out: &mut Vec<u8>,
) -> Result<(), SnapshotError> {
    ordered::encode_into(key, out)?;
    wire::encode_into(value, out)?;
    Ok(())
}

/// Entries that wait to be written, by the position of their key group.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Indexed by the position: finding it must cost next to nothing, since writes wait for it.
    groups: Vec<VecDeque<Vec<u8>>>,
    /// No group before this one has a part.
    first: usize,
}

impl Waiting {
    /// Lets `encode` append one entry of a group.
    #[inline]
    pub(crate) fn push<R>(&mut self, group: usize, encode: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let part = self.groups.get_mut(group).and_then(VecDeque::back_mut);
        match part {
            Some(part) if part.len() < PART_BYTES => encode(part),
            Some(_) | None => encode(self.begin(group)),
        }
    }

    /// Begins a part of a group.
    #[cold]
    fn begin(&mut self, group: usize) -> &mut Vec<u8> {
        if self.groups.len() <= group {
            self.groups.resize_with(group + 1, VecDeque::new);
        }
        self.first = self.first.min(group);
        let parts = &mut self.groups[group];
        // A group that has filled a part will mostly fill another one.
        let capacity = if parts.is_empty() { 0 } else { PART_BYTES };
        parts.push_back(Vec::with_capacity(capacity));
        parts.back_mut().expect("it was just added")
    }

    /// Takes a part of a group.
    pub(crate) fn pop(&mut self, group: usize) -> Option<Vec<u8>> {
        self.groups.get_mut(group)?.pop_front()
    }

    /// Takes a part that does not grow any more.
    pub(crate) fn pop_full(&mut self, group: usize) -> Option<Vec<u8>> {
        let parts = self.groups.get_mut(group)?;
        let is_full = parts.front().is_some_and(|part| part.len() >= PART_BYTES);
        is_full.then(|| parts.pop_front()).flatten()
    }

    /// Takes any part.
    pub(crate) fn pop_any(&mut self) -> Option<(usize, Vec<u8>)> {
        while let Some(parts) = self.groups.get_mut(self.first) {
            if let Some(part) = parts.pop_front() {
                return Some((self.first, part));
            }
            self.first += 1;
        }
        None
    }
}

/// Writes a part of a section.
pub(crate) fn write_part(
    id: SectionId,
    head: &[u8],
    part: &[u8],
    budget: &mut WalkBudget,
    sections: &mut SectionWriter,
) {
    budget.write(head.len() + part.len());
    sections.section(id, |bytes| {
        bytes.reserve(head.len() + part.len());
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(part);
    });
}
