//! Snapshot files: what is written is read, and nothing else is.

use sameriver_model::SectionWriter;

use super::*;
use crate::damage;
use crate::examples::{self, keyed};
use crate::memory_blobs::MemoryBlobs;
use crate::now;

const PATH: &str = "snap/2/1/c17/v3-2-00000000000000b1";

fn write(store: &MemoryBlobs, sections: &[(SectionId, &[u8])]) -> Result<FileHandle, WriteError> {
    now(async {
        let mut file = SnapshotFileWriter::begin(store, "job", PATH).await?;
        let mut writer = SectionWriter::default();
        for (id, bytes) in sections {
            writer.section(id.clone(), |out| out.extend_from_slice(bytes));
            file.write(writer.take().into()).await?;
        }
        file.finish(writer.into_sections()).await
    })
}

fn example() -> (MemoryBlobs, FileHandle) {
    let store = MemoryBlobs::new("memory:");
    let handle = write(&store, &[(keyed(1), &[1, 2, 3]), (keyed(2), &[])]);
    (store, handle.expect("memory takes the file"))
}

fn bytes_of(store: &MemoryBlobs) -> Bytes {
    now(store.read(&format!("job/{PATH}"))).expect("the file is there")
}

#[test]
fn the_published_snapshot_is_what_is_written() {
    let store = MemoryBlobs::new("memory:");
    let written = write(&store, &[(keyed(1), &[1, 2, 3])]);
    let example = "snapshot with one section: keyed state count of totals, kg1, bytes 1, 2, 3";
    assert!(written.is_ok());
    let bytes = bytes_of(&store);
    assert_eq!(examples::hex(&bytes), examples::published(example));
}

#[test]
fn sections_are_read_as_they_were_written() {
    let (store, handle) = example();
    let read = now(read_snapshot(&store, "job", &handle)).expect("the file is whole");
    let read: Vec<_> = read.iter().map(|(id, bytes)| (id, &bytes[..])).collect();
    assert_eq!(read, [(&keyed(1), &[1, 2, 3][..]), (&keyed(2), &[])]);
}

#[test]
fn a_snapshot_without_sections_is_read_as_one() {
    let store = MemoryBlobs::new("memory:");
    let handle = write(&store, &[]).expect("memory takes the file");
    assert_eq!(now(read_snapshot(&store, "job", &handle)), Ok(Vec::new()));
}

#[test]
fn a_snapshot_that_is_damaged_at_any_byte_or_cut_anywhere_is_an_error() {
    let (store, handle) = example();
    damage::everywhere(&bytes_of(&store), |damaged| {
        sections_of(&handle, &Bytes::copy_from_slice(damaged)).is_err()
    });
}

#[test]
fn damage_is_found_even_if_the_handle_was_made_from_the_damaged_file() {
    let (store, handle) = example();
    damage::everywhere(&bytes_of(&store), |damaged| {
        let damaged = Bytes::copy_from_slice(damaged);
        let handle = FileHandle {
            length: damaged.len() as u64,
            crc: crc32c::crc32c(&damaged),
            ..handle.clone()
        };
        sections_of(&handle, &damaged).is_err()
    });
}

#[test]
fn a_foreign_file_a_foreign_version_and_a_damaged_section_are_told_apart() {
    let (store, handle) = example();
    let whole = bytes_of(&store);
    let error = |at: usize, value: u8, handle: &FileHandle| {
        let mut bytes = whole.to_vec();
        bytes[at] = value;
        let crc = crc32c::crc32c(&bytes);
        let read = sections_of(
            &FileHandle {
                crc,
                ..handle.clone()
            },
            &bytes.into(),
        );
        read.expect_err("the file is not ours").to_string()
    };
    assert_eq!(
        error(0, b'S', &handle),
        "snap/2/1/c17/v3-2-00000000000000b1 begins with [53, 61, 6d, 65, 72, 73, 6e, 70] and is no \
         snapshot: put the right file back, or start from an older checkpoint"
    );
    assert_eq!(
        error(8, 9, &handle),
        "snap/2/1/c17/v3-2-00000000000000b1 has format version 9, this release reads 1: use the \
         release that wrote it"
    );
    assert_eq!(
        error(12, 0, &handle),
        "snap/2/1/c17/v3-2-00000000000000b1 is damaged: keyed state count of totals, kg1 has \
         checksum 54716060 instead of f130f21e: put a whole copy back, or start from an older \
         checkpoint"
    );
}

#[test]
fn a_missing_snapshot_is_named() {
    let (_, handle) = example();
    let read = now(read_snapshot(&MemoryBlobs::new("memory:b"), "job", &handle));
    assert_eq!(
        read.map_err(|error| error.to_string()),
        Err(
            "memory:b has no job/snap/2/1/c17/v3-2-00000000000000b1: look whether it is the right \
             store, or put the file back"
                .to_owned()
        )
    );
}

#[test]
fn a_name_is_used_once() {
    let (store, handle) = example();
    let again = write(&store, &[]);
    assert_eq!(again, Err(WriteError::Taken { file: handle.path }));
}
