//! Reads objects that may be larger than they should be.
//!
//! Invariant: however large an object is, no more of it is read than one byte beyond what it may
//! have; a large one comes in parts, so that each answer is a short one.

use bytes::{Bytes, BytesMut};
use sameriver_runtime::{BlobError, BlobStore};

use crate::read_error::ReadError;

/// The most bytes that are asked for at once.
const PART_BYTES_MAX: u64 = 16 << 20;

/// Reads an object; one byte more than `limit` says that it has more than that.
pub(crate) async fn read_up_to(
    store: &dyn BlobStore,
    path: &str,
    limit: u64,
) -> Result<Bytes, BlobError> {
    let end = limit.saturating_add(1);
    let mut whole = BytesMut::new();
    let mut at = 0;
    loop {
        let ask = (end - at).min(PART_BYTES_MAX);
        let part = store.read_range(path, at, ask).await?;
        let is_last = (part.len() as u64) < ask || at + ask == end;
        if is_last && at == 0 {
            return Ok(part);
        }
        at += ask;
        whole.extend_from_slice(&part);
        if is_last {
            return Ok(whole.freeze());
        }
    }
}

/// Refuses what has more bytes than it may have.
pub(crate) fn check_bound(file: &str, bytes: &[u8], limit: u64) -> Result<(), ReadError> {
    if bytes.len() as u64 <= limit {
        return Ok(());
    }
    Err(ReadError::TooLong {
        file: file.to_owned(),
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_blobs::MemoryBlobs;
    use crate::now;

    fn read(bytes: usize, limit: u64) -> usize {
        let store = MemoryBlobs::new("memory:");
        let content = vec![Bytes::from(vec![7; bytes])];
        now(store.create("a", content)).expect("memory takes the object");
        let read = now(read_up_to(&store, "a", limit));
        let read = read.expect("memory hands it out");
        assert!(read.iter().all(|byte| *byte == 7));
        read.len()
    }

    #[test]
    fn at_most_one_byte_beyond_the_limit_is_read() {
        assert_eq!(
            [read(0, 5), read(5, 5), read(6, 5), read(100, 5)],
            [0, 5, 6, 6]
        );
        assert_eq!(read(9, u64::MAX), 9);
    }

    #[test]
    fn an_object_of_several_parts_is_read_to_its_end_and_no_further() {
        let part = PART_BYTES_MAX as usize;
        for bytes in [part - 1, part, part + 1, 2 * part, 2 * part + 3] {
            assert_eq!(read(bytes, bytes as u64), bytes);
        }
        assert_eq!(read(3 * part, PART_BYTES_MAX), part + 1);
    }
}
