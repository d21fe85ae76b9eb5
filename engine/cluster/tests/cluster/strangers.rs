//! Task managers that run something else, or are none.

use std::sync::Arc;

use futures_util::future::join;
use sameriver_cluster::rpc::hello::{Hello, Identity, greet};
use sameriver_cluster::rpc::{FrameWriter, TaskManagerMessage};
use sameriver_cluster::{
    ClusterSettings, JobControl, JobEnd, JobMaster, JobOutcome, TaskManagerError, task_manager,
};
use sameriver_control::Incarnation;
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::io::{AsyncReadExt, AsyncWriteExt};
use sameriver_runtime::{Address, World};

use crate::job::{Input, Job, slots, world};

/// Runs a job of one task manager beside a visitor of its job master.
fn visit<F: Future>(visitor: impl FnOnce(World, Address) -> F) -> (JobOutcome, F::Output) {
    let tokio = world();
    tokio.block_on(async {
        let world = tokio.world();
        let master = JobMaster::bind(&world, &world.any_port()).await.unwrap();
        let (control, requests) = JobControl::pair();
        let visitor = visitor(world, master.address());
        let graph = Arc::new(Job::new(Input::Splits(1), 1).graph());
        let both = join(master.run(graph, slots(1), requests), visitor).await;
        drop(control);
        both
    })
}

fn message_of(outcome: &JobOutcome) -> String {
    match &outcome.status {
        JobEnd::Failed(failure) => failure.to_string(),
        end @ (JobEnd::Finished | JobEnd::Cancelled) => panic!("the job ended as {end}"),
    }
}

/// A task manager that does not fit, and then one that does, under the same index.
fn other_then_ours(
    fingerprint: u64,
    settings: ClusterSettings,
) -> (JobOutcome, Result<(), TaskManagerError>) {
    visit(|world, master| async move {
        let index = TaskManagerIndex::new(0);
        let run = |job: Job, settings: ClusterSettings| {
            let (world, masters) = (world.clone(), vec![master.clone()]);
            task_manager::run(world, masters, index, 1, Arc::new(job.graph()), settings)
        };
        let job = Job::new(Input::Splits(1), 1);
        let other = Job {
            fingerprint,
            ..job.clone()
        };
        let refused = run(other, settings).await;
        run(job, slots(1)).await.unwrap();
        refused
    })
}

#[test]
fn a_task_manager_with_another_graph_is_told_so_and_the_job_goes_on_without_it() {
    let (outcome, refused) = other_then_ours(8, slots(1));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "task manager tm0: the job master runs another job graph (0000000000000007, this node \
         0000000000000008): give the job function the same arguments and settings on all nodes"
    );
    assert_eq!(outcome.status, JobEnd::Finished);
}

#[test]
fn a_task_manager_of_another_build_is_told_both_builds_and_the_job_goes_on_without_it() {
    let settings = ClusterSettings {
        build: 0xb2,
        ..slots(1)
    };
    let ours = slots(1).build;
    let (outcome, refused) = other_then_ours(7, settings);
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!(
            "task manager tm0: the job master runs another build ({ours:016x}, this node \
             00000000000000b2): start the same binary on all nodes"
        )
    );
    assert_eq!(outcome.status, JobEnd::Finished);
}

/// Greets as task manager 0, registers, and then sends these bytes and waits.
async fn register_and_send(world: World, master: Address, bytes: Vec<u8>) {
    let mut stream = world.connect(&master).await.unwrap();
    let build = ClusterSettings::default().build;
    let identity = Identity {
        build,
        fingerprint: 7,
    };
    let task_manager = TaskManagerIndex::new(0);
    let hello = Hello {
        task_manager,
        incarnation: Incarnation::new(1),
        identity,
    };
    greet(&mut stream, hello).await.unwrap();
    // A slot too few, were it not for the bytes: the job would wait for this task manager.
    let register = TaskManagerMessage::Register {
        slots: 1,
        data_address: "127.0.0.1:1".to_owned(),
    };
    FrameWriter::new(&mut stream, 1024)
        .write(&register)
        .await
        .unwrap();
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
    let mut rest = Vec::new();
    // The job master closes, or resets: it does not leave us waiting.
    let _ = stream.read_to_end(&mut rest).await;
}

fn header(length: u32, sequence: u64) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

#[test]
fn a_task_manager_that_breaks_the_protocol_is_lost_with_the_reason() {
    let check = |bytes: Vec<u8>, expected: &str| {
        let (outcome, ()) = visit(|world, master| register_and_send(world, master, bytes));
        let message = message_of(&outcome);
        let expected = format!("task manager tm0 was lost: {expected}");
        assert!(message.starts_with(&expected), "{message}");
    };
    check(header(u32::MAX, 1), "frame 1 announces 4294967295 bytes");
    check(header(0, 2), "frame 2 came where 1 was expected");
    check(vec![0xff; 16], "header of frame 1 is damaged");
}

#[test]
fn a_stranger_does_not_disturb_a_job() {
    let (outcome, answered) = visit(|world, master| async move {
        let mut stream = world.connect(&master).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let job = Job::new(Input::Splits(1), 1);
        let (index, graph) = (TaskManagerIndex::new(0), Arc::new(job.graph()));
        let served = task_manager::run(world, vec![master], index, 1, graph, slots(1)).await;
        served.unwrap();
        answer
    });
    assert_eq!(outcome.status, JobEnd::Finished);
    assert_eq!(&answered[..8], b"samerctl");
}

#[test]
fn a_task_manager_without_a_job_master_names_its_address() {
    let tokio = world();
    let settings = ClusterSettings {
        registration_timeout: std::time::Duration::ZERO,
        ..slots(1)
    };
    let job = Job::new(Input::Splits(1), 1);
    let (index, graph) = (TaskManagerIndex::new(3), Arc::new(job.graph()));
    let master = Address::new("127.0.0.1:1");
    let run = task_manager::run(tokio.world(), vec![master], index, 1, graph, settings);
    let error = tokio.block_on(run).unwrap_err().to_string();
    let expected = "task manager tm3 does not reach the job master at 127.0.0.1:1";
    assert!(error.starts_with(expected), "{error}");
}
