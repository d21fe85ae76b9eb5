//! What the outside does to a job, and what a job leaves there: servers that refuse, close or
//! reset, functions that fail, files that were given up.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests are the outside: they bring real servers and look into real folders"
)]

use std::net::SocketAddr;

use sameriver::prelude::*;
use sameriver::{FailureKind, JobError};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port of this machine");
    let address = listener.local_addr().expect("a bound port has an address");
    (listener, address)
}

/// Runs a job over the lines of a socket while the server does what it does.
async fn lines_from<S>(
    parallelism: u32,
    serve: impl FnOnce(TcpListener) -> S,
) -> Result<Vec<String>, (JobError, SocketAddr)>
where
    S: Future<Output = ()>,
{
    let (listener, address) = listen().await;
    let job = move |env: &mut Environment| {
        env.source("lines", SocketSource::lines(address.to_string()))
            .map(|line| line)
            .collect("out")
    };
    let settings = Settings {
        parallelism,
        ..Settings::default()
    };
    let (ended, ()) = tokio::join!(sameriver::run(job, &settings), serve(listener));
    let result = ended.map_err(|error| (error, address))?;
    Ok(result.collected("out").expect("a collection named out"))
}

async fn accept(listener: TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().await.expect("the job connects");
    stream
}

#[tokio::test]
async fn a_socket_that_closes_ends_the_input() {
    for parallelism in [1, 3] {
        let lines = lines_from(parallelism, |listener| async {
            let mut stream = accept(listener).await;
            let text = b"first\r\nsecond\nthird, without an end";
            stream.write_all(text).await.expect("the job reads");
        });
        let mut lines = lines.await.expect("a closed connection is the end");
        lines.sort();
        assert_eq!(lines, ["first", "second", "third, without an end"]);
    }
}

#[tokio::test]
async fn a_socket_that_closes_without_a_word_is_an_empty_input() {
    let lines = lines_from(1, |listener| async { drop(accept(listener).await) }).await;
    assert!(lines.expect("an empty input").is_empty());
}

#[tokio::test]
async fn a_socket_that_resets_is_an_error_and_not_the_end() {
    let ended = lines_from(1, |listener| async {
        let mut stream = accept(listener).await;
        stream.write_all(b"half a li").await.expect("the job reads");
        stream.set_zero_linger().expect("the socket is open");
    });
    let (error, address) = ended.await.expect_err("a connection that broke");
    assert_eq!(error.kind(), FailureKind::Disconnected);
    let error = error.to_string();
    assert!(error.contains(&format!("socket {address}")), "{error}");
    assert!(error.contains("reset"), "{error}");
    assert!(error.contains("look at the server"), "{error}");
}

#[tokio::test]
async fn a_socket_that_is_refused_names_the_address_and_what_to_do() {
    let ended = lines_from(2, |listener| async { drop(listener) });
    let (error, address) = ended.await.expect_err("nobody listens");
    assert_eq!(error.kind(), FailureKind::Disconnected);
    let error = error.to_string();
    assert!(error.contains(&format!("socket {address}")), "{error}");
    assert!(error.contains("refused"), "{error}");
    assert!(error.contains("start the server"), "{error}");
}

#[tokio::test]
async fn an_address_without_a_port_is_an_error() {
    let job = |env: &mut Environment| {
        env.source("lines", SocketSource::lines("no port"))
            .discard("nowhere")
    };
    let error = sameriver::run(job, &Settings::default()).await;
    let error = error.expect_err("no address at all");
    assert_eq!(error.kind(), FailureKind::Disconnected);
    assert!(error.to_string().contains("no port"), "{error}");
}

#[tokio::test]
async fn a_line_of_a_socket_that_is_no_record_is_named() {
    let (listener, address) = listen().await;
    let job = move |env: &mut Environment| {
        env.source(
            "numbers",
            SocketSource::lines(address.to_string()).parse(|line| Ok(line.parse::<u64>()?)),
        )
        .discard("nowhere")
    };
    let serve = async {
        let mut stream = accept(listener).await;
        stream
            .write_all(b"1\n2\nthree\n")
            .await
            .expect("the job reads");
    };
    let (ended, ()) = tokio::join!(sameriver::run(job, &Settings::default()), serve);
    let error = ended.expect_err("three is no number");
    assert_eq!(error.kind(), FailureKind::BadData);
    let error = error.to_string();
    assert!(
        error.contains(&format!("socket {address} at line 3")),
        "{error}"
    );
    assert!(error.contains("invalid digit"), "{error}");
}

/// Why a job over the numbers 0 to 999 fails.
async fn failure(job: fn(DataStream<u64>) -> Result<(), BuildError>) -> JobError {
    let job = move |env: &mut Environment| job(env.elements("numbers", 0..1_000_u64));
    let ended = sameriver::run(job, &Settings::default()).await;
    ended.expect_err("a job with a function that fails")
}

#[tokio::test]
async fn a_function_that_fails_is_named_with_the_place_in_the_input() {
    let error = failure(|numbers| {
        let refuse = |n: u64| match n {
            777 => Err(UserError::msg("777 is not welcome")),
            n => Ok(n),
        };
        numbers.try_map(refuse).name("door").discard("nowhere")
    })
    .await;
    assert_eq!(error.kind(), FailureKind::User);
    let error = error.to_string();
    for part in [
        "operator door",
        "elements, records 768..1000",
        "777 is not welcome",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_function_that_panics_is_told_from_a_bug_of_ours() {
    let error = failure(|numbers| {
        let panics = |n: &u64| {
            assert!(*n != 300, "300 is too much");
            true
        };
        numbers.filter(panics).name("fragile").discard("nowhere")
    })
    .await;
    assert_eq!(error.kind(), FailureKind::User);
    let error = error.to_string();
    for part in ["fragile", "300 is too much"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_job_that_failed_leaves_no_growing_file_behind() {
    let folder = std::env::temp_dir().join(format!("sameriver-outside-{}", std::process::id()));
    let written = folder.clone();
    let job = move |env: &mut Environment| {
        let numbers = env.source("numbers", Generator::sequence(200_000, |n| n));
        let sick = numbers.try_map(|n| match n {
            150_000 => Err(UserError::msg("it ends here")),
            n => Ok(n),
        });
        let lines = FileSink::lines(&written);
        sick.clone().sink("lines", lines)?;
        sick.sink("json", FileSink::json(&written))
    };
    let settings = Settings {
        parallelism: 3,
        ..Settings::default()
    };
    for _ in 0..20 {
        let error = sameriver::run(job.clone(), &settings).await;
        let error = error.expect_err("one number is refused").to_string();
        assert!(error.contains("it ends here"), "{error}");
        let left = std::fs::read_dir(&folder).expect("the folder is there");
        let names = left.map(|entry| entry.expect("a file").file_name());
        let names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        assert!(
            !names.iter().any(|name| name.contains("inprogress")),
            "{names:?}"
        );
        std::fs::remove_dir_all(&folder).expect("nobody writes there any more");
    }
}
