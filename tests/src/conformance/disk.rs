//! Names on a disk.
//!
//! Invariant: every refusal has the error kind that callers branch on.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sameriver_runtime::{Disk, EntryKind, Published};

use super::Nodes;

/// Writes a whole file.
async fn write(disk: &Arc<dyn Disk>, path: &Path, text: &'static str) {
    let file = disk.create(path).await.expect("the file can be created");
    file.append(Bytes::from_static(text.as_bytes()))
        .await
        .expect("the file takes bytes");
}

/// Reads a whole small file.
async fn read(disk: &Arc<dyn Disk>, path: &Path) -> String {
    let file = disk.open(path).await.expect("the file is there");
    let bytes = file.read_at(0, 64).await.expect("the file can be read");
    String::from_utf8(bytes.to_vec()).expect("the suite writes text")
}

fn refusal<T>(answer: io::Result<T>) -> ErrorKind {
    answer.err().expect("the operation is refused").kind()
}

/// What a path names, without opening it.
pub async fn an_entry_is_a_file_with_its_length_or_a_directory(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let (file, folder) = (home.join("file"), home.join("outer/inner"));
    write(&disk, &file, "12345").await;
    disk.create_directories(&folder)
        .await
        .expect("folders can be created");
    disk.create_directories(&folder)
        .await
        .expect("folders that are there are no error");
    let length = disk.entry(&file).await.expect("the file is there");
    assert_eq!(length, EntryKind::File { length: 5 });
    assert_eq!(
        disk.entry(&folder).await.expect("the folder is there"),
        EntryKind::Directory
    );
}

/// The first publisher gets the name; the second is told, and nothing is overwritten.
pub async fn a_published_file_gets_its_name_once(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let (one, two, name) = (home.join("one"), home.join("two"), home.join("final"));
    write(&disk, &one, "one").await;
    write(&disk, &two, "two").await;
    let first = disk.publish(&one, &name).await.expect("the name is free");
    let second = disk
        .publish(&two, &name)
        .await
        .expect("a taken name is an answer");
    assert_eq!((first, second), (Published::Created, Published::Exists));
    assert_eq!(read(&disk, &name).await, "one");
    assert_eq!(
        disk.list(&home).await.expect("the folder is there"),
        ["final", "two"]
    );
}

/// There is nothing to give a name to.
pub async fn publishing_a_missing_file_fails(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let answer = disk
        .publish(&home.join("missing"), &home.join("final"))
        .await;
    assert_eq!(refusal(answer), ErrorKind::NotFound);
    assert!(
        disk.list(&home)
            .await
            .expect("the folder is there")
            .is_empty()
    );
}

/// A rename leaves one file: the renamed one.
pub async fn a_renamed_file_replaces_what_had_the_name(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let (new, name) = (home.join("new"), home.join("name"));
    write(&disk, &name, "old").await;
    write(&disk, &new, "new").await;
    disk.rename(&new, &name)
        .await
        .expect("a taken name is replaced");
    disk.sync_directory(&home)
        .await
        .expect("a folder can be synced");
    assert_eq!(read(&disk, &name).await, "new");
    assert_eq!(
        disk.list(&home).await.expect("the folder is there"),
        ["name"]
    );
}

/// Names come in byte order, folders among them, without what they hold.
pub async fn a_list_is_sorted_and_names_only_its_folder(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    for name in ["b", "a", "ä", "B", "10", "9"] {
        write(&disk, &home.join(name), name).await;
    }
    disk.create_directories(&home.join("c/d"))
        .await
        .expect("folders can be created");
    let names = disk.list(&home).await.expect("the folder is there");
    assert_eq!(names, ["10", "9", "B", "a", "b", "c", "ä"]);
}

/// A removed name is free again.
pub async fn a_removed_file_is_gone(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let path = home.join("file");
    write(&disk, &path, "gone").await;
    disk.remove(&path).await.expect("the file is there");
    assert_eq!(refusal(disk.entry(&path).await), ErrorKind::NotFound);
    disk.create_new(&path).await.expect("the name is free");
}

/// Every operation on a name that is not there says so.
pub async fn what_is_missing_is_not_found(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let missing = home.join("missing");
    let below = missing.join("file");
    let kinds = [
        refusal(disk.open(&missing).await),
        refusal(disk.entry(&missing).await),
        refusal(disk.list(&missing).await),
        refusal(disk.rename(&missing, &home.join("name")).await),
        refusal(disk.remove(&missing).await),
        refusal(disk.sync_directory(&missing).await),
        refusal(disk.create(&below).await),
        refusal(disk.create_new(&below).await),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 8]);
}

/// A folder where a file is meant is an error of its own kind.
pub async fn a_directory_is_not_a_file(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let folder = home.join("folder");
    disk.create_directories(&folder)
        .await
        .expect("folders can be created");
    let kinds = [
        refusal(disk.open(&folder).await),
        refusal(disk.create(&folder).await),
        refusal(disk.remove(&folder).await),
        refusal(disk.publish(&folder, &home.join("final")).await),
    ];
    assert_eq!(kinds, [ErrorKind::IsADirectory; 4]);
    assert_eq!(
        refusal(disk.create_new(&folder).await),
        ErrorKind::AlreadyExists
    );
}

/// A file where a folder is meant is an error of its own kind.
pub async fn a_file_is_not_a_directory(nodes: Arc<dyn Nodes>) {
    let (disk, home) = (nodes.world("a").disk(), nodes.directory());
    let file = home.join("file");
    write(&disk, &file, "text").await;
    let kinds = [
        refusal(disk.list(&file).await),
        refusal(disk.sync_directory(&file).await),
        refusal(disk.open(&file.join("below")).await),
        refusal(disk.create(&file.join("below")).await),
    ];
    assert_eq!(kinds, [ErrorKind::NotADirectory; 4]);
}
