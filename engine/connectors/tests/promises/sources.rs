//! What sources promise, in the real world.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use sameriver_connectors::{Elements, FileSource, Generator, SocketSource, Stdin, TextIn};
use sameriver_model::Parallelism;
use sameriver_operator::source::{Enumerator, EnumeratorArgs, Source, SourceError};
use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{BoxFuture, Listener};

use crate::site::Site;

/// The lines of a text by the simplest rule.
fn expected(text: &str) -> Vec<String> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let last = lines.pop().filter(|last| !last.is_empty());
    let ended = lines
        .iter()
        .map(|line| line.strip_suffix('\r').unwrap_or(line));
    ended.chain(last).map(str::to_owned).collect()
}

fn error<S: Source>(site: &Site, source: &S) -> SourceError {
    let result = site.read(source, 2);
    result.map(drop).expect_err("the input is bad")
}

const PARTS: [&str; 6] = ["a", "bcd", "é", "\n", "\n", "\r\n"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_split_size_and_parallelism_give_the_same_lines(
        parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..16),
        parallelism in 1_u32..4,
    ) {
        let site = Site::new("splits");
        let text = parts.concat();
        let path = site.file("input", text.as_bytes());
        let mut wanted = expected(&text);
        for split_bytes in 1..=text.len().max(1) as u64 {
            let source = FileSource::lines(&path).split_bytes(split_bytes);
            let lines = site.read(&source, 1).expect("a good file");
            prop_assert_eq!(&lines[0], &wanted);
        }
        let source = FileSource::lines(&path).split_bytes(2);
        let mut lines = site.read(&source, parallelism).expect("a good file").concat();
        lines.sort();
        wanted.sort();
        prop_assert_eq!(lines, wanted);
    }
}

#[test]
fn lines_longer_than_many_chunks_and_splits_come_whole() {
    let site = Site::new("long");
    let long = "x".repeat(700_000);
    let path = site.file("input", format!("a\n{long}\nb\n{long}").as_bytes());
    for split_bytes in [1000, 300_000, 700_003, 10_000_000] {
        let source = FileSource::lines(&path).split_bytes(split_bytes);
        let lines = site.read(&source, 2).expect("a good file").concat();
        assert_eq!(lines.len(), 4, "in splits of {split_bytes} bytes");
        assert_eq!(lines.iter().filter(|line| **line == long).count(), 2);
    }
}

#[test]
fn files_are_read_in_the_order_in_which_they_were_named() {
    let site = Site::new("several");
    let (b, a) = (site.file("b", b"1\n2"), site.file("a", b"3\n"));
    let empty = site.file("empty", b"");
    let source = FileSource::lines(b).and(empty).and(a);
    let numbers = source.parse(|line| Ok(line.parse::<u64>()?));
    assert_eq!(site.read(&numbers, 1).expect("good files"), [[1, 2, 3]]);
}

#[test]
fn a_line_of_json_is_a_record() {
    let site = Site::new("json");
    let path = site.file("input", b"[1,\"a\"]\n[2,\"b\"]\n");
    let source = FileSource::lines(path).json::<(u64, String)>();
    let records = site.read(&source, 1).expect("good lines");
    assert_eq!(records, [[(1, "a".to_owned()), (2, "b".to_owned())]]);
}

