//! What damaged bytes and strange peers do: a clear failure, at once, and nothing else.
//!
//! The tests play the peer: they speak to the data port of a node that hosts the sink, as the task
//! manager that hosts the source.

use std::sync::Arc;
use std::time::Duration;

use sameriver_model::codec::wire;
use sameriver_model::{
    ChannelId, EdgeId, Failure, FailureKind, SlotIndex, SubtaskIndex, TaskManagerIndex,
};
use sameriver_runtime::io::{AsyncReadExt, AsyncWriteExt};
use sameriver_runtime::{ByteStream, World};

use super::chains::{Seen, Twist, numbers};
use super::rig::{ATTEMPT, Rig, subtask};
use crate::exchange::frame::{self, FrameError, FrameHeader, FrameKind, HEADER_BYTES};
use crate::exchange::hello::{HELLO_BYTES, Hello};
use crate::testing::TestWorld;
use crate::{SlotEvent, SlotSettings};

fn channel() -> ChannelId {
    let index = SubtaskIndex::new(0);
    ChannelId::new(EdgeId::new(0), index, index)
}

fn hello() -> Hello {
    Hello {
        build: 1,
        fingerprint: 0xF00D,
        attempt: ATTEMPT,
        from: TaskManagerIndex::new(1),
        to: TaskManagerIndex::new(0),
    }
}

fn frame(kind: FrameKind, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        kind,
        channel: channel(),
        sequence,
    };
    let mut bytes = Vec::new();
    frame::encode(header, 1 << 20, &mut bytes, |out| {
        out.extend(payload);
        Ok::<_, FrameError>(())
    })
    .unwrap();
    bytes
}

fn batch(sequence: u64, numbers: &[u64]) -> Vec<u8> {
    let payload = wire::encode(&(None::<Vec<i64>>, numbers)).unwrap();
    frame(FrameKind::Batch, sequence, &payload)
}

/// A node with the sink deployed, and what the test sends to it.
async fn node_with_sink(world: &World, seen: &Arc<Seen>) -> (Rig, Box<dyn ByteStream>) {
    let graph = numbers(1, 1, Twist::None, seen);
    let node = [world.clone()];
    let mut rig = Rig::start(&node, graph, SlotSettings::default(), None).await;
    let peer = (TaskManagerIndex::new(1), SlotIndex::new(1));
    rig.hosts.insert(subtask(0, 0), peer);
    rig.deploy(subtask(1, 0)).await;
    let running = rig.events.recv().await;
    assert!(matches!(running, Some(SlotEvent::Running { .. })));
    let stream = world.connect(rig.exchange(0).address()).await.unwrap();
    (rig, stream)
}

/// Says hello, sends `bytes`, and answers how the sink failed and what it saw.
fn failure_after(bytes: Vec<u8>, close: bool) -> (Failure, Vec<String>) {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let (node, inside) = (world.node("n0"), Arc::clone(&seen));
    let failure = world.block_on(async move {
        let (mut rig, mut stream) = node_with_sink(&node, &inside).await;
        stream.write_all(&hello().encode()).await.unwrap();
        let answer = Hello::read(&mut stream).await.unwrap();
        assert_eq!(answer, hello().answered());
        let mut grant = [0; HEADER_BYTES + 4];
        stream.read_exact(&mut grant).await.unwrap();
        assert_eq!(grant[..], frame(FrameKind::Credit, 0, &8_u32.to_le_bytes()));
        stream.write_all(&bytes).await.unwrap();
        if close {
            stream.shutdown().await.unwrap();
        }
        let failure = loop {
            if let SlotEvent::Failed { failure, .. } = rig.events.recv().await.unwrap() {
                break failure;
            }
        };
        drop(stream);
        failure
    });
    (failure, seen.log())
}

fn check(bytes: Vec<u8>, close: bool, kind: FailureKind, expected: &str) {
    let (failure, _) = failure_after(bytes, close);
    assert_eq!(failure.kind, kind, "{failure}");
    let message = failure.message;
    assert!(
        message.starts_with("data connection tm1 > tm0: "),
        "{message}"
    );
    assert!(
        message.contains(expected),
        "{message} does not say {expected}"
    );
}

#[test]
fn a_flipped_bit_anywhere_in_a_frame_is_found_at_once() {
    let good = batch(0, &[1, 2, 3]);
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 0x10;
        let part = if position < HEADER_BYTES {
            "the header of a frame was damaged"
        } else {
            "the payload of a frame was damaged"
        };
        check(bad, false, FailureKind::Cluster, part);
    }
}

#[test]
fn a_connection_that_ends_inside_a_frame_is_reported() {
    let good = batch(0, &[1, 2, 3]);
    for (kept, part) in [
        (1, "header"),
        (HEADER_BYTES, "payload"),
        (good.len() - 1, "payload"),
    ] {
        let expected = format!("it ended inside the {part} of a frame");
        check(good[..kept].to_vec(), true, FailureKind::Cluster, &expected);
    }
}

#[test]
fn a_connection_that_ends_before_its_channels_is_reported() {
    let expected = "it was closed before 1 of its channels had ended";
    check(batch(0, &[1]), true, FailureKind::Cluster, expected);
}

