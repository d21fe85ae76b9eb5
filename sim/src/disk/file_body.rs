//! The bytes of a file, and how to get back to those that are durable.
//!
//! Invariant: undoing all pending writes, the last first, gives exactly the durable bytes.

use std::collections::VecDeque;

use bytes::Bytes;
use sameriver_runtime::RandomStream;

use crate::life::NodeId;

/// A torn write breaks at a multiple of this many bytes.
const SECTOR_BYTES: u64 = 512;

/// What becomes of a write at the next power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A draw decides.
    Open,
    /// It is durable; it stands here only because an older one is not.
    Durable,
    /// It is gone, although syncs succeed: one that failed has marked its bytes clean.
    Lost,
}

struct Pending {
    ordinal: u64,
    writer: NodeId,
    fate: Fate,
    offset: usize,
    /// What the write replaced.
    old: Vec<u8>,
    old_length: usize,
    new: Bytes,
}

/// A file's bytes as they are read now.
#[derive(Default)]
pub(super) struct FileBody {
    bytes: Vec<u8>,
    pending: VecDeque<Pending>,
    writes: u64,
}

impl FileBody {
    /// A file that is durable as it is.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn read(&self, offset: u64, length: usize) -> Bytes {
        let start = position(offset).min(self.bytes.len());
        let end = start.saturating_add(length).min(self.bytes.len());
        Bytes::copy_from_slice(&self.bytes[start..end])
    }

    pub(super) fn write(&mut self, writer: NodeId, offset: u64, new: &Bytes) {
        if new.is_empty() {
            return;
        }
        let offset = position(offset);
        let old_length = self.bytes.len();
        let end = offset + new.len();
        let old = self.bytes[offset.min(old_length)..end.min(old_length)].to_vec();
        self.note(writer, offset, old, old_length, new.clone());
        put(&mut self.bytes, offset, new);
    }

    /// Empties the file, which is a write like any other until it is synced.
    pub(super) fn truncate(&mut self, writer: NodeId) {
        if self.bytes.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.bytes);
        let old_length = old.len();
        self.note(writer, 0, old, old_length, Bytes::new());
    }

    fn note(&mut self, writer: NodeId, offset: usize, old: Vec<u8>, old_length: usize, new: Bytes) {
        self.writes += 1;
        self.pending.push_back(Pending {
            ordinal: self.writes,
            writer,
            fate: Fate::Open,
            offset,
            old,
            old_length,
            new,
        });
    }

    /// The writes that a sync which begins now makes durable.
    pub(super) fn written(&self) -> u64 {
        self.writes
    }

    /// A sync has ended: all writes up to this one are durable, but for those that are lost.
    pub(super) fn synced(&mut self, up_to: u64) {
        self.decide(up_to, Fate::Durable);
    }

    /// A sync has failed: the writes up to this one count as clean and are not durable.
    pub(super) fn forget(&mut self, up_to: u64) {
        self.decide(up_to, Fate::Lost);
    }

    fn decide(&mut self, up_to: u64, fate: Fate) {
        for write in &mut self.pending {
            if write.ordinal <= up_to && write.fate == Fate::Open {
                write.fate = fate;
            }
        }
        self.drop_durable();
    }

    /// Only what lies before an older write that may vanish must be remembered.
    fn drop_durable(&mut self) {
        let durable = |write: &Pending| write.fate == Fate::Durable;
        while self.pending.front().is_some_and(durable) {
            self.pending.pop_front();
        }
    }

    /// The power goes, of all writers or of one: keeps, drops or tears each of their writes that
    /// was not synced. What the others wrote stays as it is.
    pub(super) fn cut_power(&mut self, of: Option<NodeId>, draws: &mut RandomStream) {
        let hurt = |write: &Pending| of.is_none_or(|node| node == write.writer);
        if of.is_some() && !self.pending.iter().any(hurt) {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        for write in pending.iter().rev() {
            self.undo(write);
        }
        let mode = draws.below(10);
        for mut write in pending {
            let whole = write.new.len();
            let kept = match write.fate {
                Fate::Durable => Some(whole),
                _ if !hurt(&write) => Some(whole),
                Fate::Lost => None,
                Fate::Open => keep(mode, whole, draws),
            };
            let Some(kept) = kept else { continue };
            if hurt(&write) {
                write.fate = Fate::Durable;
            }
            self.redo(&write, kept);
        }
        self.drop_durable();
    }

    /// Writes the first `kept` bytes of a write again.
    fn redo(&mut self, write: &Pending, kept: usize) {
        let before = self.pending.len();
        let torn = write.new.slice(..kept);
        if write.new.is_empty() {
            self.truncate(write.writer);
        } else {
            self.write(write.writer, write.offset as u64, &torn);
        }
        if self.pending.len() > before {
            let again = self.pending.back_mut().expect("it was noted just now");
            again.ordinal = write.ordinal;
            again.fate = write.fate;
        }
    }

    fn undo(&mut self, write: &Pending) {
        if write.new.is_empty() {
            self.bytes.clone_from(&write.old);
            return;
        }
        put(
            &mut self.bytes,
            write.offset.min(write.old_length),
            &write.old,
        );
        self.bytes.truncate(write.old_length);
    }
}

