//! The file with the metadata of a checkpoint.
//!
//! Invariant: it is written once, after every file that it names; what is read is what was written.

use bytes::Bytes;
use sameriver_model::{CheckpointMetadata, CheckpointRef, FileHandle, MaxParallelism};
use sameriver_runtime::{BlobStore, Created};

use crate::bounded_read::{check_bound, read_up_to};
use crate::layout::{self, Named};
use crate::read_error::{ReadError, WriteError};
use crate::sealed::{Format, check_crc, content, length};

/// What a metadata file begins with.
const FORMAT: Format = Format {
    name: "metadata of a checkpoint",
    magic: *b"samermet",
    version: 1,
};

/// The bytes of a metadata file.
pub fn encode(metadata: &CheckpointMetadata) -> Bytes {
    FORMAT.seal(metadata).into()
}

/// The metadata of a file, which errors call `file`.
///
/// # Errors
/// [`ReadError`], all but [`ReadError::Store`].
///
/// # Examples
/// ```
/// # use sameriver_model::{AttemptNumber, CheckpointId, CheckpointMetadata};
/// # let metadata = CheckpointMetadata {
/// #     id: CheckpointId::new(17),
/// #     attempt: AttemptNumber::new(1),
/// #     fingerprint: 0xf1,
/// #     max_parallelism: Default::default(),
/// #     subtasks: Vec::new(),
/// #     enumerators: Vec::new(),
/// #     ended: false,
/// #     created: Default::default(),
/// # };
/// use sameriver_storage::metadata::{decode, encode};
/// assert_eq!(decode("meta/0-1-c17", &encode(&metadata))?, metadata);
/// assert!(decode("holiday.jpg", b"JFIF").is_err());
/// # Ok::<(), sameriver_storage::ReadError>(())
/// ```
pub fn decode(file: &str, bytes: &[u8]) -> Result<CheckpointMetadata, ReadError> {
    let metadata: CheckpointMetadata = FORMAT.open(file, bytes)?;
    MaxParallelism::new(metadata.max_parallelism.get())
        .map_err(|error| content(file, error.to_string()))?;
    Ok(metadata)
}

/// Writes the metadata of a checkpoint into a job's folder; when it answers, the file is durable.
/// Repeating it after an error is harmless.
///
/// # Errors
/// [`WriteError::Store`], after which the file may be there or not; [`WriteError::Taken`].
///
/// # Panics
/// If the metadata names a file that is not of its own attempt and checkpoint: it would not be
/// known when that file may be deleted.
pub async fn write_metadata(
    store: &dyn BlobStore,
    folder: &str,
    metadata: &CheckpointMetadata,
) -> Result<CheckpointRef, WriteError> {
    let ours = Named::Checkpoint(metadata.attempt, metadata.id);
    for file in metadata.files() {
        let (path, id) = (&file.path, metadata.id);
        assert_eq!(layout::named(path), ours, "{path} is a file of {id}");
    }
    let bytes = encode(metadata);
    let handle = FileHandle {
        path: layout::metadata(metadata.attempt, metadata.id),
        length: bytes.len() as u64,
        crc: crc32c::crc32c(&bytes),
    };
    let path = layout::in_folder(folder, &handle.path);
    match store.create(&path, vec![bytes.clone()]).await? {
        Created::Created => {}
        Created::Exists if read_up_to(store, &path, handle.length).await? == bytes => {}
        Created::Exists => return Err(WriteError::Taken { file: handle.path }),
    }
    Ok(CheckpointRef {
        id: metadata.id,
        attempt: metadata.attempt,
        metadata: handle,
    })
}

/// Reads the metadata of a checkpoint from a job's folder.
///
/// # Errors
/// [`ReadError`].
pub async fn read_metadata(
    store: &dyn BlobStore,
    folder: &str,
    named: &CheckpointRef,
) -> Result<CheckpointMetadata, ReadError> {
    let handle = &named.metadata;
    let path = layout::in_folder(folder, &handle.path);
    let bytes = read_up_to(store, &path, handle.length).await?;
    decode_named(named, &bytes)
}

fn decode_named(named: &CheckpointRef, bytes: &[u8]) -> Result<CheckpointMetadata, ReadError> {
    let (handle, file) = (&named.metadata, named.metadata.path.as_str());
    FORMAT.check_prefix(file, bytes)?;
    check_bound(file, bytes, handle.length)?;
    if bytes.len() as u64 != handle.length {
        return Err(length(file, bytes, handle.length));
    }
    check_crc(file, "the file", bytes, handle.crc)?;
    let metadata = decode(file, bytes)?;
    if (metadata.id, metadata.attempt) != (named.id, named.attempt) {
        let (id, attempt) = (metadata.id, metadata.attempt);
        let cause = format!("it is of {id} of {attempt}, and {named} was looked for");
        return Err(content(file, cause));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage;
    use crate::examples;

    fn named() -> CheckpointRef {
        examples::checkpoint_ref()
    }

    #[test]
    fn the_published_metadata_is_what_is_written() {
        let bytes = encode(&examples::metadata());
        let example = "metadata of c17: v3/2 has one file, v0 an enumerator of two bytes";
        assert_eq!(examples::hex(&bytes), examples::published(example));
    }

    #[test]
    fn metadata_that_is_damaged_at_any_byte_or_cut_anywhere_is_an_error() {
        let bytes = encode(&examples::metadata());
        damage::everywhere(&bytes, |damaged| decode("meta/2-1-c17", damaged).is_err());
        damage::everywhere(&bytes, |damaged| decode_named(&named(), damaged).is_err());
        assert_eq!(decode_named(&named(), &bytes), Ok(examples::metadata()));
    }

    #[test]
    fn metadata_that_is_longer_than_it_was_written_is_refused_with_the_bound() {
        let bytes = [encode(&examples::metadata()), Bytes::from_static(b"!")].concat();
        let mut named = named();
        named.metadata.length = bytes.len() as u64 - 1;
        let refused = decode_named(&named, &bytes).map_err(|error| error.to_string());
        let length = named.metadata.length;
        assert_eq!(
            refused,
            Err(format!(
                "meta/2-1-c17 has more than {length} bytes, and no such file of ours has: put the \
                 right file back, or start from an older checkpoint"
            ))
        );
    }

    #[test]
    fn metadata_of_another_release_names_both_versions() {
        let mut bytes = encode(&examples::metadata()).to_vec();
        bytes[8] = 2;
        assert_eq!(
            decode("meta/2-1-c17", &bytes).map_err(|error| error.to_string()),
            Err(
                "meta/2-1-c17 has format version 2, this release reads 1: use the release that \
                 wrote it"
                    .to_owned()
            )
        );
    }

    #[test]
    fn metadata_of_another_checkpoint_is_refused_under_its_name() {
        let other = CheckpointMetadata {
            id: sameriver_model::CheckpointId::new(16),
            ..examples::metadata()
        };
        let bytes = encode(&other);
        let mut named = named();
        named.metadata.length = bytes.len() as u64;
        named.metadata.crc = crc32c::crc32c(&bytes);
        let refused = decode_named(&named, &bytes).map_err(|error| error.to_string());
        assert_eq!(
            refused,
            Err(
                "meta/2-1-c17 cannot be understood: it is of c16 of a2.1, and c17 of a2.1 was \
                 looked for: read it with the build that wrote it"
                    .to_owned()
            )
        );
    }
}
