//! Peers that are silent, stale or cut off: nobody believes them, and nobody waits for them.

use std::sync::Arc;
use std::time::Duration;

use sameriver_cluster::rpc::hello::{Hello, Identity, greet, receive, welcome};
use sameriver_cluster::rpc::{Deploy, FrameReader, FrameWriter, MasterMessage, TaskManagerMessage};
use sameriver_cluster::{ClusterSettings, JobEnd, JobStatus, TaskManagerError};
use sameriver_control::Incarnation;
use sameriver_model::{AttemptNumber, CheckpointId, JobNonce, TaskManagerIndex};
use sameriver_runtime::io::{AsyncReadExt, AsyncWriteExt, split};
use sameriver_runtime::sync::Notify;
use sameriver_runtime::{Address, ByteStream, Lane, Listener, World};
use tokio::io::copy;

use crate::job::{Block, Gate, Input, Job, all_of};
use crate::site::{Master, hasty, start_task_manager, store, until, world_with};

fn identity(settings: &ClusterSettings) -> Identity {
    Identity {
        build: settings.build,
        fingerprint: 7,
    }
}

/// Forwards connections to a job master until it is told to cut all that are open.
async fn proxy(world: &World, master: Address) -> (Address, Arc<Notify>) {
    let mut listener = world.listen(&world.any_port()).await.unwrap();
    let (address, cut) = (listener.address(), Arc::new(Notify::new()));
    let (own, told) = (world.clone(), Arc::clone(&cut));
    let forward = async move {
        loop {
            let near = listener.accept().await.unwrap();
            let far = own.connect(&master).await.unwrap();
            let told = Arc::clone(&told);
            let carry = async move {
                let (mut from_near, mut to_near) = split(near);
                let (mut from_far, mut to_far) = split(far);
                sameriver_runtime::select! {
                    () = told.notified() => {}
                    _ = copy(&mut from_near, &mut to_far) => {}
                    _ = copy(&mut from_far, &mut to_near) => {}
                }
            };
            own.spawn(Lane::Control, "carry", carry).detach();
        }
    };
    world.spawn(Lane::Control, "proxy", forward).detach();
    (address, cut)
}