#[test]
fn a_line_that_is_not_utf8_is_named_with_file_place_and_remedy() {
    let site = Site::new("utf8");
    let path = site.file("input", b"good\nb\xffd\n");
    let error = error(&site, &FileSource::lines(&path));
    assert!(matches!(error, SourceError::BadData { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "bad data in {} at line 2 (byte 5): byte 2 of the line is not UTF-8: convert the input \
             to UTF-8, for example with iconv",
            path.display()
        )
    );
}

#[test]
fn a_line_that_cannot_be_parsed_is_named_by_its_byte_in_a_later_split() {
    let site = Site::new("parse");
    let path = site.file("input", b"1\n2\nx\n");
    let source = FileSource::lines(&path).split_bytes(2);
    let error = error(&site, &source.parse(|line| Ok(line.parse::<u64>()?)));
    let expected = format!("bad data in {} at byte 4: invalid digit", path.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn a_line_above_the_limit_ends_the_job() {
    let site = Site::new("limit");
    let path = site.file("input", b"12345\n");
    let error = error(&site, &FileSource::lines(path).line_bytes_max(5));
    assert!(error.to_string().contains("longer than 5 bytes"), "{error}");
}

#[test]
fn a_missing_file_is_unreadable_and_says_what_to_check() {
    let site = Site::new("missing");
    let error = error(&site, &FileSource::lines(site.folder.join("nothing.txt")));
    assert!(matches!(error, SourceError::Unreadable { .. }));
    let text = error.to_string();
    assert!(
        text.contains("nothing.txt") && text.contains("check the path"),
        "{text}"
    );
}

#[test]
fn a_directory_is_unreadable_and_says_what_to_name() {
    let site = Site::new("directory");
    let error = error(&site, &FileSource::lines(&site.folder));
    let expected = format!(
        "cannot read {}: it is a directory: name the files in it one by one",
        site.folder.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn elements_keep_their_order_and_come_once() {
    let site = Site::new("elements");
    let source = Elements::of(0..3000_u64);
    let alone = site
        .read(&source, 1)
        .expect("elements cannot fail")
        .concat();
    assert!(alone.iter().copied().eq(0..3000));
    let mut shared = site
        .read(&source, 3)
        .expect("elements cannot fail")
        .concat();
    shared.sort_unstable();
    assert_eq!(shared, alone);
}

#[test]
fn an_empty_list_of_elements_ends_at_once() {
    let site = Site::new("no-elements");
    let none = site
        .read(&Elements::<u64>::of([]), 2)
        .expect("nothing to fail");
    assert!(none.concat().is_empty());
}

#[test]
fn generated_records_do_not_depend_on_the_parallelism() {
    let site = Site::new("generator");
    let source = Generator::new("clicks", 5, 7, |partition, offset, draws| {
        (partition, offset, draws.next_u64())
    });
    let source = source.seed(9);
    let read = |parallelism| {
        let records = site
            .read(&source, parallelism)
            .expect("a generator cannot fail");
        let mut records = records.concat();
        records.sort_unstable();
        records
    };
    assert_eq!(read(1), read(3));
    assert_eq!(read(1).len(), 35);
}

#[test]
fn the_partitions_of_a_reader_progress_in_turn() {
    let site = Site::new("turns");
    let source = Generator::new("clicks", 2, 4, |partition, offset, _| (partition, offset));
    let records = site.read(&source, 1).expect("a generator cannot fail");
    let expected = [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (1, 2),
        (0, 3),
        (1, 3),
    ];
    assert_eq!(records, [expected]);
}

#[test]
fn a_reader_of_a_sequence_makes_every_nth_number() {
    let site = Site::new("sequence");
    let source = Generator::sequence(8, |k: u64| k);
    let records = site.read(&source, 3).expect("a generator cannot fail");
    assert_eq!(records, [vec![0, 3, 6], vec![1, 4, 7], vec![2, 5]]);
}

fn listen(site: &Site) -> Box<dyn Listener> {
    site.wait(site.world.listen(&site.world.any_port()))
        .unwrap()
}

#[test]
fn each_line_of_a_socket_arrives_before_the_next_is_sent() {
    let site = Site::new("socket");
    let mut listener = listen(&site);
    let source = SocketSource::lines(listener.address().as_str());
    let mut slot = site.slot(&source, 0, Parallelism::ONE).unwrap();
    site.wait(async {
        let world = site.world.clone();
        let parallelism = Parallelism::ONE;
        let args = EnumeratorArgs {
            world,
            parallelism,
            restored: None,
        };
        let mut enumerator = source.enumerate(args).await.unwrap();
        slot.step(&mut *enumerator).await.unwrap();
        let mut peer = listener.accept().await.unwrap();
        for count in 1..=3 {
            peer.write_all(b"a line\n").await.unwrap();
            while slot.records.len() < count {
                slot.step(&mut *enumerator).await.unwrap();
            }
        }
        peer.write_all(b"the last").await.unwrap();
        peer.shutdown().await.unwrap();
        drop(peer);
        while !slot.finished {
            slot.step(&mut *enumerator).await.unwrap();
        }
    });
    assert_eq!(slot.records, ["a line", "a line", "a line", "the last"]);
}

#[test]
fn a_reader_that_is_dropped_closes_its_connection_to_a_silent_server() {
    let site = Site::new("silent");
    let mut listener = listen(&site);
    let source = SocketSource::lines(listener.address().as_str());
    let mut slot = site.slot(&source, 0, Parallelism::ONE).unwrap();
    let read = site.wait(async {
        let (world, parallelism) = (site.world.clone(), Parallelism::ONE);
        let args = EnumeratorArgs {
            world,
            parallelism,
            restored: None,
        };
        let mut enumerator = source.enumerate(args).await.unwrap();
        slot.step(&mut *enumerator).await.unwrap();
        let mut peer = listener.accept().await.unwrap();
        drop(slot);
        peer.read(&mut [0]).await
    });
    assert_eq!(read.expect("closed, not broken"), 0);
}

#[test]
fn a_refused_connection_names_the_address_and_the_remedy() {
    let site = Site::new("refused");
    let listener = listen(&site);
    let address = listener.address();
    drop(listener);
    let error = error(&site, &SocketSource::lines(address.as_str()));
    assert!(matches!(error, SourceError::Disconnected { .. }));
    let text = error.to_string();
    assert!(text.starts_with(&format!("socket {address}: ")), "{text}");
    assert!(text.ends_with("start the server that sends the lines, or mend the address"));
}

/// Gives chunks, then what is left.
struct Chunks(Mutex<VecDeque<io::Result<Bytes>>>);

impl TextIn for Chunks {
    fn read(&self, _max: usize) -> BoxFuture<io::Result<Bytes>> {
        let next = self.0.lock().unwrap().pop_front();
        Box::pin(async { next.unwrap_or_else(|| Ok(Bytes::new())) })
    }
}

fn stdin(test: &str, chunks: Vec<io::Result<Bytes>>) -> Site {
    let input = Arc::new(Chunks(Mutex::new(chunks.into())));
    Site::with_text(test, Some(input), None)
}

#[test]
fn standard_input_is_read_to_its_end_by_one_reader() {
    let chunks = vec![Ok(Bytes::from("a\nb")), Ok(Bytes::from("c\n\nd"))];
    let site = stdin("stdin", chunks);
    let lines = site.read(&Stdin::lines(), 3).expect("good lines").concat();
    assert_eq!(lines, ["a", "bc", "", "d"]);
}

#[test]
fn a_broken_standard_input_is_an_error_and_not_its_end() {
    let site = stdin("broken-stdin", vec![Err(io::ErrorKind::BrokenPipe.into())]);
    let error = error(&site, &Stdin::lines());
    assert!(matches!(error, SourceError::Unreadable { .. }), "{error}");
}

#[test]
fn a_world_without_standard_input_says_what_it_offers() {
    let site = Site::new("no-stdin");
    let error = error(&site, &Stdin::lines());
    assert!(
        error.to_string().contains("no service for stdin:"),
        "{error}"
    );
}

#[test]
fn a_file_that_changed_since_the_checkpoint_is_named_with_both_lengths_and_the_remedy() {
    let site = Site::new("changed");
    let path = site.file("input", b"a\nb\nc\n");
    let source = FileSource::lines(&path);
    for (text, length) in [(&b"a\nb\n"[..], 4), (b"a\nb\nc\nd\n", 8)] {
        site.file("input", b"a\nb\nc\n");
        let enumerator = enumerate(&site, &source, None).expect("a good file");
        let snapshot = enumerator.snapshot().expect("splits can be kept");
        site.file("input", text);
        let mut slot = site.slot(&source, 0, Parallelism::ONE).unwrap();
        let restored = enumerate(&site, &source, Some(snapshot.into()));
        let mut restored = restored.expect("a snapshot");
        let error = site.wait(async {
            loop {
                if let Err(error) = slot.step(&mut *restored).await {
                    return error;
                }
            }
        });
        assert_eq!(
            error.to_string(),
            format!(
                "bad data in {} at byte 0: the file has {length} bytes, but had 6 when the job \
                 began: put the file back as it was, or start the job anew without its checkpoints",
                path.display()
            )
        );
    }
}

fn enumerate<S: Source>(
    site: &Site,
    source: &S,
    restored: Option<Bytes>,
) -> Result<Enumerator<S>, SourceError> {
    let args = EnumeratorArgs {
        world: site.world.clone(),
        parallelism: Parallelism::ONE,
        restored,
    };
    site.wait(source.enumerate(args))
}

#[test]
fn elements_of_another_list_are_refused() {
    let site = Site::new("other-list");
    let kept = enumerate(&site, &Elements::of(0..3_u64), None).expect("a list");
    let kept = kept.snapshot().expect("splits can be kept");
    let other = Elements::of(0..2_u64);
    let mut restored = enumerate(&site, &other, Some(kept.into())).expect("a snapshot");
    let mut slot = site.slot(&other, 0, Parallelism::ONE).unwrap();
    let refused = site.wait(slot.step(&mut *restored));
    let text = refused.expect_err("another list").to_string();
    assert!(
        text.contains("of a list of 3, but the list has 2: restore"),
        "{text}"
    );
}

#[test]
fn an_input_that_cannot_be_read_again_says_so_when_a_checkpoint_asks() {
    let site = stdin("stdin-checkpoint", Vec::new());
    let enumerator = enumerate(&site, &Stdin::lines(), None).expect("an input");
    let error = enumerator
        .snapshot()
        .expect_err("it is gone once it is read");
    assert_eq!(
        error.to_string(),
        "standard input: it cannot be read again, so it takes part in no checkpoint: run the job \
         without checkpoints, or write the input to a file first"
    );
}
