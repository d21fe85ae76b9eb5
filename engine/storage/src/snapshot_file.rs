//! The file with the snapshot of one subtask: sections, then an index of them.
//!
//! Invariant: a file is written front to back in one pass, and read only if its length, its
//! checksum, the checksum of each section, and the place of each section are those of the index.
//! Knows no section from another.

use std::fmt;

use bytes::{Bytes, BytesMut};
use sameriver_model::codec::wire;
use sameriver_model::{FileHandle, Section, SectionId};
use sameriver_runtime::{BlobStore, BlobUpload, Created};

use crate::bounded_read::{check_bound, read_up_to};
use crate::layout;
use crate::read_error::{ReadError, WriteError};
use crate::sealed::{Format, PREFIX_BYTES, check_crc, content, length, u32_at, u64_at};

/// What a snapshot file begins with.
const FORMAT: Format = Format {
    name: "snapshot",
    magic: *b"samersnp",
    version: 1,
};
/// Length of the sections, length of the index, its checksum, that of the footer.
const FOOTER_BYTES: usize = 8 + 8 + 4 + 4;

/// Writes a snapshot file while its sections are still being made.
///
/// ```
/// use sameriver_model::{SectionId, SectionKind, SectionWriter, Uid};
/// use sameriver_storage::{MemoryBlobs, SnapshotFileWriter, read_snapshot};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryBlobs::new("memory:");
/// let id = SectionId {
///     operator: Uid::new("totals"),
///     state: String::new(),
///     kind: SectionKind::Operator,
///     group: None,
/// };
/// let mut sections = SectionWriter::default();
/// sections.section(id, |bytes| bytes.extend([1, 2, 3]));
/// let path = "snap/1/1/c1/v0-0-00000000000000b1";
/// let mut file = SnapshotFileWriter::begin(&store, "job", path).await?;
/// file.write(sections.take().into()).await?;
/// let handle = file.finish(sections.into_sections()).await?;
/// assert_eq!(read_snapshot(&store, "job", &handle).await?[0].1[..], [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
pub struct SnapshotFileWriter {
    upload: Box<dyn BlobUpload>,
    path: String,
    length: u64,
    crc: u32,
}

impl SnapshotFileWriter {
    /// Begins the file at `path` (see [`layout::snapshot`]) of a job's folder.
    ///
    /// # Errors
    /// [`WriteError::Store`].
    pub async fn begin(
        store: &dyn BlobStore,
        folder: &str,
        path: &str,
    ) -> Result<Self, WriteError> {
        let mut file = Self {
            upload: store.upload(&layout::in_folder(folder, path)).await?,
            path: path.to_owned(),
            length: 0,
            crc: 0,
        };
        let prefix = Bytes::copy_from_slice(&FORMAT.prefix());
        file.write(prefix).await?;
        Ok(file)
    }

    /// Appends bytes of sections.
    ///
    /// # Errors
    /// [`WriteError::Store`]; the file is of no use then: drop the writer.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        self.length += bytes.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, &bytes);
        Ok(self.upload.write(bytes).await?)
    }

    /// Writes the index and makes the file durable and visible.
    ///
    /// # Errors
    /// [`WriteError::Store`], after which the file may be there or not: try again under another
    /// name. [`WriteError::Taken`] when the name was used before.
    ///
    /// # Panics
    /// If the sections are not exactly what was written, one behind the other.
    pub async fn finish(mut self, sections: Vec<Section>) -> Result<FileHandle, WriteError> {
        let written = self.length - PREFIX_BYTES as u64;
        let end = end_of(&sections).expect("sections stand one behind the other");
        assert_eq!(end, written, "the index covers every byte of {}", self.path);
        self.write(index(&sections, written)).await?;
        let handle = FileHandle {
            path: self.path,
            length: self.length,
            crc: self.crc,
        };
        match self.upload.finish().await? {
            Created::Created => Ok(handle),
            Created::Exists => Err(WriteError::Taken { file: handle.path }),
        }
    }
}

