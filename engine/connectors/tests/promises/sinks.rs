//! What sinks promise, in the real world.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sameriver_connectors::{Collect, Discard, FileSink, Print, TextOut};
use sameriver_model::Batch;
use sameriver_operator::sink::SinkError;
use sameriver_runtime::BoxFuture;
use sameriver_runtime::sync::Semaphore;

use crate::site::{Site, args};

fn error(result: Result<(), SinkError>) -> String {
    let error = result.expect_err("the output is bad");
    let is_output = matches!(
        error,
        SinkError::Unwritable { .. } | SinkError::Taken { .. }
    );
    assert!(is_output, "{error}");
    error.to_string()
}

fn batch_of<T>(records: impl IntoIterator<Item = T>) -> Batch<T> {
    let mut batch = Batch::new();
    for record in records {
        batch.push(record, None);
    }
    batch
}

#[test]
fn each_subtask_leaves_one_complete_file_of_lines() {
    let site = Site::new("lines");
    let sink = FileSink::lines(site.folder.join("out"));
    site.write(&sink, 0, vec![1, 2, 3]).expect("a good folder");
    site.write(&sink, 1, Vec::<u64>::new())
        .expect("a good folder");
    assert_eq!(site.text("out/part-0.txt"), "1\n2\n3\n");
    assert_eq!(site.text("out/part-1.txt"), "");
    let names = site.wait(site.world.disk().list(&site.folder.join("out")));
    assert_eq!(names.unwrap(), ["part-0.txt", "part-1.txt"]);
}

#[test]
fn records_are_lines_of_json() {
    let site = Site::new("json-sink");
    let sink = FileSink::json(&site.folder);
    site.write(&sink, 4, vec![("a".to_owned(), 1), ("b".to_owned(), 2)])
        .expect("a good folder");
    assert_eq!(site.text("part-4.jsonl"), "[\"a\",1]\n[\"b\",2]\n");
}

#[test]
fn nothing_is_lost_when_the_disk_is_slower_than_the_records() {
    let site = Site::new("much");
    let sink = FileSink::lines(&site.folder);
    let lines: Vec<String> = (0..40_000).map(|n| format!("{n:0100}")).collect();
    let expected = lines.join("\n") + "\n";
    site.write(&sink, 0, lines).expect("a good folder");
    assert!(site.text("part-0.txt") == expected);
}

