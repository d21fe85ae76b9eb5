//! Both drivers keep what every store promises, and the file driver what only it can break.
#![expect(
    clippy::disallowed_methods,
    reason = "the rig prepares real folders, and looks into them behind the driver's back"
)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sameriver_runtime_tokio::TokioWorld;

use super::*;
use crate::file_blobs::FileBlobs;
use crate::memory_blobs::MemoryBlobs;
use crate::now;

/// A real folder that is empty now and gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        Self(std::env::temp_dir().join(format!("sameriver-storage-{process}-{number}")))
    }

    fn with(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the temporary folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn tokio() -> TokioWorld {
    let world = TokioWorld::builder().node("tm0").build();
    world.expect("the process may start threads")
}

/// A store in a folder, used on the control threads.
fn in_folder(run: impl AsyncFnOnce(FileBlobs)) -> Folder {
    let (folder, tokio) = (Folder::new(), tokio());
    let store = FileBlobs::at(&tokio.world(), &folder.0);
    tokio.block_on(run(store));
    folder
}

#[test]
fn a_store_in_memory_keeps_every_promise() {
    for case in cases() {
        now((case.run)(Arc::new(MemoryBlobs::new("memory:"))));
    }
}

#[test]
fn a_store_of_files_keeps_every_promise() {
    for case in cases() {
        in_folder(async |store| (case.run)(Arc::new(store)).await);
    }
}

#[test]
fn a_store_of_files_outlives_its_process() {
    for cut in power_cuts() {
        let folder = in_folder(async |store| (cut.before)(Arc::new(store)).await);
        let later = tokio();
        let store = FileBlobs::at(&later.world(), &folder.0);
        later.block_on((cut.after)(Arc::new(store)));
    }
}

#[test]
fn unfinished_files_are_not_listed_and_are_swept_by_their_own_node_alone() {
    let folder = in_folder(async |store| {
        let store: Store = Arc::new(store);
        leave_unfinished(Arc::clone(&store)).await;
        nothing_is_there(store).await;
    });
    std::fs::write(folder.with(".pending/tm1-00000000000000aa"), "alive").expect("it is a folder");
    let tokio = tokio();
    let store = FileBlobs::at(&tokio.world(), &folder.0);
    let swept = tokio.block_on(store.sweep(Duration::ZERO));
    assert_eq!(swept, Ok(MANY));
    let left = std::fs::read_dir(folder.with(".pending")).expect("it is a folder");
    assert_eq!(left.count(), 1);
}

#[test]
fn the_folder_of_unfinished_files_is_no_place_for_objects() {
    in_folder(async |store| {
        let created = store.create(".pending/a", Vec::new()).await;
        let refused = created.expect_err("it is refused").to_string();
        let because = "refuses .pending/a: the folder holds unfinished files: choose another name";
        assert!(refused.contains(because), "{refused}");
    });
}

#[test]
fn a_file_where_the_folder_should_be_is_refused_with_a_remedy() {
    let folder = Folder::new();
    std::fs::write(&folder.0, "a file").expect("the temporary folder can be written");
    let tokio = tokio();
    let store = FileBlobs::at(&tokio.world(), &folder.0);
    let created = tokio.block_on(store.create("a", Vec::new()));
    let refused = created.expect_err("it is refused");
    assert!(matches!(refused, BlobError::Refused { .. }), "{refused}");
    std::fs::remove_file(&folder.0).expect("the file can be removed");
}

#[test]
fn a_folder_that_is_removed_meanwhile_costs_one_try() {
    let folder = in_folder(async |_store| {});
    let tokio = tokio();
    let store = FileBlobs::at(&tokio.world(), &folder.0);
    tokio.block_on(async {
        assert_eq!(store.create("a/b", Vec::new()).await, Ok(Created::Created));
        std::fs::remove_dir_all(&folder.0).expect("the folder can be removed");
        let once = store.create("a/c", Vec::new()).await;
        assert!(
            matches!(once, Err(BlobError::Unavailable { .. })),
            "{once:?}"
        );
        assert_eq!(store.create("a/c", Vec::new()).await, Ok(Created::Created));
    });
}

#[test]
fn a_url_that_is_no_folder_is_refused() {
    let world = tokio().world();
    for url in ["", "file:", "s3:bucket", "file://host/share", "/plain"] {
        assert!(FileBlobs::open(&world, url).is_err(), "{url}");
    }
    let opened = FileBlobs::open(&world, "file:///var/cp").map(|store| store.describe());
    assert_eq!(opened, Ok("file:/var/cp".to_owned()));
}
