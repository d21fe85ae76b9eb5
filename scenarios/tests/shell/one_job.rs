//! Whose results and whose checkpoints: two runs that share a folder, by mistake or on purpose.
//!
//! Invariant: nothing waits for time; what a run has come to is read from its own lines.
#![expect(
    clippy::disallowed_methods,
    reason = "a shell's view: a folder is removed by hand"
)]

use crate::program::{Ended, Folder};

const COUNT: &str = "run word_count --input text --output totals --set checkpoints=kept \
                     --set restart=fixed-delay --set restart_delay=1ms";
/// Paced: it lasts for some seconds on every machine.
const LONG: &str = "run windowed_totals --records 8000 --rate 2000 --set checkpoints=kept \
                    --set checkpoint_interval=50ms";
const LOGS: &[(&str, &str)] = &[("RUST_LOG", "info")];

fn with_text() -> Folder {
    let folder = Folder::new();
    folder.write("text", "some words of a text\n");
    folder.write("other", "words of another text\n");
    folder
}

fn ended(ended: &Ended, code: i32, says: &[&str]) {
    let told = &ended.stderr;
    assert_eq!(ended.code, Some(code), "{told}");
    assert_eq!(code == 0, !told.contains("error: "), "{told}");
    for part in says {
        assert!(told.contains(part), "`{part}` is missing in: {told}");
    }
}

fn remove(folder: &Folder, name: &str) {
    std::fs::remove_dir_all(folder.path(name)).expect("a folder of ours can be removed");
}

#[test]
fn a_run_without_its_checkpoints_refuses_the_output_of_the_run_before() {
    let folder = with_text();
    ended(&folder.run(COUNT), 0, &[]);
    let before = folder.names("totals");
    assert!(!before.is_empty());
    remove(&folder, "kept");

    let refused = folder.run(COUNT);
    let says = [
        "cannot write totals: it holds part-",
        "which this job did not write",
        "name another output, or remove the results",
    ];
    ended(&refused, 73, &says);
    assert!(!refused.stderr.contains("restart"), "{}", refused.stderr);
    assert_eq!(folder.names("totals"), before);

    // That run has ended, too: its log says so, and how to begin anew.
    let says = [
        "it has failed already, by its job log in file:kept",
        "remove",
    ];
    ended(&folder.run(COUNT), 73, &says);
    for name in ["kept", "totals"] {
        remove(&folder, name);
    }
    ended(&folder.run(COUNT), 0, &[]);
}

#[test]
fn jobs_with_and_without_checkpoints_refuse_the_output_of_each_other() {
    let folder = with_text();
    let plain = "run word_count --input text --output totals";
    ended(&folder.run(plain), 0, &[]);
    let says = ["totals: it holds part-0.txt, which this job did not write"];
    ended(&folder.run(COUNT), 73, &says);
    for name in ["kept", "totals"] {
        remove(&folder, name);
    }
    ended(&folder.run(COUNT), 0, &[]);
    let says = ["totals: it holds part-0-", "which this job did not write"];
    ended(&folder.run(plain), 73, &says);
}

#[test]
fn unfinished_files_of_another_job_in_the_output_are_left_as_they_are() {
    let folder = with_text();
    let theirs = "totals/.part-0-2a2a2a2a-a1.1-3.txt.inprogress";
    folder.make("totals");
    folder.write(theirs, "pending\n");
    ended(&folder.run(COUNT), 0, &[]);
    assert_eq!(folder.read(theirs), "pending\n");
}

#[test]
fn the_store_of_another_job_is_refused_while_that_runs_and_when_it_is_over() {
    let folder = with_text();
    let mut first = folder.start(&format!("{LONG} --output totals"), LOGS);
    first.line_with("leads the job");
    let says = [
        "the log of job windowed_totals in file:kept is of another job graph (",
        "run the job that it is of, or give this one another folder for checkpoints",
    ];
    let other = folder.run(&format!("{LONG} --output other-totals"));
    ended(&other, 65, &says);
    assert_eq!(other.stdout, "");
    first.kill();

    ended(&folder.run(COUNT), 0, &[]);
    let other = folder.run(&COUNT.replace("input text", "input other"));
    ended(
        &other,
        65,
        &["the log of job word_count in file:kept is of another"],
    );
    assert_eq!(other.stdout, "");
    assert!(!folder.path("other-totals").exists());
}

#[test]
fn a_job_that_is_over_already_is_told_so_and_promises_no_output() {
    let folder = with_text();
    for (words, code) in [
        (COUNT.to_owned(), 0),
        (
            COUNT
                .replace("--output totals ", "")
                .replace("kept", "kept2"),
            1,
        ),
    ] {
        ended(&folder.run(&words), 0, &[]);
        let again = folder.run(&words);
        let says = ["word_count is over already, by its job log: finished"];
        ended(&again, code, &says);
        assert_eq!(again.stdout, "", "{words}");
    }
}

#[test]
fn a_run_that_finds_its_job_led_says_that_it_stands_by_and_ends_with_it() {
    let folder = with_text();
    let words = format!("{LONG} --output totals");
    let mut first = folder.start(&words, LOGS);
    first.line_with("leads the job");
    let mut second = folder.start(&words, &[]);
    second.line_with("another job master leads, or did until now: standing by");
    ended(&first.end(), 0, &[]);
    let second = second.end();
    ended(
        &second,
        0,
        &["windowed_totals is over already, by its job log"],
    );
    assert_eq!(second.stdout, "");
}
