//! Audits: what is whole, what is not, and what nobody needs.

use bytes::Bytes;
use sameriver_model::{CheckpointMetadata, FileHandle, RecordStatus, SectionWriter};

use super::*;
use crate::examples;
use crate::job_log::encode;
use crate::layout::LeaderBeatName;
use crate::memory_blobs::MemoryBlobs;
use crate::metadata::write_metadata;
use crate::now;
use crate::snapshot_file::SnapshotFileWriter;

const RECORD: &str = "totals/log/00000000000000000005";

async fn snapshot(store: &MemoryBlobs) -> FileHandle {
    let path = examples::metadata().subtasks[0].files[0].path.clone();
    let file = SnapshotFileWriter::begin(store, "totals", &path).await;
    let mut file = file.expect("memory takes the file");
    let mut writer = SectionWriter::default();
    writer.section(examples::keyed(1), |out| out.extend([1, 2, 3]));
    let written = file.write(writer.take().into()).await;
    written.expect("memory takes the bytes");
    let finished = file.finish(writer.into_sections()).await;
    finished.expect("the name is free")
}

async fn put(store: &MemoryBlobs, path: &str, bytes: impl Into<Bytes>) {
    let created = store.create(path, vec![bytes.into()]).await;
    created.expect("memory takes the object");
}

/// A job with c17, kept by record 5, and a file that a dead leader left.
async fn store() -> MemoryBlobs {
    let store = MemoryBlobs::new("memory:cp");
    let mut metadata: CheckpointMetadata = examples::metadata();
    metadata.subtasks[0].files = vec![snapshot(&store).await];
    let named = write_metadata(&store, "totals", &metadata).await;
    let named = named.expect("memory takes the file");
    let record = JobRecord {
        status: RecordStatus::Running,
        latest: Some(named.clone()),
        retained: vec![named],
        ..examples::record()
    };
    put(&store, RECORD, encode(&record)).await;
    put(
        &store,
        "totals/snap/1/4/c9/v0-0-00000000000000aa",
        "abandoned",
    )
    .await;
    put(&store, "totals/notes.txt", "mine").await;
    let beat = LeaderBeatName {
        sequence: 5,
        beat: 2,
        nonce: 0xb1,
    };
    put(&store, &format!("totals/{beat}"), "host:1").await;
    store
}

fn text(store: &MemoryBlobs) -> String {
    let audit = now(audit(store, "totals"));
    audit.expect("memory can be listed").to_string()
}

#[test]
fn a_whole_job_is_told_with_its_checkpoints_records_and_orphans() {
    let store = now(store());
    assert_eq!(now(jobs(&store)), Ok(vec!["totals".to_owned()]));
    assert_eq!(
        text(&store),
        "totals in memory:cp: the job is running; 1 checkpoint, whole\n\
         \n\
         checkpoint  standing  complete at               attempt  files  bytes  verdict\n\
         c17         latest    1970-01-01 00:00:01.000Z  a2.1     1      103    whole\n\
         \n\
         record  epoch  latest  retained  the job\n\
         5       2      c17     c17       running\n\
         \n\
         not needed                                                        \
         bytes  why\n\
         alive/00000000000000000005-00000000000000000002-00000000000000b1  \
         6      a leader's sign of life: the next leader removes it\n\
         notes.txt                                                         \
         4      not written by sameriver: it is never touched\n\
         snap/1/4/c9/v0-0-00000000000000aa                                 \
         9      of no kept checkpoint: the next leader removes it\n"
    );
}

#[test]
fn a_damaged_snapshot_is_told_with_its_reason_and_its_remedy() {
    let store = now(store());
    let path = "totals/snap/2/1/c17/v3-2-00000000000000b1";
    now(async {
        let mut bytes = store.read(path).await.expect("the file is there").to_vec();
        bytes[13] ^= 1;
        store.remove(path).await.expect("memory forgets");
        put(&store, path, bytes).await;
    });
    let told = text(&store);
    assert!(told.contains("1 checkpoint, NOT whole"), "{told}");
    assert!(
        told.contains("c17: snap/2/1/c17/v3-2-00000000000000b1 is damaged: the file has checksum"),
        "{told}"
    );
}

#[test]
fn a_damaged_newest_record_is_told_and_the_job_is_not_called_whole() {
    let store = now(store());
    now(put(&store, "totals/log/00000000000000000006", "garbage"));
    let audit = now(audit(&store, "totals")).expect("memory can be listed");
    assert!(!audit.is_whole());
    let told = audit.to_string();
    assert!(
        told.contains("not known, its newest record is not readable"),
        "{told}"
    );
    assert!(
        told.contains("record 6: log/00000000000000000006 begins with"),
        "{told}"
    );
}

#[test]
fn checkpoints_of_a_job_without_a_log_are_verified_too() {
    let store = now(store());
    now(store.remove(RECORD)).expect("memory forgets");
    let audit = now(audit(&store, "totals")).expect("memory can be listed");
    let rows: Vec<_> = audit
        .checkpoints
        .iter()
        .map(|row| (row.standing, row.files))
        .collect();
    assert_eq!(rows, [(Standing::WithoutLog, 1)]);
    assert!(audit.is_whole());
}
