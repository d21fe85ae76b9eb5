//! Promises of the exchange between task managers, over streams in memory and over sockets.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sameriver_model::{AnyBatch, FailureKind, TaskManagerIndex};
use sameriver_operator::{EdgeCodec, WireEdge};
use sameriver_runtime::io::AsyncReadExt;
use sameriver_runtime::{Address, World};
use sameriver_runtime_tokio::TokioWorld;

use super::chains::{Seen, Twist, numbers, numbers_over};
use super::rig::{ATTEMPT, Ended, Rig, subtask};
use crate::testing::TestWorld;
use crate::{SlotMail, SlotSettings};

const COUNT: u64 = 20_000;

/// All numbers from the sources of all nodes to sinks on the second node.
async fn carry(worlds: &[World], sources: u32, sinks: u32, seen: Arc<Seen>) {
    let graph = numbers(sources, sinks, Twist::None, &seen);
    let rig = Rig::start(worlds, graph, SlotSettings::default(), Some(1)).await;
    let mut rig = rig.splits((0..10).map(|n| (n * COUNT / 10, (n + 1) * COUNT / 10)));
    rig.finish().await;
    rig.stop().await;
    assert_eq!(seen.numbers(), (0..COUNT).collect::<Vec<u64>>());
}

fn nodes(world: &TestWorld, count: u32) -> Vec<World> {
    (0..count).map(|n| world.node(&format!("n{n}"))).collect()
}

#[test]
fn what_one_task_manager_sends_arrives_at_the_other() {
    let world = TestWorld::default();
    let worlds = nodes(&world, 2);
    let seen = Arc::default();
    world.block_on(async move { carry(&worlds, 1, 1, seen).await });
}

#[test]
fn many_channels_share_a_connection() {
    let world = TestWorld::default();
    let worlds = nodes(&world, 3);
    let seen = Arc::default();
    world.block_on(async move { carry(&worlds, 5, 1, seen).await });
}

#[test]
fn what_one_task_manager_sends_arrives_at_the_other_over_sockets() {
    let world = TokioWorld::builder().build().unwrap();
    let worlds = [world.node("one"), world.node("two")];
    let seen = Arc::default();
    world.block_on(carry(&worlds, 4, 1, seen));
}

/// Runs a job on two nodes with the sink on the second one; answers what `act` gives.
fn act<R: Send + 'static, F: Future<Output = R> + Send + 'static>(
    act: impl FnOnce(TestWorld, Arc<Seen>, Rig) -> F + Send + 'static,
) -> R {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let worlds = nodes(&world, 2);
    let graph = numbers(1, 1, Twist::None, &seen);
    let inside = world.clone();
    world.block_on(async move {
        let rig = Rig::start(&worlds, graph, SlotSettings::default(), Some(1)).await;
        act(inside, seen, rig.splits([(0, 1_000_000)])).await
    })
}

async fn answer_events(rig: &mut Rig, count: u32) {
    for _ in 0..count {
        let event = rig.events.recv().await.unwrap();
        rig.answer(&event).await;
    }
}

#[test]
fn nothing_is_sent_before_the_receiver_is_deployed() {
    act(|world, seen, mut rig| async move {
        rig.deploy(subtask(0, 0)).await;
        answer_events(&mut rig, 2).await;
        let clock = world.node("clock");
        clock.sleep(Duration::from_secs(1)).await;
        let read: u64 = world.charged().iter().filter(|n| **n > 1).sum();
        assert_eq!(read, 8 * 256, "the sender's buffers are full");
        rig.deploy(subtask(1, 0)).await;
        clock.sleep(Duration::from_secs(100)).await;
        assert!(seen.numbers().len() > 10_000);
    });
}

#[test]
fn a_sink_without_room_stops_the_source_on_the_other_task_manager() {
    act(|world, seen, mut rig| async move {
        seen.set_room(false);
        rig.deploy_all().await;
        answer_events(&mut rig, 3).await;
        let clock = world.node("clock");
        clock.sleep(Duration::from_secs(1)).await;
        let read: u64 = world.charged().iter().filter(|n| **n > 1).sum();
        assert_eq!(read, 2 * 8 * 256, "the buffers of both ends are full");
        let polls = world.polls();
        clock.sleep(Duration::from_secs(100)).await;
        assert!(world.polls() - polls < 5, "both slots sleep");
        seen.set_room(true);
        clock.sleep(Duration::from_secs(1_000)).await;
        assert_eq!(seen.numbers().len(), 1_000_000);
    });
}

