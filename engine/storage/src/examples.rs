//! The examples of `docs/formats.md`, for tests.

use sameriver_model::{
    AttemptNumber, CheckpointId, CheckpointMetadata, CheckpointRef, FileHandle, JobNonce,
    JobRecord, KeyGroup, MaxParallelism, ProcessingTime, RecordStatus, SectionId, SectionKind,
    SubtaskId, SubtaskIndex, SubtaskState, Uid, VertexId,
};

pub(crate) fn subtask() -> SubtaskId {
    SubtaskId::new(VertexId::new(3), SubtaskIndex::new(2))
}

pub(crate) fn attempt() -> AttemptNumber {
    AttemptNumber::of_epoch(2, 1)
}

pub(crate) fn keyed(group: u32) -> SectionId {
    SectionId {
        operator: Uid::new("totals"),
        state: "count".to_owned(),
        kind: SectionKind::Keyed,
        group: Some(KeyGroup::new(group)),
    }
}

pub(crate) fn metadata() -> CheckpointMetadata {
    let file = FileHandle {
        path: crate::layout::snapshot(attempt(), CheckpointId::new(17), subtask(), 0xb1),
        length: 112,
        crc: 0xc0ff_ee00,
    };
    CheckpointMetadata {
        id: CheckpointId::new(17),
        attempt: attempt(),
        fingerprint: 0xf1,
        max_parallelism: MaxParallelism::default(),
        subtasks: vec![SubtaskState {
            subtask: subtask(),
            files: vec![file],
            is_ended: false,
        }],
        enumerators: vec![(VertexId::new(0), vec![1, 2])],
        ended: false,
        created: ProcessingTime::from_millis(1_000),
    }
}

pub(crate) fn checkpoint_ref() -> CheckpointRef {
    let bytes = crate::metadata::encode(&metadata());
    CheckpointRef {
        id: CheckpointId::new(17),
        attempt: attempt(),
        metadata: FileHandle {
            path: crate::layout::metadata(attempt(), CheckpointId::new(17)),
            length: bytes.len() as u64,
            crc: crc32c::crc32c(&bytes),
        },
    }
}

pub(crate) fn record() -> JobRecord {
    JobRecord {
        sequence: 5,
        epoch: 2,
        nonce: 0xb1,
        job: JobNonce::new(0x1f3c_09ab_0000_0000),
        fingerprint: 0xf1,
        status: RecordStatus::Running,
        latest: Some(checkpoint_ref()),
        retained: vec![checkpoint_ref()],
    }
}

/// The bytes that the page shows for an example.
pub(crate) fn published(example: &str) -> &'static str {
    let page = include_str!("../../../docs/formats.md");
    let row = page
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {example} | `")));
    let row = row.expect("the page has the example");
    row.strip_suffix("` |")
        .expect("the row ends with the bytes")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}
