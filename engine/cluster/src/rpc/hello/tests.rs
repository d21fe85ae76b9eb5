//! Nodes that match, nodes that do not, and strangers.

use futures_util::future::join;
use sameriver_runtime_tokio::TokioWorld;
use tokio::io::duplex;

use super::*;

const OURS: Identity = Identity {
    build: 0xb1,
    fingerprint: 0xf1,
};

fn wait<F: Future>(future: F) -> F::Output {
    TokioWorld::builder().build().unwrap().block_on(future)
}

fn hello(identity: Identity) -> Hello {
    Hello {
        task_manager: TaskManagerIndex::new(1),
        incarnation: Incarnation::new(0xa1),
        identity,
    }
}

/// What both sides say when a task manager with `identity` meets a master with [`OURS`].
fn meet(identity: Identity) -> (Result<(), String>, Result<Hello, String>) {
    wait(async {
        let (mut near, mut far) = duplex(64);
        let master = async {
            let received = receive(&mut far, OURS).await;
            if received.is_ok() {
                welcome(&mut far, OURS).await.unwrap();
            }
            received
        };
        let (greeted, received) = join(greet(&mut near, hello(identity)), master).await;
        let text = |error: HelloError| error.to_string();
        (greeted.map_err(text), received.map_err(text))
    })
}

/// What a master says to these first bytes, and the verdict that it answers.
fn knock(bytes: &[u8]) -> (HelloError, Option<u32>) {
    wait(async {
        let (mut near, mut far) = duplex(64);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let error = receive(&mut far, OURS).await.unwrap_err();
        drop(far);
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        let verdict = answer.get(12..16);
        (
            error,
            verdict.map(|four| u32::from_le_bytes(four.try_into().unwrap())),
        )
    })
}

#[test]
fn nodes_with_one_build_and_one_graph_meet() {
    assert_eq!(meet(OURS), (Ok(()), Ok(hello(OURS))));
}

#[test]
fn another_build_is_named_on_both_sides() {
    let theirs = Identity {
        build: 0xb2,
        ..OURS
    };
    let (greeted, received) = meet(theirs);
    assert_eq!(
        received.unwrap_err(),
        "task manager tm1 runs another build (00000000000000b2, this node 00000000000000b1): start \
         the same binary on all nodes"
    );
    let greeted = greeted.unwrap_err();
    assert!(greeted.starts_with("the job master runs another build (00000000000000b1"));
}

#[test]
fn another_graph_is_named_on_both_sides() {
    let theirs = Identity {
        fingerprint: 0xf2,
        ..OURS
    };
    let (greeted, received) = meet(theirs);
    let received = received.unwrap_err();
    assert!(
        received.starts_with("task manager tm1 runs another job graph"),
        "{received}"
    );
    let greeted = greeted.unwrap_err();
    assert!(
        greeted.starts_with("the job master runs another job graph"),
        "{greeted}"
    );
}

#[test]
fn a_stranger_is_told_from_a_task_manager_by_its_first_bytes() {
    let (error, verdict) = knock(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(
        error
            .to_string()
            .contains("does not speak the control protocol"),
        "{error}"
    );
    assert_eq!(
        (error.task_manager(), verdict),
        (None, Some(verdict::OTHER_MAGIC))
    );
}

#[test]
fn another_version_is_named_on_both_sides() {
    let bytes = layout(5, 1, OURS, 0xa1);
    let (error, verdict) = knock(&bytes[..16]);
    assert_eq!(
        error.to_string(),
        "task manager tm1 speaks version 5 of the control protocol, this node version 4: run one \
         release on all nodes"
    );
    assert_eq!(error.task_manager(), Some(TaskManagerIndex::new(1)));
    assert_eq!(verdict, Some(verdict::OTHER_VERSION));
    let answered = wait(async {
        let (mut near, mut far) = duplex(64);
        far.write_all(&layout(5, verdict::OTHER_VERSION, OURS, 0))
            .await
            .unwrap();
        greet(&mut near, hello(OURS)).await
    });
    let error = answered.unwrap_err().to_string();
    assert!(
        error.starts_with("the job master speaks version 5"),
        "{error}"
    );
}

#[test]
fn a_hello_that_ends_early_says_after_how_many_bytes() {
    let bytes = layout(PROTOCOL_VERSION, 1, OURS, 0xa1);
    for end in 0..HELLO_BYTES {
        let (error, verdict) = knock(&bytes[..end]);
        let expected = format!("the connection ended after {end} of 40 bytes of the hello");
        assert_eq!((error.to_string(), verdict), (expected, None));
    }
}

#[test]
fn a_refused_task_manager_learns_why() {
    let all = [
        Refusal::Unknown,
        Refusal::Duplicate,
        Refusal::NotWaiting,
        Refusal::StandingBy,
        Refusal::Over,
    ];
    for reason in all {
        let greeted = wait(async {
            let (mut near, mut far) = duplex(64);
            refuse(&mut far, OURS, reason).await.unwrap();
            greet(&mut near, hello(OURS)).await
        });
        let expected = format!("the job master refuses task manager tm1: {reason}");
        assert_eq!(greeted.unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_bytes_of_a_hello_are_those_of_the_documentation() {
    let bytes = layout(PROTOCOL_VERSION, 1, OURS, 0xa1);
    assert!(crate::rpc::is_documented(&bytes), "{bytes:02x?}");
}