/// How many bytes of an open write a power cut keeps; `None` for a write that never was.
fn keep(mode: u64, whole: usize, draws: &mut RandomStream) -> Option<usize> {
    match mode {
        0..3 => Some(whole),
        3..7 => None,
        _ => {
            let sectors = draws.between(0, whole as u64 / SECTOR_BYTES);
            Some(position(sectors * SECTOR_BYTES))
        }
    }
}

/// Writes at an offset; a hole before it is zeros.
fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(new);
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("an offset fits into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn append(body: &mut FileBody, bytes: &'static [u8]) {
        body.write(ME, body.bytes().len() as u64, &Bytes::from_static(bytes));
    }

    fn cut(body: &mut FileBody, seed: u64) -> Vec<u8> {
        body.cut_power(None, &mut RandomStream::named(seed, "power"));
        body.bytes().to_vec()
    }

    fn written() -> FileBody {
        let mut body = FileBody::durable(b"old bytes".to_vec());
        body.write(ME, 0, &Bytes::from_static(b"new"));
        append(&mut body, &[7; 2_000]);
        body
    }

    #[test]
    fn synced_bytes_survive_every_power_cut() {
        for seed in 0..50 {
            let mut body = written();
            let before = body.bytes().to_vec();
            body.synced(body.written());
            assert_eq!(cut(&mut body, seed), before);
        }
    }

    #[test]
    fn bytes_that_were_not_synced_are_kept_or_dropped_or_torn() {
        let lengths: std::collections::BTreeSet<usize> = (0..100)
            .map(|seed| cut(&mut written(), seed).len())
            .collect();
        assert!(lengths.contains(&9), "never dropped: {lengths:?}");
        assert!(lengths.contains(&2_009), "never kept: {lengths:?}");
        assert!(lengths.len() > 3, "never torn: {lengths:?}");
    }

    #[test]
    fn a_truncation_that_was_not_synced_may_be_undone() {
        let outcomes: std::collections::BTreeSet<Vec<u8>> = (0..50)
            .map(|seed| {
                let mut body = FileBody::durable(b"old".to_vec());
                body.truncate(ME);
                cut(&mut body, seed)
            })
            .collect();
        assert!(outcomes.contains(&b"old"[..]) && outcomes.contains(&b""[..]));
    }

    #[test]
    fn a_write_behind_the_end_leaves_zeros_before_it() {
        let mut body = FileBody::default();
        body.write(ME, 2, &Bytes::from_static(b"x"));
        assert_eq!(body.bytes(), b"\0\0x");
    }

    #[test]
    fn what_a_failed_sync_forgot_is_gone_although_the_next_sync_succeeds() {
        for seed in 0..50 {
            let mut body = FileBody::durable(b"old".to_vec());
            append(&mut body, b" lost");
            body.forget(body.written());
            append(&mut body, b" kept");
            body.synced(body.written());
            assert_eq!(body.bytes(), b"old lost kept");
            assert_eq!(cut(&mut body, seed), b"old\0\0\0\0\0 kept");
        }
    }

    #[test]
    fn the_power_cut_of_one_writer_leaves_what_others_wrote() {
        let mut lefts = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let mut body = FileBody::default();
            body.write(ME, 0, &Bytes::from_static(b"mine"));
            body.write(OTHER, 4, &Bytes::from_static(b"theirs"));
            let draws = &mut RandomStream::named(seed, "power");
            body.cut_power(Some(ME), draws);
            assert!(body.bytes().ends_with(b"theirs"), "{:?}", body.bytes());
            lefts.insert(body.bytes()[..4].to_vec());
            body.synced(body.written());
            let before = body.bytes().to_vec();
            assert_eq!(cut(&mut body, seed), before);
        }
        assert_eq!(lefts.len(), 2, "kept and dropped: {lefts:?}");
    }

    #[test]
    fn writing_nothing_changes_nothing_at_a_power_cut() {
        let mut body = FileBody::durable(b"old".to_vec());
        append(&mut body, b"");
        assert_eq!(cut(&mut body, 1), b"old");
    }
}