#[test]
fn a_connection_that_ends_behind_the_end_of_input_is_a_failure_until_the_sender_was_released() {
    let expected = "it was closed before 1 of its channels had ended";
    let end = frame(FrameKind::End, 0, &[]);
    check(end, true, FailureKind::Cluster, expected);
}

#[test]
fn behind_the_end_of_input_barriers_come_but_no_records() {
    let barrier = frame(FrameKind::Barrier, 1, &1_u64.to_le_bytes());
    let late = [frame(FrameKind::End, 0, &[]), barrier, batch(2, &[1])].concat();
    let expected = "a Batch frame of channel e0[0>0] came after its end";
    check(late, false, FailureKind::Cluster, expected);
    let (_, log) = failure_after(
        [
            frame(FrameKind::End, 0, &[]),
            frame(FrameKind::Close, 1, &[]),
            batch(2, &[1]),
        ]
        .concat(),
        false,
    );
    assert!(!log.contains(&"1".to_owned()), "{log:?}");
}

#[test]
fn an_announced_length_above_the_limit_is_refused_without_reading() {
    let mut huge = frame(FrameKind::Batch, 0, &[]);
    huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let crc = crc32c::crc32c(&huge[..29]).to_le_bytes();
    huge[29..33].copy_from_slice(&crc);
    let expected = "a frame of channel e0[0>0] has 4294967295 bytes, above frame_bytes 67108864";
    check(huge, false, FailureKind::Limit, expected);
}

#[test]
fn a_gap_and_a_repetition_in_the_numbers_are_refused() {
    let gap = [batch(0, &[1]), batch(2, &[3])].concat();
    let expected = "frame 2 of channel e0[0>0] came in place of 1";
    check(gap, false, FailureKind::Cluster, expected);
    let twice = [batch(0, &[1]), batch(0, &[1])].concat();
    let expected = "frame 0 of channel e0[0>0] came in place of 1";
    check(twice, false, FailureKind::Cluster, expected);
}

#[test]
fn a_batch_without_credit_is_refused() {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let node = world.node("n0");
    let failure = world.block_on(async move {
        seen.set_room(false);
        let (mut rig, mut stream) = node_with_sink(&node, &seen).await;
        stream.write_all(&hello().encode()).await.unwrap();
        let mut answer = [0; HELLO_BYTES + HEADER_BYTES + 4];
        stream.read_exact(&mut answer).await.unwrap();
        for sequence in 0..9 {
            stream.write_all(&batch(sequence, &[1])).await.unwrap();
        }
        match rig.events.recv().await {
            Some(SlotEvent::Failed { failure, .. }) => failure,
            other => panic!("not a failure: {other:?}"),
        }
    });
    let expected = "a batch of channel e0[0>0] came without credit";
    assert!(failure.message.contains(expected), "{failure}");
}

#[test]
fn a_frame_of_a_channel_that_is_not_open_is_refused() {
    let mut strange = frame(FrameKind::End, 0, &[]);
    strange[13] = 9;
    let crc = crc32c::crc32c(&strange[..29]).to_le_bytes();
    strange[29..33].copy_from_slice(&crc);
    let expected = "a frame belongs to e0[0>9], which is no open channel here";
    check(strange, false, FailureKind::Cluster, expected);
    let after_end = [frame(FrameKind::End, 0, &[]), batch(1, &[1])].concat();
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let node = world.node("n0");
    world.block_on(async move {
        let (mut rig, mut stream) = node_with_sink(&node, &seen).await;
        stream.write_all(&hello().encode()).await.unwrap();
        let mut answer = [0; HELLO_BYTES + HEADER_BYTES + 4];
        stream.read_exact(&mut answer).await.unwrap();
        stream.write_all(&after_end).await.unwrap();
        // The sink had all it waited for; whether it finishes or fails, it does not see the batch.
        assert!(rig.events.recv().await.is_some());
        assert!(seen.numbers().is_empty());
    });
}

#[test]
fn a_payload_that_is_no_batch_of_the_edge_is_refused() {
    let expected = "a batch of channel e0[0>0] cannot be decoded";
    let nonsense = frame(FrameKind::Batch, 0, &[0xFF; 11]);
    check(nonsense, false, FailureKind::User, expected);
    let expected = "a frame of channel e0[0>0] has a payload of 3 bytes, which does not fit";
    let short = frame(FrameKind::Watermark, 0, &[1, 2, 3]);
    check(short, false, FailureKind::Cluster, expected);
}

#[test]
fn what_came_before_a_bad_frame_was_good() {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let (node, inside) = (world.node("n0"), Arc::clone(&seen));
    world.block_on(async move {
        let (mut rig, mut stream) = node_with_sink(&node, &inside).await;
        stream.write_all(&hello().encode()).await.unwrap();
        let mut answer = [0; HELLO_BYTES + HEADER_BYTES + 4];
        stream.read_exact(&mut answer).await.unwrap();
        stream.write_all(&batch(0, &[4, 5])).await.unwrap();
        let mut credit = [0; HEADER_BYTES + 4];
        stream.read_exact(&mut credit).await.unwrap();
        assert_eq!(
            credit[..],
            frame(FrameKind::Credit, 1, &1_u32.to_le_bytes())
        );
        stream.write_all(&[0; HEADER_BYTES]).await.unwrap();
        let failed = rig.events.recv().await;
        assert!(matches!(failed, Some(SlotEvent::Failed { .. })));
    });
    assert_eq!(seen.log(), ["4", "5"]);
}

