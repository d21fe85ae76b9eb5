//! What the file sink promises at its edges: names that are taken, files that changed, leftovers.

use std::time::Duration;

use sameriver_connectors::{Discard, FileSink, Print};
use sameriver_model::{AttemptNumber, Batch, CheckpointId};
use sameriver_operator::CommitRule;
use sameriver_operator::sink::{Committable, Sink, SinkWriter, WriterArgs};
use sameriver_runtime::Wake;

use crate::site::{Site, args};

/// A writer under checkpoints.
struct Open {
    writer: Box<dyn SinkWriter<u64>>,
    wake: Wake,
    args: WriterArgs,
}

fn open(site: &Site, sink: &impl Sink<u64>, attempt: AttemptNumber) -> Open {
    let surroundings = site.surroundings();
    let wake = surroundings.wake.clone();
    let args = WriterArgs {
        attempt,
        commits: CommitRule::OnCheckpoint,
        ..args(surroundings, 0, 1)
    };
    let writer = sink.writer(args.clone()).expect("a good sink");
    Open { writer, wake, args }
}

fn first() -> AttemptNumber {
    AttemptNumber::of_epoch(1, 1)
}

impl Open {
    fn write(&mut self, number: u64) {
        let mut batch = Batch::from_parts(vec![number], None);
        self.writer.write(&mut batch).expect("a good folder");
        self.writer.flush().expect("a good folder");
    }

    fn stage(&mut self, site: &Site, checkpoint: u64) -> Vec<Committable> {
        let staged = self.writer.stage(CheckpointId::new(checkpoint));
        staged.expect("a good folder");
        let staged = site.staged(&mut *self.writer, &self.wake);
        staged.expect("a good folder")
    }
}

#[test]
fn a_checkpoint_ends_a_file_and_no_file_is_empty() {
    let site = Site::new("checkpoint-files");
    let sink = FileSink::lines(&site.folder);
    let mut open = open(&site, &sink, first());
    open.write(1);
    let staged = open.stage(&site, 1);
    assert!(open.stage(&site, 2).is_empty(), "nothing was written");
    site.commit::<u64>(&sink, open.args.clone(), staged)
        .expect("a free name");
    open.write(2);
    let staged = open.stage(&site, 3);
    site.commit::<u64>(&sink, open.args.clone(), staged)
        .expect("a free name");
    assert_eq!(
        site.names(),
        ["part-0-1f3c09ab-a1.1-0.txt", "part-0-1f3c09ab-a1.1-1.txt"]
    );
    assert_eq!(site.text("part-0-1f3c09ab-a1.1-1.txt"), "2\n");
}

#[test]
fn a_file_ends_with_the_write_that_makes_it_long_enough() {
    let site = Site::new("roll-bytes");
    let sink = FileSink::lines(&site.folder).roll_bytes(4);
    let mut open = open(&site, &sink, first());
    (0..5).for_each(|number| open.write(number));
    let staged = open.stage(&site, 1);
    assert_eq!(staged.len(), 3);
    site.commit::<u64>(&sink, open.args.clone(), staged)
        .expect("free names");
    assert_eq!(site.text("part-0-1f3c09ab-a1.1-0.txt"), "0\n1\n");
    assert_eq!(site.text("part-0-1f3c09ab-a1.1-2.txt"), "4\n");
}

#[test]
fn a_file_ends_when_it_is_old_enough() {
    let site = Site::new("roll-after");
    let sink = FileSink::lines(&site.folder).roll_after(Duration::ZERO);
    let mut open = open(&site, &sink, first());
    open.write(1);
    open.write(2);
    assert_eq!(open.stage(&site, 1).len(), 2);
}

#[test]
fn a_commit_whose_name_has_other_content_is_refused_and_names_both() {
    let site = Site::new("other-content");
    let sink = FileSink::lines(&site.folder);
    let mut open = open(&site, &sink, first());
    open.write(1);
    let staged = open.stage(&site, 1);
    site.file("part-0-1f3c09ab-a1.1-0.txt", b"2\n");
    let refused = site.commit::<u64>(&sink, open.args.clone(), staged);
    let text = refused.expect_err("another file is there").to_string();
    assert!(
        text.contains(".part-0-1f3c09ab-a1.1-0.txt.inprogress to "),
        "{text}"
    );
    assert!(
        text.contains("taken by other content (2 bytes, CRC32C "),
        "{text}"
    );
    assert_eq!(site.text("part-0-1f3c09ab-a1.1-0.txt"), "2\n");
    assert_eq!(site.text(".part-0-1f3c09ab-a1.1-0.txt.inprogress"), "1\n");
}