/// The failure of a source whose sink is at a task manager with this address.
fn failure_of_sender(address: Option<&str>) -> String {
    let (world, seen) = (TestWorld::default(), Arc::new(Seen::default()));
    let worlds = nodes(&world, 1);
    let address = address.map(Address::new);
    let failure = world.block_on(async move {
        let graph = numbers(1, 1, Twist::None, &seen);
        let rig = Rig::start(&worlds, graph, SlotSettings::default(), None).await;
        let mut rig = rig.splits([(0, 10)]);
        let gone = TaskManagerIndex::new(7);
        let slot = rig.hosts[&subtask(1, 0)].1;
        rig.hosts.insert(subtask(1, 0), (gone, slot));
        rig.addresses.extend(address.map(|address| (gone, address)));
        rig.deploy(subtask(0, 0)).await;
        match rig.run().await {
            Ended::Failed(failure) => failure,
            Ended::Finished(_) => panic!("the job finished"),
        }
    });
    assert_eq!(failure.kind, FailureKind::Cluster);
    failure.message
}

#[test]
fn a_peer_that_cannot_be_reached_fails_even_a_sender_that_has_nothing_more_to_send() {
    assert_eq!(
        failure_of_sender(None),
        "data connection tm0 > tm7: the placement has no address for it: the cluster must name one"
    );
    assert_eq!(
        failure_of_sender(Some("n7:1")),
        "data connection tm0 > tm7 at n7:1: cannot connect: connection refused: check that the \
         node runs and that its data port can be reached"
    );
}

#[test]
fn a_cancelled_attempt_leaves_nothing_behind() {
    act(|world, seen, mut rig| async move {
        rig.deploy_all().await;
        answer_events(&mut rig, 3).await;
        let clock = world.node("clock");
        clock.sleep(Duration::from_millis(1)).await;
        for vertex in 0..2 {
            let mail = SlotMail::Cancel { attempt: ATTEMPT };
            rig.send(subtask(vertex, 0), mail).await;
        }
        answer_events(&mut rig, 2).await;
        let before = seen.numbers().len();
        clock.sleep(Duration::from_secs(10)).await;
        assert_eq!(seen.numbers().len(), before);
        rig.stop().await;
    });
}

/// Notes on which threads batches are encoded and decoded.
struct Watched {
    codec: WireEdge<u64>,
    threads: Mutex<BTreeSet<String>>,
}

impl Watched {
    fn note(&self, what: &str) {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        self.threads
            .lock()
            .unwrap()
            .insert(format!("{what} {thread}"));
    }
}

impl EdgeCodec for Watched {
    fn encode(
        &self,
        batch: &dyn AnyBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.note("encoded on");
        self.codec.encode(batch, out)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Box<dyn AnyBatch>, Box<dyn Error + Send + Sync>> {
        self.note("decoded on");
        self.codec.decode(bytes)
    }
}

#[test]
fn records_are_encoded_and_decoded_on_threads_that_carry_no_control_message() {
    let world = TokioWorld::builder().build().unwrap();
    let worlds = [world.node("one"), world.node("two")];
    let watched = Arc::new(Watched {
        codec: WireEdge::new(),
        threads: Mutex::default(),
    });
    let seen = Arc::default();
    let graph = numbers_over(Arc::<Watched>::clone(&watched), 1, 1, Twist::None, &seen);
    world.block_on(async move {
        let rig = Rig::start(&worlds, graph, SlotSettings::default(), Some(1)).await;
        let mut rig = rig.splits([(0, COUNT)]);
        rig.finish().await;
        rig.stop().await;
    });
    let threads = watched.threads.lock().unwrap();
    let threads: Vec<&str> = threads.iter().map(String::as_str).collect();
    let [decoded, encoded] = threads[..] else {
        panic!("one thread each: {threads:?}");
    };
    assert!(decoded.starts_with("decoded on data connection tm0 > tm1"));
    assert!(encoded.starts_with("encoded on data connection tm0 > tm1"));
}

#[test]
fn a_closed_exchange_has_ended_everything_that_it_started() {
    act(|world, _, mut rig| async move {
        rig.deploy_all().await;
        answer_events(&mut rig, 3).await;
        let mut silent = world
            .node("n9")
            .connect(rig.exchange(0).address())
            .await
            .unwrap();
        world.node("clock").sleep(Duration::from_millis(1)).await;
        rig.stop().await;
        assert_eq!(world.running(), 1, "this test alone runs");
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    });
}
