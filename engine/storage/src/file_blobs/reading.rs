//! Reads and lists the files of a store.
//!
//! Invariant: what vanishes while it is listed is left out; nothing that stays is.

use std::io;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use sameriver_runtime::{BlobEntry, Disk, EntryKind};

use super::cause::is_absent;
use super::pending::PENDING;

/// The most bytes that are asked for at once.
const READ_BYTES_MAX: u64 = 4 << 20;

/// Reads up to `length` bytes from `offset`.
pub(super) async fn read(
    disk: &dyn Disk,
    path: &Path,
    offset: u64,
    length: u64,
) -> io::Result<Bytes> {
    let file = match disk.open(path).await {
        // A file stands where a folder of the path would be: there is no such object.
        Err(error) if is_absent(&error) => return Err(io::ErrorKind::NotFound.into()),
        other => other?,
    };
    let end = file.length().await?.min(offset.saturating_add(length));
    let mut parts: Vec<Bytes> = Vec::new();
    let mut at = offset;
    while at < end {
        let ask = (end - at).min(READ_BYTES_MAX) as usize;
        let part = file.read_at(at, ask).await?;
        if part.is_empty() {
            break;
        }
        at += part.len() as u64;
        parts.push(part);
    }
    Ok(joined(parts))
}

fn joined(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() < 2 {
        return parts.pop().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        all.extend_from_slice(&part);
    }
    all.freeze()
}

/// The objects whose path begins with `prefix`, by ascending path.
pub(super) async fn list(disk: &dyn Disk, root: &Path, prefix: &str) -> io::Result<Vec<BlobEntry>> {
    let start = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut folders = vec![start.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let place = if folder.is_empty() {
            root.to_owned()
        } else {
            root.join(&folder)
        };
        let names = match disk.list(&place).await {
            Err(error) if is_absent(&error) => continue,
            other => other?,
        };
        for name in names {
            let path = match folder.as_str() {
                "" if name == PENDING => continue,
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            // The walk starts in the folder of the prefix: what does not begin with it has none.
            if !path.starts_with(prefix) {
                continue;
            }
            match disk.entry(&root.join(&path)).await {
                Ok(EntryKind::Directory) => folders.push(path),
                Ok(EntryKind::File { length }) => found.push(BlobEntry { path, length }),
                Err(error) if is_absent(&error) => {}
                // A pipe or a device is no object.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
