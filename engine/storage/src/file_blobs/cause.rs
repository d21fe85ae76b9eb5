//! What an error of the disk means for whoever uses the store.
//!
//! Invariant: an error that trying again cannot mend is `Refused` and says what to do; every other
//! one is `Unavailable`.

use std::io;
use std::path::Path;

use sameriver_runtime::BlobError;

/// Whether the error says that there is no such file: also when one stands where a folder of its
/// path would be.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Turns errors of the disk into those of the store.
pub(super) struct Causes {
    store: String,
}

impl Causes {
    pub(super) fn new(folder: &Path) -> Self {
        let store = format!("file:{}", folder.display());
        Self { store }
    }

    /// The store as the user named it.
    pub(super) fn store(&self) -> &str {
        &self.store
    }

    pub(super) fn explain(&self, path: &str, error: &io::Error) -> BlobError {
        if error.kind() == io::ErrorKind::NotFound {
            return BlobError::NotFound {
                store: self.store.clone(),
                path: path.to_owned(),
            };
        }
        match remedy(error.kind()) {
            Some(remedy) => self.refused(path, error.to_string(), remedy),
            None => self.unavailable(path, &error.to_string()),
        }
    }

    pub(super) fn unavailable(&self, path: &str, cause: &str) -> BlobError {
        BlobError::Unavailable {
            store: self.store.clone(),
            path: path.to_owned(),
            cause: cause.to_owned(),
        }
    }

    /// The answer to a path among the unfinished files.
    pub(super) fn reserved(&self, path: &str) -> BlobError {
        let cause = "the folder holds unfinished files".to_owned();
        self.refused(path, cause, "choose another name for the job")
    }

    fn refused(&self, path: &str, cause: String, remedy: &'static str) -> BlobError {
        BlobError::Refused {
            store: self.store.clone(),
            path: path.to_owned(),
            cause,
            remedy,
        }
    }
}

/// What to do about an error that would come again.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the operating system's list is open; what is not named may be over next time"
)]
fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free space there, or choose another folder for checkpoints")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("mount it for writing, or choose another folder for checkpoints")
        }
        io::ErrorKind::PermissionDenied => {
            Some("let this user read and write the folder, or choose another one for checkpoints")
        }
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists => {
            Some("something else has the name: choose an empty folder for checkpoints")
        }
        io::ErrorKind::FileTooLarge
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::CrossesDevices
        | io::ErrorKind::TooManyLinks
        | io::ErrorKind::Unsupported => {
            Some("choose a folder on one local or shared POSIX file system for checkpoints")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(kind: io::ErrorKind) -> BlobError {
        Causes::new(Path::new("/cp")).explain("a/b", &kind.into())
    }

    #[test]
    fn a_full_disk_is_refused_with_a_remedy() {
        assert_eq!(
            explained(io::ErrorKind::StorageFull).to_string(),
            "file:/cp refuses a/b: no storage space: free space there, or choose another folder \
             for checkpoints"
        );
    }

    #[test]
    fn an_error_that_may_be_over_next_time_is_unavailable() {
        let answer = explained(io::ErrorKind::TimedOut);
        assert!(matches!(answer, BlobError::Unavailable { .. }), "{answer}");
    }
}
