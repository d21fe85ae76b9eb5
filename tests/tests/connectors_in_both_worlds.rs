//! Sources and sinks that reach outside, each in a whole job: on the real world and in simulation.
//!
//! Invariant: the job function is the same in both worlds; only what it reaches differs.
#![expect(
    clippy::disallowed_methods,
    reason = "the tests look at real files and processes from outside"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sameriver::prelude::*;
use sameriver::{FailureKind, JobEnd};
use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{Address, Lane, Listener, World};
use sameriver_runtime_tokio::TokioWorld;
use sameriver_sim::{Limits, SimJob, SimWorld, run_seed};
use sameriver_tests::upper_case::upper_case;

const SEEDS: std::ops::Range<u64> = 0..5;

fn settings() -> Settings {
    Settings {
        parallelism: 2,
        task_managers: 2,
        ..Settings::default()
    }
}

/// Runs a job in a simulated world and gives how it ended.
async fn simulated(
    sim: &SimWorld,
    job: impl Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
) -> JobEnd {
    let job = SimJob {
        job: Arc::new(job),
        settings: settings(),
        files: Vec::new(),
    };
    job.run(sim).await.expect("every node ends").status
}

/// A job that collects the lines that a server sends.
fn lines_of(address: &Address) -> impl Fn(&mut Environment) -> Result<(), BuildError> + use<> {
    let address = address.as_str().to_owned();
    move |env| {
        env.source("lines", SocketSource::lines(address.as_str()))
            .collect("out")
    }
}

/// Sends three lines to whoever connects first, and closes the connection.
fn send_lines(server: &World, mut listener: Box<dyn Listener>) {
    let send = async move {
        let mut peer = listener.accept().await.expect("the job connects");
        for part in ["one\ntw", "o\nth", "ree"] {
            peer.write_all(part.as_bytes()).await.expect("it reads");
        }
        peer.shutdown().await.expect("it is still there");
        let rest = peer.read(&mut [0]).await;
        assert_eq!(rest.ok(), Some(0), "the job sends nothing");
    };
    server.spawn(Lane::Control, "server", send).detach();
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn the_lines_of_a_socket_are_a_stream_in_both_worlds() {
    let expected = ["one", "three", "two"];
    let tokio = TokioWorld::builder().build().expect("a world");
    let server = tokio.world();
    let listener = tokio.block_on(server.listen(&server.any_port()));
    let listener = listener.expect("a free port");
    let job = lines_of(&listener.address());
    send_lines(&server, listener);
    let result = sameriver::run_blocking(job, &settings()).expect("the job finishes");
    let lines = result.collected::<String>("out").expect("a collection");
    assert_eq!(sorted(lines), expected, "on tokio");

    for seed in SEEDS {
        let outcome = run_seed(seed, &Limits::default(), |sim| async move {
            let server = sim.node("server");
            let address = Address::new("server:7000");
            let listener = server.listen(&address).await.expect("a free port");
            send_lines(&server, listener);
            let end = simulated(&sim, lines_of(&address)).await;
            assert_eq!(end, JobEnd::Finished);
            let lines = sim.ledger().collected().take::<String>("out");
            Ok(sorted(lines.expect("a collection")))
        });
        let lines = outcome.verdict.expect("the job finishes");
        assert_eq!(lines, expected, "in simulation, seed {seed}");
    }
}

#[test]
fn a_refused_socket_fails_the_job_with_address_and_remedy_in_both_worlds() {
    let tokio = TokioWorld::builder().build().expect("a world");
    let world = tokio.world();
    let listener = tokio.block_on(world.listen(&world.any_port()));
    let address = listener.expect("a free port").address(); // closed at once
    let error = sameriver::run_blocking(lines_of(&address), &settings());
    let error = error.expect_err("nobody listens");
    assert_eq!(error.kind(), FailureKind::Disconnected);
    let refused = |text: &str, address: &Address| {
        assert!(text.contains(&format!("socket {address}: ")), "{text}");
        assert!(text.contains("start the server"), "{text}");
    };
    refused(&error.to_string(), &address);

    let outcome = run_seed(7, &Limits::default(), |sim| async move {
        let address = Address::new("server:7000");
        drop(sim.node("server"));
        Ok(simulated(&sim, lines_of(&address)).await)
    });
    let JobEnd::Failed(failure) = outcome.verdict.expect("every node ends") else {
        panic!("nobody listens");
    };
    assert_eq!(failure.kind, FailureKind::Disconnected);
    refused(&failure.to_string(), &Address::new("server:7000"));
}

#[test]
fn a_job_reads_standard_input_and_prints_in_both_worlds() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_upper_case"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = process.stdin.take().expect("it is piped");
    input.write_all(b"a\nriver\n").expect("the job reads");
    drop(input);
    let output = process.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "A\nRIVER\n");

    for seed in SEEDS {
        let outcome = run_seed(seed, &Limits::default(), |sim| async move {
            // The one split of the input goes to either node.
            let nodes = ["task-manager-0", "task-manager-1"].map(str::to_owned);
            let texts = nodes.map(|node| (node, "a\nriver\n".into()));
            sim.offer_input(BTreeMap::from(texts));
            let end = simulated(&sim, upper_case).await;
            assert_eq!(end, JobEnd::Finished);
            Ok(sim.ledger().text("stdout:"))
        });
        let printed = outcome.verdict.expect("the job finishes");
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert_eq!(printed, "A\nRIVER\n", "in simulation, seed {seed}");
    }
}

/// A job that writes the squares of 0 to 9 into files.
fn squares_to(
    folder: &Path,
) -> impl Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + use<> {
    let folder = folder.to_path_buf();
    move |env| {
        env.elements("numbers", 0..10_u64)
            .rebalance()
            .map(|n| n * n)
            .sink("files", FileSink::lines(&folder))
    }
}

fn numbers(text: &str) -> Vec<u64> {
    let numbers = text.lines().map(|line| line.parse().expect("a number"));
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_plain_file_sink_leaves_one_complete_file_a_subtask_in_both_worlds() {
    let squares: Vec<u64> = (0..10).map(|n| n * n).collect();
    let names = ["part-0.txt", "part-1.txt"];
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("squares");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old folder can be removed");
    }
    sameriver::run_blocking(squares_to(&folder), &settings()).expect("the job finishes");
    let text = names.map(|name| std::fs::read_to_string(folder.join(name)).expect("a file"));
    assert_eq!(numbers(&text.concat()), squares, "on tokio");
    let entries = std::fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(entries, 2, "nothing else is left");

    for seed in SEEDS {
        let outcome = run_seed(seed, &Limits::default(), |sim| async move {
            let end = simulated(&sim, squares_to(Path::new("out"))).await;
            assert_eq!(end, JobEnd::Finished);
            Ok(SimJob::written(&sim, 2, "out"))
        });
        let files = outcome.verdict.expect("the job finishes");
        let found: Vec<_> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert!(
            found
                .iter()
                .zip(names)
                .all(|(path, name)| path.ends_with(name))
                && found.len() == 2,
            "{found:?}"
        );
        let text: Vec<u8> = files.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let text = String::from_utf8(text).expect("text");
        assert_eq!(numbers(&text), squares, "in simulation, seed {seed}");
    }
}
