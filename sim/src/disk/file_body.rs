//! The bytes of a file, and how to get back to those that are durable.
//!
//! Invariant: undoing all pending writes, the last first, gives exactly the durable bytes.

use bytes::Bytes;
use sameriver_runtime::RandomStream;

/// A torn write breaks at a multiple of this many bytes.
const SECTOR_BYTES: u64 = 512;

struct Pending {
    ordinal: u64,
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
    pending: Vec<Pending>,
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

    pub(super) fn write(&mut self, offset: u64, new: &Bytes) {
        let offset = position(offset);
        let old_length = self.bytes.len();
        let end = offset + new.len();
        let old = self.bytes[offset.min(old_length)..end.min(old_length)].to_vec();
        self.note(offset, old, old_length, new.clone());
        put(&mut self.bytes, offset, new);
    }

    pub(super) fn append(&mut self, new: &Bytes) {
        self.write(self.bytes.len() as u64, new);
    }

    /// Empties the file, which is a write like any other until it is synced.
    pub(super) fn truncate(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.bytes);
        let old_length = old.len();
        self.note(0, old, old_length, Bytes::new());
    }

    fn note(&mut self, offset: usize, old: Vec<u8>, old_length: usize, new: Bytes) {
        self.writes += 1;
        self.pending.push(Pending {
            ordinal: self.writes,
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

    /// A sync has ended: all writes up to this one are durable.
    pub(super) fn synced(&mut self, up_to: u64) {
        self.pending.retain(|pending| pending.ordinal > up_to);
    }

    /// Keeps, drops or tears each write that was not synced.
    pub(super) fn cut_power(&mut self, draws: &mut RandomStream) {
        let mut pending = std::mem::take(&mut self.pending);
        for write in pending.iter().rev() {
            self.undo(write);
        }
        let mode = draws.below(10);
        for write in &mut pending {
            let length = write.new.len() as u64;
            let kept = match mode {
                0..3 => length,
                3..7 => continue,
                _ => draws.between(0, length / SECTOR_BYTES) * SECTOR_BYTES,
            };
            if length == 0 {
                self.bytes.clear();
                continue;
            }
            let torn = write.new.slice(..position(kept));
            if !torn.is_empty() {
                put(&mut self.bytes, write.offset, &torn);
            }
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

    fn cut(body: &mut FileBody, seed: u64) -> Vec<u8> {
        body.cut_power(&mut RandomStream::named(seed, "power"));
        body.bytes().to_vec()
    }

    fn written() -> FileBody {
        let mut body = FileBody::durable(b"old bytes".to_vec());
        body.write(0, &Bytes::from_static(b"new"));
        body.append(&Bytes::from(vec![7; 2_000]));
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
                body.truncate();
                cut(&mut body, seed)
            })
            .collect();
        assert!(outcomes.contains(&b"old"[..]) && outcomes.contains(&b""[..]));
    }

    #[test]
    fn a_write_behind_the_end_leaves_zeros_before_it() {
        let mut body = FileBody::default();
        body.write(2, &Bytes::from_static(b"x"));
        assert_eq!(body.bytes(), b"\0\0x");
    }
}