#[test]
fn a_task_manager_whose_connection_is_cut_registers_again_and_the_job_goes_on() {
    let store = store();
    let tokio = world_with(&store);
    let settings = hasty();
    let gate = Arc::new(Gate::default());
    let job = Job {
        gate: Some((3, Arc::clone(&gate))),
        ..Job::new(Input::Splits(6), 1)
    };
    let outcome = tokio.block_on(async {
        let master = Master::bind(&tokio, "master").await;
        let (at, cut) = proxy(&tokio.node("proxy"), master.address()).await;
        let (control, running) = master.run(&job, &settings);
        let host = start_task_manager(&tokio, &[at], 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        control.checkpoint().await.unwrap();
        cut.notify_waiters();
        while control.report().await.unwrap().counts.restarts == 0 {}
        gate.open();
        let outcome = running.wait().await;
        host.wait().await.unwrap();
        outcome
    });
    assert_eq!(outcome.status, JobEnd::Finished);
    assert_eq!((outcome.counts.restarts, outcome.counts.restored), (1, 1));
    assert_eq!(job.committed.sorted(), all_of(6));
}

#[test]
fn a_task_manager_that_says_nothing_is_lost_after_the_heartbeat_time_out() {
    let store = store();
    let tokio = world_with(&store);
    let settings = ClusterSettings {
        heartbeat_timeout: Duration::from_millis(200),
        ..hasty()
    };
    let job = Job::new(Input::Splits(2), 1);
    let outcome = tokio.block_on(async {
        let master = Master::bind(&tokio, "master").await;
        let at = master.address();
        let (control, running) = master.run(&job, &settings);
        until(&control, JobStatus::Waiting).await;
        let mut silent = tokio.world().connect(&at).await.unwrap();
        greet(&mut silent, hello(&settings)).await.unwrap();
        register(&mut silent).await;
        while control.report().await.unwrap().status != JobStatus::Deploying {}
        // It is told to deploy, and answers nothing.
        while control.report().await.unwrap().status == JobStatus::Deploying {}
        let host = start_task_manager(&tokio, &[at], 0, &job, &settings);
        let outcome = running.wait().await;
        host.wait().await.unwrap();
        drop(silent);
        outcome
    });
    assert_eq!(outcome.status, JobEnd::Finished);
    assert_eq!(job.committed.sorted(), all_of(2));
}

fn hello(settings: &ClusterSettings) -> Hello {
    Hello {
        task_manager: TaskManagerIndex::new(0),
        incarnation: Incarnation::new(1),
        identity: identity(settings),
    }
}

async fn register(stream: &mut Box<dyn ByteStream>) {
    let register = TaskManagerMessage::Register {
        slots: 1,
        data_address: "127.0.0.1:1".to_owned(),
    };
    FrameWriter::new(stream, 1024)
        .write(&register)
        .await
        .unwrap();
}

/// Without a job log the next job master counts its attempts from 1 again: what the slot does late
/// to the first attempt of the old one would be done to that of the new one.
#[test]
fn a_task_manager_with_a_slot_that_does_not_stop_ends_rather_than_serve_the_next_job_master() {
    let tokio = world_with(&store());
    let settings = ClusterSettings {
        checkpoints: None,
        slots: 2,
        cancellation_timeout: Duration::from_millis(20),
        registration_timeout: Duration::from_millis(500),
        ..hasty()
    };
    let block = Arc::new(Block::default());
    let job = Job {
        block: Some(Arc::clone(&block)),
        ..Job::new(Input::Splits(6), 2)
    };
    let ended = tokio.block_on(async {
        let first = Master::bind(&tokio, "first").await;
        let second = Master::bind(&tokio, "second").await;
        let at = [first.address(), second.address()];
        let (control, leader) = first.run(&job, &settings);
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        while !block.holds_one() {
            control.report().await.unwrap();
        }
        leader.kill().await;
        let (_, heir) = second.run(&job, &settings);
        let ended = host.wait().await;
        heir.kill().await;
        block.lift();
        ended
    });
    assert!(
        matches!(ended, Err(TaskManagerError::Stuck { .. })),
        "{ended:?}"
    );
}

/// A job master of whom only the messages are real.
struct FakeMaster {
    listener: Box<dyn Listener>,
    identity: Identity,
}

impl FakeMaster {
    async fn bind(world: &World, settings: &ClusterSettings) -> Self {
        let listener = world.listen(&world.any_port()).await.unwrap();
        let identity = identity(settings);
        Self { listener, identity }
    }

    /// Takes the next connection of a task manager, says this, and answers what it said until it
    /// left.
    async fn serve(&mut self, messages: &[MasterMessage]) -> (Hello, Vec<TaskManagerMessage>) {
        let mut stream = self.listener.accept().await.unwrap();
        let hello = receive(&mut stream, self.identity).await.unwrap();
        welcome(&mut stream, self.identity).await.unwrap();
        let (from, to) = split(stream);
        let mut writer = FrameWriter::new(to, 1 << 20);
        for message in messages {
            writer.write(message).await.unwrap();
        }
        let mut reader = FrameReader::new(from, 1 << 20);
        let mut heard = Vec::new();
        while let Ok(Some(message)) = reader.read().await {
            heard.push(message);
        }
        drop(writer);
        (hello, heard)
    }
}

fn deploy(attempt: AttemptNumber) -> MasterMessage {
    MasterMessage::Deploy(Deploy {
        attempt,
        job: JobNonce::new(1),
        hosts: Vec::new(),
        addresses: Vec::new(),
        subtasks: Vec::new(),
        checkpoints: None,
        restore: None,
    })
}

#[test]
fn a_task_manager_leaves_who_deploys_an_older_attempt_or_says_nothing() {
    let store = store();
    let tokio = world_with(&store);
    let settings = ClusterSettings {
        heartbeat_timeout: Duration::from_millis(200),
        ..hasty()
    };
    let job = Job::new(Input::Splits(1), 1);
    let (first, second, third) = tokio.block_on(async {
        let mut master = FakeMaster::bind(&tokio.world(), &settings).await;
        let at = [master.listener.address()];
        let host = start_task_manager(&tokio, &at, 0, &job, &settings);
        // Silent after its deployment: left after the time-out.
        let first = master.serve(&[deploy(AttemptNumber::of_epoch(2, 1))]).await;
        // Deposed: left at once.
        let second = master.serve(&[deploy(AttemptNumber::of_epoch(1, 9))]).await;
        let third = master.serve(&[MasterMessage::Shutdown]).await;
        host.wait().await.unwrap();
        (first, second, third)
    });
    let beats = |heard: &[TaskManagerMessage]| {
        let beats = heard.iter().filter_map(|message| {
            let TaskManagerMessage::Heartbeat { beat } = message else {
                return None;
            };
            Some(*beat)
        });
        beats.collect::<Vec<_>>()
    };
    assert_eq!(beats(&first.1).first(), Some(&0));
    assert!(first.0.incarnation < second.0.incarnation);
    assert!(second.0.incarnation < third.0.incarnation);
    assert!(matches!(
        first.1[0],
        TaskManagerMessage::Register { slots: 1, .. }
    ));
}

#[test]
fn a_job_master_repeats_the_latest_checkpoint_in_its_heartbeats() {
    let store = store();
    let tokio = world_with(&store);
    // The eavesdropper carries one connection: none may be given up on a busy machine.
    let settings = ClusterSettings {
        hello_timeout: Duration::from_mins(1),
        heartbeat_timeout: Duration::from_mins(1),
        ..hasty()
    };
    let job = Job::new(Input::Silent, 1);
    let completed = tokio.block_on(async {
        let master = Master::bind(&tokio, "master").await;
        let (heard, mut beats) = sameriver_runtime::sync::mpsc::channel(64);
        let at = eavesdrop(&tokio.node("proxy"), master.address(), heard).await;
        let (control, running) = master.run(&job, &settings);
        let host = start_task_manager(&tokio, &[at], 0, &job, &settings);
        until(&control, JobStatus::Running).await;
        let taken = control.checkpoint().await.unwrap();
        let completed = loop {
            if let Some(MasterMessage::Heartbeat {
                completed: Some(completed),
                attempt,
                ..
            }) = beats.recv().await
            {
                assert_eq!(attempt, AttemptNumber::of_epoch(1, 1));
                break completed;
            }
        };
        assert_eq!(taken, completed);
        control.cancel().await;
        running.wait().await;
        host.wait().await.unwrap();
        completed
    });
    assert_eq!(completed, CheckpointId::new(1));
}

/// Forwards one connection to a job master, and tells what the job master says.
async fn eavesdrop(
    world: &World,
    master: Address,
    heard: sameriver_runtime::sync::mpsc::Sender<MasterMessage>,
) -> Address {
    let mut listener = world.listen(&world.any_port()).await.unwrap();
    let (address, own) = (listener.address(), world.clone());
    let forward = async move {
        let near = listener.accept().await.unwrap();
        let far = own.connect(&master).await.unwrap();
        let (mut from_near, mut to_near) = split(near);
        let (mut from_far, mut to_far) = split(far);
        let up = async {
            let _ = copy(&mut from_near, &mut to_far).await;
            let _ = to_far.shutdown().await;
        };
        let down = async {
            let mut verdict = [0; sameriver_cluster::rpc::hello::HELLO_BYTES];
            from_far.read_exact(&mut verdict).await.unwrap();
            to_near.write_all(&verdict).await.unwrap();
            to_near.flush().await.unwrap();
            let mut reader = FrameReader::new(from_far, 1 << 20);
            let mut writer = FrameWriter::new(to_near, 1 << 20);
            while let Ok(Some(message)) = reader.read::<MasterMessage>().await {
                writer.write(&message).await.unwrap();
                // Nobody may listen any more.
                let _ = heard.try_send(message);
            }
            let _ = writer.shutdown().await;
        };
        futures_util::future::join(up, down).await;
    };
    world.spawn(Lane::Control, "eavesdrop", forward).detach();
    address
}