#[test]
fn a_commit_of_which_nothing_is_left_is_refused() {
    let site = Site::new("nothing-left");
    let sink = FileSink::lines(&site.folder);
    let mut open = open(&site, &sink, first());
    open.write(1);
    let staged = open.stage(&site, 1);
    let growing = site.folder.join(".part-0-1f3c09ab-a1.1-0.txt.inprogress");
    site.wait(site.world.disk().remove(&growing))
        .expect("it is there");
    let refused = site.commit::<u64>(&sink, open.args.clone(), staged);
    let text = refused.expect_err("the file is gone").to_string();
    assert!(
        text.contains("neither the pending nor the final file"),
        "{text}"
    );
}

#[test]
fn a_commit_of_a_file_that_was_cut_short_is_refused() {
    let site = Site::new("cut-short");
    let sink = FileSink::lines(&site.folder);
    let mut open = open(&site, &sink, first());
    open.write(10);
    let staged = open.stage(&site, 1);
    site.file(".part-0-1f3c09ab-a1.1-0.txt.inprogress", b"1");
    let refused = site.commit::<u64>(&sink, open.args.clone(), staged);
    let text = refused.expect_err("the file is shorter").to_string();
    assert!(text.contains("has 1 bytes and had 3"), "{text}");
}

#[test]
fn a_commit_that_crashed_between_link_and_unlink_is_finished() {
    let site = Site::new("two-names");
    let sink = FileSink::lines(&site.folder);
    let mut open = open(&site, &sink, first());
    open.write(1);
    let staged = open.stage(&site, 1);
    site.file("part-0-1f3c09ab-a1.1-0.txt", b"1\n");
    site.commit::<u64>(&sink, open.args.clone(), staged)
        .expect("the same content");
    assert_eq!(site.names(), ["part-0-1f3c09ab-a1.1-0.txt"]);
}

#[test]
fn a_sweep_removes_what_earlier_attempts_of_the_subtask_left_and_nothing_else() {
    let site = Site::new("sweep");
    let sink = FileSink::lines(&site.folder);
    for name in [
        ".part-0-1f3c09ab-a1.1-3.txt.inprogress",
        ".part-0-1f3c09ab-a1.2-0.txt.inprogress",
        ".part-0-1f3c09ab-a2.1-0.txt.inprogress",
        ".part-0-1f3c09ab-a2.2-0.txt.inprogress",
        ".part-0-2a2a2a2a-a1.1-3.txt.inprogress",
        ".part-1-1f3c09ab-a1.1-0.txt.inprogress",
        ".total-0-1f3c09ab-a1.1-0.txt.inprogress",
        "part-0-1f3c09ab-a1.1-0.txt",
    ] {
        site.file(name, b"1\n");
    }
    let args = WriterArgs {
        attempt: AttemptNumber::of_epoch(2, 1),
        commits: CommitRule::OnCheckpoint,
        ..args(site.surroundings(), 0, 1)
    };
    let committer = Sink::<u64>::committer(&sink, args).expect("a good sink");
    let committer = committer.expect("it commits");
    site.wait(committer.sweep()).expect("a good folder");
    assert_eq!(
        site.names(),
        [
            ".part-0-1f3c09ab-a2.1-0.txt.inprogress",
            ".part-0-1f3c09ab-a2.2-0.txt.inprogress",
            ".part-0-2a2a2a2a-a1.1-3.txt.inprogress",
            ".part-1-1f3c09ab-a1.1-0.txt.inprogress",
            ".total-0-1f3c09ab-a1.1-0.txt.inprogress",
            "part-0-1f3c09ab-a1.1-0.txt",
        ]
    );
}