impl fmt::Debug for SnapshotFileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} so far {} bytes", self.path, self.length)
    }
}

/// The index and the footer behind sections of so many bytes.
fn index(sections: &[Section], written: u64) -> Bytes {
    let mut bytes = wire::encode(sections).expect("sections have no skipped field");
    let (length, crc) = (bytes.len() as u64, crc32c::crc32c(&bytes));
    let mut footer = BytesMut::with_capacity(FOOTER_BYTES);
    footer.extend_from_slice(&written.to_le_bytes());
    footer.extend_from_slice(&length.to_le_bytes());
    footer.extend_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&footer);
    footer.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&footer);
    bytes.into()
}

/// Where the last section ends, if each begins where the one before it ends.
fn end_of(sections: &[Section]) -> Option<u64> {
    sections.iter().try_fold(0, |end: u64, section| {
        let follows = section.offset == end;
        follows.then(|| end.checked_add(section.length)).flatten()
    })
}

/// Reads the sections of a snapshot file, after verifying every byte of it.
///
/// # Errors
/// [`ReadError`].
pub async fn read_snapshot(
    store: &dyn BlobStore,
    folder: &str,
    handle: &FileHandle,
) -> Result<Vec<(SectionId, Bytes)>, ReadError> {
    let path = layout::in_folder(folder, &handle.path);
    sections_of(handle, &read_up_to(store, &path, handle.length).await?)
}

/// The sections of a file that must be the one of `handle`.
fn sections_of(handle: &FileHandle, bytes: &Bytes) -> Result<Vec<(SectionId, Bytes)>, ReadError> {
    let file = handle.path.as_str();
    FORMAT.check_prefix(file, bytes)?;
    check_bound(file, bytes, handle.length)?;
    if bytes.len() as u64 != handle.length {
        return Err(length(file, bytes, handle.length));
    }
    check_crc(file, "the file", bytes, handle.crc)?;
    let (sections, body) = parts(file, bytes)?;
    let of = |section: Section| {
        // `parts` has compared the end of the sections with the length of the body.
        let start = section.offset as usize;
        let bytes = body.slice(start..start + section.length as usize);
        check_crc(file, &section.id.to_string(), &bytes, section.crc)?;
        Ok((section.id, bytes))
    };
    sections.into_iter().map(of).collect()
}

/// The index, and the bytes that it covers exactly.
fn parts(file: &str, bytes: &Bytes) -> Result<(Vec<Section>, Bytes), ReadError> {
    let around = PREFIX_BYTES + FOOTER_BYTES;
    let Some(inside) = bytes.len().checked_sub(around) else {
        return Err(length(file, bytes, around as u64));
    };
    let footer = &bytes[bytes.len() - FOOTER_BYTES..];
    let crc = FOOTER_BYTES - 4;
    check_crc(file, "the footer", &footer[..crc], u32_at(footer, crc))?;
    let (written, indexed) = (u64_at(footer, 0), u64_at(footer, 8));
    if written.checked_add(indexed) != Some(inside as u64) {
        let expected = written
            .saturating_add(indexed)
            .saturating_add(around as u64);
        return Err(length(file, bytes, expected));
    }
    let index_at = PREFIX_BYTES + written as usize;
    let index = &bytes[index_at..bytes.len() - FOOTER_BYTES];
    check_crc(file, "the index", index, u32_at(footer, 16))?;
    let sections: Vec<Section> =
        wire::decode(index).map_err(|error| content(file, error.to_string()))?;
    if end_of(&sections) != Some(written) {
        let cause = format!("its sections do not cover its {written} bytes one behind the other");
        return Err(content(file, cause));
    }
    Ok((sections, bytes.slice(PREFIX_BYTES..index_at)))
}

#[cfg(test)]
mod tests;
