//! What the tests of faults have in common: seeds, episodes and two nodes that are connected.

use std::time::Duration;

use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{ByteStream, World};
use sameriver_sim::{
    Episode, FaultFamily, FaultScript, Finding, Limits, Nemesis, Parameters, SimWorld, Target,
    Trigger, run_seed,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Runs a scenario under some seeds.
pub(crate) fn holds<F>(scenario: impl Fn(SimWorld) -> F + Copy + Send + 'static)
where
    F: Future<Output = Result<(), Finding>> + Send + 'static,
{
    for seed in 0..12 {
        let outcome = run_seed(seed, &Limits::default(), scenario);
        assert_eq!(outcome.verdict, Ok(()), "seed {seed}");
    }
}

/// An episode that begins now and lasts two seconds.
pub(crate) fn now(family: FaultFamily, target: Target, parameters: Parameters) -> Episode {
    let episode = Episode::new(Trigger::Nanos(0), family, target);
    episode.lasting(2 * SECOND).with(parameters)
}

/// Lets one episode begin.
pub(crate) async fn begin(sim: &SimWorld, episode: Episode) -> Nemesis {
    let nemesis = Nemesis::run(sim, &FaultScript(vec![episode])).unwrap();
    sim.supervisor().sleep(Duration::from_nanos(1)).await;
    nemesis
}

pub(crate) fn node(name: &str) -> Target {
    Target::Node(name.to_owned())
}

pub(crate) fn disk(name: &str) -> Target {
    Target::Disk(name.to_owned())
}

pub(crate) fn link(from: &str, to: &str) -> Target {
    Target::Link {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

pub(crate) type Stream = Box<dyn ByteStream>;

/// A connection of `near`, and its other end at `far`.
pub(crate) async fn connected(near: &World, far: &World) -> (Stream, Stream) {
    let mut listener = far.listen(&far.any_port()).await.unwrap();
    let stream = near.connect(&listener.address()).await.unwrap();
    (stream, listener.accept().await.unwrap())
}

pub(crate) async fn say(stream: &mut Stream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
}

pub(crate) async fn hear(stream: &mut Stream, text: &[u8]) {
    let mut got = vec![0; text.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, text);
}

/// How long something takes in the world's own time.
pub(crate) async fn took(sim: &SimWorld, work: impl Future<Output = ()>) -> Duration {
    let start = sim.now();
    work.await;
    sim.now().since(start)
}
