//! Open files.
//!
//! Invariant: a case sees bytes through handles only; what survives a crash is no promise of this
//! suite but a probe of the simulated disk.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use sameriver_runtime::{Disk, DiskFile};

use super::Nodes;

/// The disk of the suite and a free name on it.
fn spot(nodes: &Arc<dyn Nodes>) -> (Arc<dyn Disk>, PathBuf) {
    (nodes.world("a").disk(), nodes.directory().join("file"))
}

async fn create(nodes: &Arc<dyn Nodes>) -> Box<dyn DiskFile> {
    let (disk, path) = spot(nodes);
    disk.create_new(&path).await.expect("the name is free")
}

async fn append(file: &dyn DiskFile, bytes: &'static [u8]) {
    file.append(Bytes::from_static(bytes))
        .await
        .expect("the file takes bytes");
}

/// All bytes of a file, read in pieces of at most `piece` bytes.
async fn content(file: &dyn DiskFile, piece: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = file
            .read_at(all.len() as u64, piece)
            .await
            .expect("the file can be read");
        if bytes.is_empty() {
            return all;
        }
        assert!(
            bytes.len() <= piece,
            "a read gives no more than was asked for"
        );
        all.extend_from_slice(&bytes);
    }
}

/// Appends go behind the last byte, writes to their offset, and the length counts both.
pub async fn a_file_holds_what_was_written_and_appended(nodes: Arc<dyn Nodes>) {
    let file = create(&nodes).await;
    append(&*file, b"hello ").await;
    append(&*file, b"world").await;
    file.write_at(0, Bytes::from_static(b"J"))
        .await
        .expect("the file takes bytes");
    file.sync().await.expect("the file can be synced");
    assert_eq!(file.length().await.expect("the file has a length"), 11);
    assert_eq!(content(&*file, 4).await, b"Jello world");
}

/// A gap reads as zeros, and an append goes behind it.
pub async fn a_write_behind_the_end_fills_the_gap_with_zeros(nodes: Arc<dyn Nodes>) {
    let file = create(&nodes).await;
    file.write_at(3, Bytes::from_static(b"x"))
        .await
        .expect("the file takes bytes");
    append(&*file, b"y").await;
    assert_eq!(content(&*file, 64).await, b"\0\0\0xy");
}

/// The end of a file is no error.
pub async fn a_read_behind_the_end_gives_nothing(nodes: Arc<dyn Nodes>) {
    let file = create(&nodes).await;
    append(&*file, b"abc").await;
    for offset in [3, 4, 1 << 40] {
        let read = file.read_at(offset, 8).await.expect("the file can be read");
        assert!(read.is_empty(), "nothing is at {offset}");
    }
}

/// A file is one, however often it is open.
pub async fn two_handles_of_one_file_see_each_other(nodes: Arc<dyn Nodes>) {
    let first = create(&nodes).await;
    let (disk, path) = spot(&nodes);
    let second = disk.open(&path).await.expect("the file is there");
    append(&*first, b"one ").await;
    append(&*second, b"two ").await;
    append(&*first, b"three").await;
    assert_eq!(content(&*second, 64).await, b"one two three");
}

/// The order of calls counts, not the order in which their answers are awaited.
pub async fn operations_on_one_handle_keep_the_order_of_their_calls(nodes: Arc<dyn Nodes>) {
    let file = create(&nodes).await;
    let mut appends: Vec<_> = (0..100_u8).map(|at| file.append(vec![at].into())).collect();
    let length = file.length();
    while let Some(last) = appends.pop() {
        last.await.expect("the file takes bytes");
    }
    assert_eq!(length.await.expect("the file has a length"), 100);
    assert_eq!(content(&*file, 64).await, (0..100).collect::<Vec<u8>>());
}

/// `create` starts with an empty file.
pub async fn creating_empties_the_file_that_is_there(nodes: Arc<dyn Nodes>) {
    append(&*create(&nodes).await, b"old").await;
    let (disk, path) = spot(&nodes);
    let file = disk.create(&path).await.expect("the file can be replaced");
    assert_eq!(file.length().await.expect("the file has a length"), 0);
}

/// `create_new` never touches what another wrote.
pub async fn creating_new_refuses_a_name_that_is_taken(nodes: Arc<dyn Nodes>) {
    let file = create(&nodes).await;
    append(&*file, b"mine").await;
    let (disk, path) = spot(&nodes);
    let error = disk
        .create_new(&path)
        .await
        .err()
        .expect("the name is taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(content(&*file, 64).await, b"mine");
}

/// `open` changes nothing, and appends go behind what is there.
pub async fn an_opened_file_keeps_its_bytes(nodes: Arc<dyn Nodes>) {
    append(&*create(&nodes).await, b"before ").await;
    let (disk, path) = spot(&nodes);
    let file = disk.open(&path).await.expect("the file is there");
    append(&*file, b"after").await;
    assert_eq!(content(&*file, 64).await, b"before after");
}
