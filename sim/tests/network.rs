//! The simulated network: bytes between two nodes, and what their ends are told.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{Address, ByteStream, Lane, World};
use sameriver_sim::{Finding, Limits, Outcome, SimWorld, run_seed};

async fn echo(sim: SimWorld) -> Result<Vec<u8>, Finding> {
    let (server, client) = (sim.node("server"), sim.node("client"));
    let at = Address::new("server:7000");
    serve_echo(&server, &at);
    let talk = async move {
        let mut stream = connect(&client, &at).await;
        let mut got = Vec::new();
        for number in 0..50_u8 {
            stream.write_all(&[number; 100]).await.unwrap();
        }
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut got).await.unwrap();
        got
    };
    Ok(talk.await)
}

fn serve_echo(server: &World, at: &Address) {
    let (world, at) = (server.clone(), at.clone());
    let serve = async move {
        let mut listener = world.listen(&at).await.unwrap();
        loop {
            let mut stream = listener.accept().await.unwrap();
            let echo = async move {
                let mut buffer = [0; 64];
                loop {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(count) => stream.write_all(&buffer[..count]).await.unwrap(),
                    }
                }
            };
            world.spawn(Lane::Control, "echo", echo).detach();
        }
    };
    server.spawn(Lane::Control, "serve", serve).detach();
}

/// Connects as soon as somebody listens.
async fn connect(world: &World, to: &Address) -> Box<dyn ByteStream> {
    loop {
        match world.connect(to).await {
            Ok(stream) => return stream,
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        }
    }
}

fn run<T, F>(seed: u64, scenario: fn(SimWorld) -> F) -> Outcome<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Finding>> + Send + 'static,
{
    run_seed(seed, &Limits::default(), scenario)
}

fn pass<T, F>(seed: u64, scenario: fn(SimWorld) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = Result<T, Finding>> + Send + 'static,
{
    let outcome = run(seed, scenario);
    outcome
        .verdict
        .unwrap_or_else(|finding| panic!("seed {seed}: {finding}"))
}

#[test]
fn two_nodes_echo_every_byte_in_order_under_every_seed() {
    let expected: Vec<u8> = (0..50_u8).flat_map(|number| [number; 100]).collect();
    for seed in 0..50 {
        assert_eq!(pass(seed, echo), expected, "seed {seed}");
    }
}

#[test]
fn the_trace_hash_is_fixed_by_the_seed() {
    let hashes: BTreeSet<_> = (0..50).map(|seed| run(seed, echo).trace_hash).collect();
    assert_eq!(hashes.len(), 50);
    let again: BTreeSet<_> = (0..50)
        .rev()
        .map(|seed| run(seed, echo).trace_hash)
        .collect();
    assert_eq!(hashes, again);
}

#[test]
fn a_writer_whose_peer_never_reads_is_stopped() {
    async fn scenario(sim: SimWorld) -> Result<usize, Finding> {
        let (server, client) = (sim.node("server"), sim.node("client"));
        let mut listener = server.listen(&server.any_port()).await.unwrap();
        let mut stream = client.connect(&listener.address()).await.unwrap();
        let kept = listener.accept().await.unwrap();
        let mut written = 0;
        let fill = async {
            loop {
                written += stream.write(&[7; 4_096]).await.unwrap();
            }
        };
        let stopped: Result<(), _> = client.timeout(Duration::from_secs(5), fill).await;
        assert!(stopped.is_err());
        drop(kept);
        Ok(written)
    }
    for seed in 0..20 {
        let written = pass(seed, scenario);
        assert!(
            (4 << 10..=256 << 10).contains(&written),
            "seed {seed}: {written}"
        );
    }
}

#[test]
fn nobody_listening_refuses_after_a_round_trip() {
    async fn scenario(sim: SimWorld) -> Result<(ErrorKind, Duration), Finding> {
        sim.node("server");
        let client = sim.node("client");
        let start = client.now();
        let error = client
            .connect(&Address::new("server:1"))
            .await
            .err()
            .unwrap();
        Ok((error.kind(), client.now().since(start)))
    }
    for seed in 0..20 {
        let (kind, took) = pass(seed, scenario);
        assert_eq!(kind, ErrorKind::ConnectionRefused);
        assert!(took >= Duration::from_micros(40), "seed {seed}: {took:?}");
    }
}

#[test]
fn one_port_has_one_listener_until_it_is_dropped() {
    async fn scenario(sim: SimWorld) -> Result<(), Finding> {
        let node = sim.node("server");
        let first = node.listen(&node.any_port()).await.unwrap();
        let at = first.address();
        let taken = node.listen(&at).await.err().unwrap();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        drop(first);
        assert!(node.listen(&at).await.is_ok());
        let foreign = node.listen(&Address::new("other:1")).await.err().unwrap();
        assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable);
        Ok(())
    }
    pass(1, scenario);
}

#[test]
fn a_closed_peer_is_seen_as_the_end_and_then_as_a_broken_pipe() {
    async fn scenario(sim: SimWorld) -> Result<ErrorKind, Finding> {
        let (server, client) = (sim.node("server"), sim.node("client"));
        let mut listener = server.listen(&server.any_port()).await.unwrap();
        let mut stream = client.connect(&listener.address()).await.unwrap();
        drop(listener.accept().await.unwrap());
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        loop {
            match stream.write_all(b"anybody?").await {
                Ok(()) => client.sleep(Duration::from_millis(1)).await,
                Err(error) => return Ok(error.kind()),
            }
        }
    }
    for seed in 0..20 {
        assert_eq!(pass(seed, scenario), ErrorKind::BrokenPipe);
    }
}

#[test]
fn closing_with_unread_bytes_resets_the_peer() {
    async fn scenario(sim: SimWorld) -> Result<ErrorKind, Finding> {
        let (server, client) = (sim.node("server"), sim.node("client"));
        let mut listener = server.listen(&server.any_port()).await.unwrap();
        let mut stream = client.connect(&listener.address()).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        stream.write_all(b"never read").await.unwrap();
        server.sleep(Duration::from_secs(1)).await;
        drop(accepted);
        Ok(stream.read(&mut [0; 8]).await.err().unwrap().kind())
    }
    for seed in 0..20 {
        assert_eq!(pass(seed, scenario), ErrorKind::ConnectionReset);
    }
}

#[test]
fn bytes_wait_at_a_cut_link_and_arrive_after_its_mending() {
    async fn scenario(sim: SimWorld) -> Result<(), Finding> {
        let (server, client) = (sim.node("server"), sim.node("client"));
        let mut listener = server.listen(&server.any_port()).await.unwrap();
        let mut stream = client.connect(&listener.address()).await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        sim.cut("client", "server");
        stream.write_all(b"late").await.unwrap();
        let mut got = [0; 4];
        let silence = server
            .timeout(Duration::from_mins(1), accepted.read(&mut got))
            .await;
        assert!(silence.is_err());
        // The other direction still works.
        accepted.write_all(b"hey").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        sim.heal("client", "server");
        accepted.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"late");
        Ok(())
    }
    for seed in 0..20 {
        pass(seed, scenario);
    }
}
