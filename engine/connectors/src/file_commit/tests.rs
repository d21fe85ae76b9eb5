//! Commits on a disk that refuses the last step, and of files that are not what was staged.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sameriver_model::{AttemptNumber, SubtaskIndex};
use sameriver_runtime_tokio::TokioWorld;

use super::*;
use crate::part_names::Naming;

/// A real disk on which nothing gets its final name.
struct Refusing {
    disk: Arc<dyn Disk>,
    with: io::ErrorKind,
}

impl Disk for Refusing {
    fn open(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.disk.open(path)
    }
    fn create(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.disk.create(path)
    }
    fn create_new(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>> {
        self.disk.create_new(path)
    }
    fn create_directories(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        self.disk.create_directories(path)
    }
    fn entry(&self, path: &Path) -> BoxFuture<io::Result<EntryKind>> {
        self.disk.entry(path)
    }
    fn list(&self, directory: &Path) -> BoxFuture<io::Result<Vec<String>>> {
        self.disk.list(directory)
    }
    fn rename(&self, from: &Path, to: &Path) -> BoxFuture<io::Result<()>> {
        self.disk.rename(from, to)
    }
    fn publish(&self, _: &Path, _: &Path) -> BoxFuture<io::Result<Published>> {
        let refused = Err(self.with.into());
        Box::pin(async { refused })
    }
    fn remove(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        self.disk.remove(path)
    }
    fn sync_directory(&self, path: &Path) -> BoxFuture<io::Result<()>> {
        self.disk.sync_directory(path)
    }
}

/// A folder with a file that was staged.
struct Staged {
    tokio: TokioWorld,
    folder: PathBuf,
    file: PendingFile,
}

impl Staged {
    fn new(test: &str) -> Self {
        let tokio = TokioWorld::builder().seed(1).build().unwrap();
        let name = format!("sameriver-commit-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let disk = tokio.world().disk();
        let made = disk.create_directories(&folder);
        tokio.block_on(made).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let file = PendingFile {
            pending: at(".part-0.txt.inprogress"),
            last: at("part-0.txt"),
            length: 6,
            crc: crc32c::crc32c(b"totals"),
        };
        let staged = Self {
            tokio,
            folder,
            file,
        };
        staged.write(b"totals");
        staged
    }

    /// What the pending file holds.
    fn write(&self, bytes: &'static [u8]) {
        let disk = self.tokio.world().disk();
        self.tokio.block_on(async {
            let file = disk.create(Path::new(&self.file.pending)).await.unwrap();
            file.append(Bytes::from_static(bytes)).await.unwrap();
        });
    }

    fn commit(&self, disk: Arc<dyn Disk>) -> Result<(), CommitError> {
        let names = PartNames {
            directory: self.folder.clone(),
            prefix: "part".to_owned(),
            extension: "txt",
            job: sameriver_model::JobNonce::new(1),
            subtask: SubtaskIndex::new(0),
            parallelism: sameriver_model::Parallelism::ONE,
            attempt: AttemptNumber::new(1),
            naming: Naming::Plain,
        };
        let committer = FileCommitter { disk, names };
        let committing = committer.commit(vec![self.file.committable()]);
        self.tokio.block_on(committing)
    }

    fn real(&self) -> Arc<dyn Disk> {
        self.tokio.world().disk()
    }

    fn refused_with(&self, with: io::ErrorKind) -> CommitError {
        let disk = self.real();
        let refused = self.commit(Arc::new(Refusing { disk, with }));
        refused.expect_err("the disk refuses")
    }

    fn names(&self) -> Vec<String> {
        self.tokio.block_on(self.real().list(&self.folder)).unwrap()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Left-over files of a failed test are better than a second panic.
        let _ = self.tokio.block_on(async {
            let disk = self.real();
            for name in disk.list(&self.folder).await? {
                disk.remove(&self.folder.join(name)).await?;
            }
            io::Result::Ok(())
        });
    }
}

#[test]
fn a_disk_that_is_full_at_the_commit_is_worth_another_try_and_says_what_to_do() {
    let staged = Staged::new("full");
    let error = staged.refused_with(io::ErrorKind::StorageFull);
    assert!(matches!(error, CommitError::Retry { .. }), "{error}");
    let file = &staged.file;
    let says = format!(
        "{}: cannot rename {} to it: no storage space: free space on its disk, or, if there is \
         some, remove files",
        file.last, file.pending
    );
    assert_eq!(error.to_string(), says);
    staged.commit(staged.real()).expect("there is room again");
    assert_eq!(staged.names(), ["part-0.txt"]);
}

#[test]
fn what_no_waiting_mends_is_refused_at_once_with_a_remedy() {
    let staged = Staged::new("hopeless");
    for (kind, remedy) in [
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "mount its disk for writing",
        ),
        (io::ErrorKind::PermissionDenied, "let the user that runs"),
        (io::ErrorKind::NotADirectory, "move it away"),
        (io::ErrorKind::CrossesDevices, "on one file system"),
    ] {
        let error = staged.refused_with(kind);
        assert!(matches!(error, CommitError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
    assert_eq!(staged.names(), [".part-0.txt.inprogress"]);
}

#[test]
fn a_pending_file_with_a_flipped_bit_never_gets_its_final_name() {
    let staged = Staged::new("flipped");
    staged.write(b"totalS");
    let error = staged.commit(staged.real()).expect_err("it is damaged");
    assert!(matches!(error, CommitError::Refused { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("was damaged since it was staged (6 bytes, CRC32C "),
        "{text}"
    );
    assert!(text.contains("restore an older checkpoint"), "{text}");
    assert_eq!(staged.names(), [".part-0.txt.inprogress"]);
}
