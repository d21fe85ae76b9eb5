//! What a subtask's snapshot consists of: named sections of bytes, and where they are kept.
//!
//! Invariant: a section is written once, in one piece, and carries its own checksum; its id says
//! which operator, state and key group it belongs to, so that it can be handed to another subtask.
//! Knows neither what the bytes mean nor where files are.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{SubtaskId, Uid};
use crate::key_group::KeyGroup;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SectionKind {
    /// Entries of one keyed state, of one key group.
    Keyed,
    /// Timers of one key group.
    Timers,
    /// What an operator knows beside its keys: its event-time clock, for example.
    Operator,
    /// The splits of a source's reader, each with the place where reading goes on.
    Splits,
    /// What a sink has staged and nobody has confirmed yet.
    Committables,
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyed => "keyed state",
            Self::Timers => "timers",
            Self::Operator => "operator state",
            Self::Splits => "splits",
            Self::Committables => "committables",
        })
    }
}

/// Names a section of a snapshot.
///
/// ```
/// use sameriver_model::{KeyGroup, SectionId, SectionKind, Uid};
/// let id = SectionId {
///     operator: Uid::new("totals"),
///     state: "count".to_owned(),
///     kind: SectionKind::Keyed,
///     group: Some(KeyGroup::new(41)),
/// };
/// assert_eq!(id.to_string(), "keyed state count of totals, kg41");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SectionId {
    /// The operator's uid.
    pub operator: Uid,
    /// The name of the state; empty where a kind has only one.
    pub state: String,
    /// What it holds.
    pub kind: SectionKind,
    /// The key group, for keyed kinds.
    pub group: Option<KeyGroup>,
}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.state.is_empty() {
            write!(f, " {}", self.state)?;
        }
        write!(f, " of {}", self.operator)?;
        match self.group {
            Some(group) => write!(f, ", {group}"),
            None => Ok(()),
        }
    }
}

/// A section and where its bytes are in the subtask's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Which section.
    pub id: SectionId,
    /// The first byte, counted from that of the first section.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// CRC32C of the bytes.
    pub crc: u32,
}

/// Takes the sections of one snapshot of one subtask, in the order in which operators write them.
///
/// ```
/// use sameriver_model::{SectionId, SectionKind, SectionWriter, Uid};
/// let id = SectionId {
///     operator: Uid::new("totals"),
///     state: String::new(),
///     kind: SectionKind::Operator,
///     group: None,
/// };
/// let mut writer = SectionWriter::default();
/// writer.section(id, |bytes| bytes.extend([1, 2, 3]));
/// assert_eq!(writer.take(), [1, 2, 3]);
/// assert_eq!(writer.sections()[0].length, 3);
/// ```
#[derive(Debug, Default)]
pub struct SectionWriter {
    bytes: Vec<u8>,
    taken: u64,
    sections: Vec<Section>,
}

impl SectionWriter {
    /// Appends a section; `write` only appends to the buffer that it is given.
    pub fn section<R>(&mut self, id: SectionId, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let start = self.bytes.len();
        let answer = write(&mut self.bytes);
        let written = self.bytes.get(start..);
        let written = written.expect("a section is only appended to");
        self.sections.push(Section {
            id,
            offset: self.taken + start as u64,
            length: written.len() as u64,
            crc: crc32c::crc32c(written),
        });
        answer
    }

    /// How many bytes wait to be taken.
    pub fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes were written in all.
    pub fn written(&self) -> u64 {
        self.taken + self.bytes.len() as u64
    }

    /// Takes the bytes of the sections so far; the rest of the snapshot follows them.
    pub fn take(&mut self) -> Vec<u8> {
        self.taken += self.bytes.len() as u64;
        std::mem::take(&mut self.bytes)
    }

    /// The sections so far.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The sections, once all bytes were taken.
    pub fn into_sections(self) -> Vec<Section> {
        self.sections
    }
}

/// A file of the checkpoint store, with what proves that it is whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileHandle {
    /// Its path, relative to the job's folder.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// CRC32C of all its bytes.
    pub crc: u32,
}

/// Where the snapshot of one subtask is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtaskState {
    /// Whose snapshot it is.
    pub subtask: SubtaskId,
    /// Its files; a subtask without any section has none.
    pub files: Vec<FileHandle>,
    /// Whether its input had ended before the barrier.
    pub is_ended: bool,
}

/// The sections that a subtask starts from: each with the bytes of every old subtask that had one,
/// by ascending index.
///
/// ```
/// use sameriver_model::{RestoredState, SectionId, SectionKind, Uid};
/// let id = SectionId {
///     operator: Uid::new("totals"),
///     state: String::new(),
///     kind: SectionKind::Operator,
///     group: None,
/// };
/// let mut restored = RestoredState::default();
/// restored.add(id.clone(), vec![7].into());
/// assert_eq!(restored.only(&id).map(|bytes| bytes[0]), Some(7));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoredState {
    sections: BTreeMap<SectionId, Vec<Bytes>>,
}

impl RestoredState {
    /// Adds a section of one old subtask.
    pub fn add(&mut self, id: SectionId, bytes: Bytes) {
        self.sections.entry(id).or_default().push(bytes);
    }

    /// All old subtasks' bytes of a section.
    pub fn all(&self, id: &SectionId) -> &[Bytes] {
        self.sections.get(id).map_or(&[], Vec::as_slice)
    }

    /// The bytes of a section that one old subtask had.
    pub fn only(&self, id: &SectionId) -> Option<&Bytes> {
        self.all(id).first()
    }

    /// The sections of an operator, by ascending id.
    pub fn of<'a>(
        &'a self,
        operator: &'a Uid,
    ) -> impl Iterator<Item = (&'a SectionId, &'a [Bytes])> {
        let all = self.sections.iter();
        all.filter(move |(id, _)| id.operator == *operator)
            .map(|(id, bytes)| (id, bytes.as_slice()))
    }

    /// Whether there is no section.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// How many bytes all sections have.
    pub fn bytes(&self) -> u64 {
        let all = self.sections.values().flatten();
        all.map(|bytes| bytes.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(state: &str) -> SectionId {
        SectionId {
            operator: Uid::new("op"),
            state: state.to_owned(),
            kind: SectionKind::Keyed,
            group: Some(KeyGroup::new(0)),
        }
    }

    #[test]
    fn offsets_go_on_after_bytes_were_taken() {
        let mut writer = SectionWriter::default();
        writer.section(id("a"), |bytes| bytes.extend([1, 2]));
        assert_eq!(writer.take(), [1, 2]);
        writer.section(id("b"), |bytes| bytes.push(3));
        assert_eq!((writer.pending(), writer.written()), (1, 3));
        let offsets: Vec<_> = writer.into_sections();
        let offsets: Vec<_> = offsets.iter().map(|s| (s.offset, s.length)).collect();
        assert_eq!(offsets, [(0, 2), (2, 1)]);
    }

    #[test]
    fn a_section_has_the_bytes_of_every_old_subtask() {
        let mut restored = RestoredState::default();
        restored.add(id("a"), vec![1].into());
        restored.add(id("a"), vec![2].into());
        assert_eq!(restored.all(&id("a")).len(), 2);
        assert!(restored.all(&id("b")).is_empty());
        assert_eq!(restored.of(&Uid::new("op")).count(), 1);
        assert_eq!(restored.bytes(), 2);
    }
}