#[test]
fn a_file_has_its_final_name_only_after_its_commit() {
    let site = Site::new("growing");
    let sink = FileSink::lines(&site.folder);
    let (mut writer, wake) = site.writer(&sink, 0, 1).expect("a good folder");
    writer.write(&mut batch_of([1_u64])).expect("a good folder");
    site.finish(&mut *writer, &wake).expect("a good folder");
    let staged = site.staged(&mut *writer, &wake).expect("a good folder");
    assert_eq!(site.names(), [".part-0-1f3c09ab-a1-0.txt.inprogress"]);
    for _ in 0..2 {
        let committed = site.commit::<u64>(&sink, args(site.surroundings(), 0, 1), staged.clone());
        committed.expect("a free name, or ours");
        assert_eq!(site.names(), ["part-0.txt"]);
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_no_result() {
    let site = Site::new("dropped");
    let sink = FileSink::lines(&site.folder);
    let (mut writer, wake) = site.writer(&sink, 0, 1).expect("a good folder");
    writer.write(&mut batch_of([1_u64])).expect("a good folder");
    writer.flush().expect("a good folder");
    site.wait(wake.wait());
    drop(writer);
    // The task wakes the slot for each chunk that it takes, and once more when it ends.
    while !site.names().is_empty() {
        site.wait(wake.wait());
    }
}

#[test]
fn an_existing_result_is_refused_at_the_start_and_kept() {
    let site = Site::new("taken");
    site.file("part-0.txt", b"old\n");
    let sink = FileSink::lines(&site.folder);
    let text = error(site.write(&sink, 0, vec![1_u64]));
    assert!(
        text.contains("part-0.txt: the file exists already: move"),
        "{text}"
    );
    assert_eq!(site.text("part-0.txt"), "old\n");
    assert_eq!(site.names(), ["part-0.txt"]);
}

#[test]
fn a_file_where_a_folder_is_meant_is_refused() {
    let site = Site::new("not-a-folder");
    let path = site.file("out", b"");
    let text = error(site.write(&FileSink::lines(&path), 0, vec![1_u64]));
    let expected = format!(
        "cannot write {}: a file has this name: name a folder, or a place where one can be made",
        path.display()
    );
    assert_eq!(text, expected);
    let text = error(site.write(&FileSink::lines(path.join("deeper")), 0, vec![1_u64]));
    assert!(text.contains("name a folder"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let site = Site::new("unwritable");
    let text = error(site.write(&FileSink::lines("/proc/nowhere"), 0, vec![1_u64]));
    assert!(text.starts_with("cannot write /proc/nowhere: "), "{text}");
}

#[test]
fn a_single_file_needs_a_single_writer() {
    let site = Site::new("single");
    let sink = FileSink::lines(site.folder.join("all.txt")).single_file();
    let refused = site.writer::<u64>(&sink, 0, 2).map(drop);
    let text = refused.expect_err("two writers, one file").to_string();
    assert!(text.contains("set the sink's parallelism to 1"), "{text}");
    let (mut writer, wake) = site.writer(&sink, 0, 1).expect("one writer");
    writer.write(&mut batch_of([1_u64])).expect("a good folder");
    site.finish(&mut *writer, &wake).expect("a good folder");
    let staged = site.staged(&mut *writer, &wake).expect("a good folder");
    let committed = site.commit::<u64>(&sink, args(site.surroundings(), 0, 1), staged);
    committed.expect("a free name");
    assert_eq!(site.text("all.txt"), "1\n");
    assert_eq!(site.names(), ["all.txt"]);
}

#[test]
fn collected_records_come_by_subtask_and_then_as_they_were_written() {
    let site = Site::new("collect");
    let sink = Collect::named("numbers");
    site.write(&sink, 1, vec![3_u64, 1]).expect("a collector");
    site.write(&sink, 0, vec![2_u64]).expect("a collector");
    assert_eq!(site.results.names(), ["numbers"]);
    let wrong = site.results.take::<String>("numbers");
    assert!(wrong.is_err(), "numbers are no strings");
    assert_eq!(
        site.results.take::<u64>("numbers").expect("numbers"),
        [2, 3, 1]
    );
    let again = site
        .results
        .take::<u64>("numbers")
        .expect_err("taken before");
    assert_eq!(
        again.to_string(),
        "nothing is collected as numbers, or it was taken before: what is left is nothing"
    );
}

#[test]
fn discarded_records_leave_the_batch_empty() {
    let site = Site::new("discard");
    let (mut writer, _) = site.writer(&Discard, 0, 1).expect("nothing to fail");
    let mut batch = batch_of([1_u64, 2]);
    writer.write(&mut batch).expect("nothing to fail");
    assert!(batch.is_empty() && writer.has_room());
}

/// Takes a write only when it is let through, or breaks.
struct Gate {
    passes: Arc<Semaphore>,
    written: Mutex<Vec<u8>>,
    broken: bool,
}

impl Gate {
    fn new(passes: usize, broken: bool) -> Arc<Self> {
        Arc::new(Self {
            passes: Arc::new(Semaphore::new(passes)),
            written: Mutex::default(),
            broken,
        })
    }
}

struct Out(Arc<Gate>);

impl TextOut for Out {
    fn write(&self, text: Bytes) -> BoxFuture<io::Result<()>> {
        let gate = Arc::clone(&self.0);
        Box::pin(async move {
            gate.passes.acquire().await.unwrap().forget();
            if gate.broken {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            gate.written.lock().unwrap().extend_from_slice(&text);
            Ok(())
        })
    }
}

#[test]
fn a_stopped_output_stops_the_writer_and_wakes_it_when_it_goes_on() {
    let gate = Gate::new(0, false);
    let site = Site::with_text("gate", None, Some(Arc::new(Out(Arc::clone(&gate)))));
    let (mut writer, wake) = site.writer(&Print::lines(), 0, 1).expect("an output");
    let mut expected = String::new();
    while writer.has_room() {
        assert!(expected.len() < 100 << 20, "the queue has no end");
        let line = "x".repeat(60_000);
        expected += &(line.clone() + "\n");
        writer.write(&mut batch_of([line])).expect("an output");
    }
    gate.passes.add_permits(1_000);
    while !writer.has_room() {
        site.wait(wake.wait());
    }
    site.finish(&mut *writer, &wake).expect("an output");
    assert!(*gate.written.lock().unwrap() == expected.as_bytes());
}

#[test]
fn an_output_that_nobody_takes_does_not_hold_up_a_writer_that_is_gone() {
    let site = Site::with_text("stuck", None, Some(Arc::new(Out(Gate::new(0, false)))));
    let (mut writer, wake) = site.writer(&Print::lines(), 0, 1).expect("an output");
    writer.write(&mut batch_of([1_u64])).expect("an output");
    writer.flush().expect("an output");
    // The task has taken the line, and wakes once more when it ends.
    site.wait(wake.wait());
    drop(writer);
    site.wait(wake.wait());
}

#[test]
fn printed_lines_have_the_prefix() {
    let gate = Gate::new(1_000, false);
    let site = Site::with_text("print", None, Some(Arc::new(Out(Arc::clone(&gate)))));
    let sink = Print::lines().prefix("late: ");
    site.write(&sink, 0, vec![1_u64, 2, 3]).expect("an output");
    assert_eq!(
        *gate.written.lock().unwrap(),
        b"late: 1\nlate: 2\nlate: 3\n"
    );
}

#[test]
fn a_broken_output_fails_the_writer() {
    let gate = Gate::new(1_000, true);
    let site = Site::with_text("broken", None, Some(Arc::new(Out(gate))));
    let text = error(site.write(&Print::lines(), 0, vec![1_u64]));
    assert!(
        text.starts_with("cannot write standard output: broken pipe: "),
        "{text}"
    );
}