/// Writes one number as the first attempt of a job with checkpoints, or as one that goes on.
fn begin(site: &Site, is_restored: bool) -> Result<Vec<Committable>, String> {
    let (sink, surroundings) = (FileSink::lines(&site.folder), site.surroundings());
    let wake = surroundings.wake.clone();
    let args = WriterArgs {
        attempt: first(),
        commits: CommitRule::OnCheckpoint,
        is_restored,
        ..args(surroundings, 0, 1)
    };
    let writer = Sink::<u64>::writer(&sink, args);
    let mut writer = writer.map_err(|error| error.to_string())?;
    let mut batch = Batch::from_parts(vec![1], None);
    let written = writer.write(&mut batch);
    written.map_err(|error| error.to_string())?;
    let staged = writer.stage(CheckpointId::new(1));
    staged.map_err(|error| error.to_string())?;
    let staged = site.staged(&mut *writer, &wake);
    staged.map_err(|error| error.to_string())
}

#[test]
fn a_job_that_begins_refuses_a_folder_with_results_of_another_run() {
    for theirs in ["part-0-2a2a2a2a-a1.1-0.txt", "part-5.txt"] {
        let site = Site::new("foreign-results");
        site.file(theirs, b"1\n");
        let refused = begin(&site, false).expect_err("not ours");
        let says = format!(
            "cannot write {}: it holds {theirs}, which this job did not write: name another \
             output, or remove the results of other jobs and earlier runs",
            site.folder.display()
        );
        assert_eq!(refused, says);
        assert_eq!(site.names(), [theirs]);
    }
}

#[test]
fn unfinished_files_of_another_job_and_results_found_later_refuse_nobody() {
    let site = Site::new("foreign-unfinished");
    site.file(".part-0-2a2a2a2a-a1.1-0.txt.inprogress", b"1\n");
    site.file("totals-0-2a2a2a2a-a1.1-0.txt", b"1\n");
    assert_eq!(begin(&site, false).map(|staged| staged.len()), Ok(1));
    let site = Site::new("foreign-later");
    site.file("part-0-2a2a2a2a-a1.1-0.txt", b"1\n");
    assert_eq!(begin(&site, true).map(|staged| staged.len()), Ok(1));
}

#[test]
fn a_final_name_of_an_attempt_that_is_taken_is_refused_for_good() {
    let site = Site::new("name-taken");
    site.file("part-0-1f3c09ab-a1.1-0.txt", b"1\n");
    let refused = begin(&site, true).expect_err("it is taken");
    assert!(refused.contains("the file exists already"), "{refused}");
}

#[test]
fn one_file_is_refused_with_checkpoints_and_with_rolling() {
    let site = Site::new("single-refused");
    let sink = FileSink::lines(site.folder.join("all.txt")).single_file();
    let with_checkpoints = WriterArgs {
        commits: CommitRule::OnCheckpoint,
        ..args(site.surroundings(), 0, 1)
    };
    let refused = Sink::<u64>::writer(&sink, with_checkpoints).map(drop);
    let text = refused.expect_err("one file, many commits").to_string();
    assert!(
        text.contains("leave out `single_file`, or run the job without"),
        "{text}"
    );
    let refused = site.writer::<u64>(&sink.roll_bytes(1), 0, 1).map(drop);
    let text = refused.expect_err("one file, many files").to_string();
    assert!(
        text.contains("leave out `single_file`, or `roll_bytes`"),
        "{text}"
    );
}

#[test]
fn sinks_that_would_write_the_same_names_name_the_same_output() {
    let output = |sink: &dyn Sink<u64>| sink.exclusive_output().expect("files are exclusive");
    let plain = output(&FileSink::lines("out"));
    assert_eq!(plain, output(&FileSink::lines("out/")));
    assert_ne!(plain, output(&FileSink::json("out")));
    assert_ne!(plain, output(&FileSink::lines("out").prefix("totals")));
}

#[test]
fn sinks_that_do_not_commit_take_part_in_checkpoints_without_committables() {
    let site = Site::new("at-least-once");
    let mut open = open(&site, &Discard, first());
    open.write(1);
    assert!(open.stage(&site, 1).is_empty());
    assert!(!Sink::<u64>::commits(&Discard) && !Sink::<u64>::commits(&Print::lines()));
}
