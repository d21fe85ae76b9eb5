//! Frames that are whole, cut, damaged, repeated, missing and too long.

use sameriver_model::{AttemptNumber, SubtaskId, SubtaskIndex, VertexId};
use sameriver_runtime_tokio::TokioWorld;

use super::*;
use crate::rpc::{InOrder, MasterMessage, TaskManagerMessage};

const LIMIT: u32 = 1024;

fn wait<F: Future>(future: F) -> F::Output {
    TokioWorld::builder().build().unwrap().block_on(future)
}

fn cancel(attempt: u32) -> MasterMessage {
    let attempt = AttemptNumber::new(attempt);
    MasterMessage::Cancel { attempt }
}

/// The bytes of these messages on a connection.
fn sent(messages: &[MasterMessage]) -> Vec<u8> {
    let mut bytes = Vec::new();
    wait(async {
        let mut writer = FrameWriter::new(&mut bytes, LIMIT);
        for message in messages {
            writer.write(message).await.unwrap();
        }
    });
    bytes
}

/// A frame with right checksums and whatever else.
fn forged(length: u32, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend(payload);
    bytes.extend(crc32c::crc32c(payload).to_le_bytes());
    bytes
}

/// Reads until the first error or end from a peer that stays open and silent after its bytes, or
/// closes.
fn received(bytes: &[u8], closes: bool) -> (Vec<MasterMessage>, Option<FrameError>) {
    wait(async {
        let (mut near, far) = tokio::io::duplex(bytes.len().max(1));
        near.write_all(bytes).await.unwrap();
        let open = (!closes).then_some(near);
        let mut reader = FrameReader::new(far, LIMIT);
        let mut messages = Vec::new();
        let error = loop {
            match reader.read().await {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        drop(open);
        (messages, error)
    })
}

fn error_of(bytes: &[u8]) -> String {
    let (messages, error) = received(bytes, false);
    assert_eq!(messages, [], "nothing is believed");
    error.unwrap().to_string()
}

#[test]
fn messages_come_back_in_order_until_the_peer_ends() {
    let messages = [cancel(1), MasterMessage::Shutdown];
    let (back, error) = received(&sent(&messages), true);
    assert_eq!(back, messages);
    assert!(error.is_none());
}

#[test]
fn a_peer_that_announces_four_gibibytes_is_refused_at_once() {
    let error = error_of(&forged(u32::MAX, 0, b""));
    assert_eq!(
        error,
        "frame 0 announces 4294967295 bytes, the limit is 1024: raise control_frame_bytes on \
         all nodes, or distrust the peer"
    );
}

#[test]
fn a_message_above_the_limit_is_not_sent() {
    let splits = vec![vec![0; 2000]];
    let (subtask, attempt) = (
        SubtaskId::new(VertexId::new(0), SubtaskIndex::new(0)),
        AttemptNumber::new(1),
    );
    let assign = MasterMessage::Assign {
        order: InOrder(0),
        subtask,
        attempt,
        splits,
        no_more: true,
    };
    let mut bytes = Vec::new();
    let error = wait(FrameWriter::new(&mut bytes, LIMIT).write(&assign)).unwrap_err();
    assert!(error.to_string().contains("raise control_frame_bytes"));
    assert_eq!(bytes, []);
}

#[test]
fn a_flip_of_any_bit_of_any_byte_is_an_error_without_a_wait() {
    let bytes = sent(&[cancel(1)]);
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            let error = error_of(&damaged);
            assert!(
                error.contains("frame 0 is damaged"),
                "byte {position}: {error}"
            );
        }
    }
}

#[test]
fn a_connection_that_ends_inside_a_frame_is_an_error_and_between_frames_is_not() {
    let first = sent(&[cancel(1)]).len();
    let bytes = sent(&[cancel(1), cancel(2)]);
    for end in 0..=bytes.len() {
        let (messages, error) = received(&bytes[..end], true);
        assert_eq!(messages.len(), end / first, "cut at {end}");
        match error {
            None => assert_eq!(end % first, 0, "cut at {end}"),
            Some(error) => {
                assert!(
                    matches!(error, FrameError::Truncated { .. }),
                    "cut at {end}: {error}"
                );
            }
        }
    }
}

#[test]
fn a_missing_and_a_repeated_frame_are_errors() {
    let bytes = sent(&[cancel(1), cancel(2)]);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(
        error_of(second),
        "frame 1 came where 0 was expected: the connection lost its order: run one version on all \
         nodes"
    );
    let (messages, error) = received(&[first, first].concat(), false);
    assert_eq!(messages, [cancel(1)]);
    let error = error.unwrap().to_string();
    assert!(
        error.starts_with("frame 0 came where 1 was expected"),
        "{error}"
    );
}

#[test]
fn a_payload_that_is_no_message_is_an_error() {
    let error = error_of(&forged(4, 0, &[99, 0, 0, 0]));
    assert!(
        error.starts_with("frame 0 holds no message that this node knows"),
        "{error}"
    );
}

#[test]
fn the_bytes_of_a_frame_are_those_of_the_documentation() {
    let running = TaskManagerMessage::Running {
        subtask: SubtaskId::new(VertexId::new(3), SubtaskIndex::new(2)),
        attempt: AttemptNumber::new(1),
    };
    let mut bytes = Vec::new();
    wait(FrameWriter::new(&mut bytes, LIMIT).write(&running)).unwrap();
    assert!(crate::rpc::is_documented(&bytes), "{bytes:02x?}");
}