/// What a peer hears that says `bytes` in place of a hello: the end, or an answer and then the end.
fn answer_to(bytes: Vec<u8>) -> Vec<u8> {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let node = world.node("n0");
    world.block_on(async move {
        let (rig, mut stream) = node_with_sink(&node, &seen).await;
        stream.write_all(&bytes).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        drop(rig);
        heard
    })
}

#[test]
fn a_peer_that_says_no_hello_is_closed() {
    assert!(answer_to(b"GET / HTTP/1.1\r\n\r\n".to_vec()).is_empty());
    let mut damaged = hello().encode();
    damaged[20] ^= 1;
    assert!(answer_to(damaged.to_vec()).is_empty());
}

#[test]
fn a_peer_that_says_nothing_is_closed_after_the_connect_timeout() {
    let world = TestWorld::default();
    let (node, seen) = (world.node("n0"), Arc::new(Seen::default()));
    world.block_on(async move {
        let (_rig, mut stream) = node_with_sink(&node, &seen).await;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
    });
    assert!(world.elapsed() >= Duration::from_secs(10));
}

#[test]
fn strangers_are_let_in_up_to_a_limit_and_keep_no_peer_out() {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let (node, clock) = (world.node("n0"), world.node("clock"));
    let inside = world.clone();
    world.block_on(async move {
        let (rig, mut first) = node_with_sink(&node, &seen).await;
        let tasks = inside.running();
        let port = rig.exchange(0).address();
        let mut silent = Vec::new();
        for _ in 0..3 {
            for _ in 0..60 {
                silent.push(node.connect(port).await.unwrap());
            }
            clock.sleep(Duration::from_millis(1_500)).await;
            assert!(inside.running() - tasks <= 64, "each has a task");
        }
        let mut peer = node.connect(port).await.unwrap();
        peer.write_all(&hello().encode()).await.unwrap();
        let answer = Hello::read(&mut peer).await.unwrap();
        assert_eq!(answer, hello().answered());
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "it had to go");
    });
    assert!(
        world.elapsed() < Duration::from_secs(10),
        "{:?}",
        world.elapsed()
    );
}

#[test]
fn a_peer_of_another_build_hears_which_one_this_is_and_is_closed() {
    let other = Hello {
        build: 2,
        ..hello()
    };
    assert_eq!(
        answer_to(other.encode().to_vec()),
        hello().answered().encode()
    );
    let other = Hello {
        fingerprint: 2,
        ..hello()
    };
    assert_eq!(
        answer_to(other.encode().to_vec()),
        hello().answered().encode()
    );
}

/// The failure of a source whose peer answers the hello with `answer`.
fn failure_of_sender(answer: Vec<u8>) -> String {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let (node, peer) = (world.node("n0"), world.node("n1"));
    let failure = world.block_on(async move {
        let mut listener = peer.listen(&peer.any_port()).await.unwrap();
        let graph = numbers(1, 1, Twist::None, &seen);
        let mut rig = Rig::start(&[node], graph, SlotSettings::default(), None).await;
        let host = (TaskManagerIndex::new(1), SlotIndex::new(1));
        rig.hosts.insert(subtask(1, 0), host);
        rig.addresses.insert(host.0, listener.address());
        rig.deploy(subtask(0, 0)).await;
        let mut stream = listener.accept().await.unwrap();
        Hello::read(&mut stream).await.unwrap();
        stream.write_all(&answer).await.unwrap();
        drop(stream);
        match rig.run().await {
            super::rig::Ended::Failed(failure) => failure,
            super::rig::Ended::Finished(_) => panic!("the job finished"),
        }
    });
    assert_eq!(failure.kind, FailureKind::Cluster);
    failure.message
}

#[test]
fn a_sender_says_why_it_does_not_fit_its_peer() {
    let good = hello();
    for (answer, expected) in [
        (b"SSH-2.0-OpenSSH".to_vec(), "instead of a hello"),
        (Vec::new(), "it broke before it said who speaks"),
        (
            Hello { build: 9, ..good }.encode().to_vec(),
            "it was built as 0000000000000009, this node as 0000000000000001: run one build",
        ),
        (
            Hello {
                fingerprint: 9,
                ..good
            }
            .encode()
            .to_vec(),
            "its job has fingerprint 0000000000000009, this node's 000000000000f00d",
        ),
        (
            Hello {
                from: TaskManagerIndex::new(5),
                ..good
            }
            .encode()
            .to_vec(),
            "it is tm5 in attempt a1, not tm1",
        ),
        (
            good.encode().to_vec(),
            "it was closed before 1 of its channels had ended",
        ),
    ] {
        let message = failure_of_sender(answer);
        assert!(
            message.starts_with("data connection tm0 > tm1 at n1:"),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
}
