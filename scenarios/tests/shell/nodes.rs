//! `jobmaster` and `taskmanager`: one job on several processes, which are killed and started again.
//!
//! Invariant: nothing waits for time; what a process has come to is read from its own lines.

use std::net::TcpListener;

use crate::command_line::{counted, squeezed};
use crate::program::{Ended, Folder, Running, text};

const TWO: &str = "parallelism = 2\ntask_managers = 2\ncheckpoints = \"kept\"\n";
const RESTARTS: &str =
    "checkpoint_interval = \"50ms\"\nrestart = \"fixed-delay\"\nrestart_delay = \"10ms\"\n";
const LONG: &str = "windowed_totals --records 4000000 --output totals";
/// The same job without any of this.
const ALONE: &str = "run windowed_totals --records 4000000 --output alone \
                     --set checkpoints= --set restart=never";
const LOGS: &[(&str, &str)] = &[("RUST_LOG", "info")];

/// Starts a job master on a port that is free, and tells which.
fn job_master(folder: &Folder, job: &str) -> (Running, String) {
    let words = format!("jobmaster {job} --listen 127.0.0.1:0");
    let mut master = folder.start(&words, LOGS);
    let line = master.line_with(" listens on ");
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("127."));
    let address = address.expect("it tells its address").to_owned();
    (master, address)
}

fn task_manager(folder: &Folder, job: &str, index: u32, master: &str) -> Running {
    let words = format!("taskmanager {job} --index {index} --master {master}");
    folder.start(&words, LOGS)
}

fn well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

fn wrong(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    let error = ended
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "));
    let error = error.unwrap_or_else(|| panic!("no error: {}", ended.stderr));
    for part in parts {
        assert!(error.contains(part), "{part}: {error}");
    }
}

/// All lines of all files of a folder, sorted; no file may be unfinished.
pub(crate) fn rows(folder: &Folder, name: &str) -> Vec<String> {
    let names = folder.names(name);
    assert!(
        names.iter().all(|name| name.starts_with("part-")),
        "{names:?}"
    );
    let files = names
        .iter()
        .map(|file| folder.read(&format!("{name}/{file}")));
    let mut rows: Vec<String> = files.flat_map(|file| squeezed(&file)).collect();
    rows.sort_unstable();
    rows
}

/// The rows that `word_count` writes of a text.
pub(crate) fn word_rows(text: &str) -> Vec<String> {
    let counts = counted(text);
    let mut rows: Vec<String> = counts
        .iter()
        .map(|(word, n)| format!("{word} {n}"))
        .collect();
    rows.sort_unstable();
    rows
}

#[test]
fn a_job_on_several_processes_writes_what_it_writes_on_one() {
    let (folder, licence) = (Folder::new(), text("LICENSE-APACHE"));
    folder.write("licence", &licence);
    folder.write("sameriver.toml", TWO);
    let job = "word_count --input licence --output counts";
    let (master, at) = job_master(&folder, job);
    let managers = [0, 1].map(|index| task_manager(&folder, job, index, &at));
    let ended = master.end();
    well(&ended);
    assert_eq!(ended.stdout, "written to counts\n");
    assert!(
        ended.stderr.contains("word_count finished: "),
        "{}",
        ended.stderr
    );
    for manager in managers {
        let ended = manager.end();
        well(&ended);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(rows(&folder, "counts"), word_rows(&licence));
    well(&folder.run("checkpoints kept"));

    let (again, _) = job_master(&folder, job);
    let ended = again.end();
    well(&ended);
    assert!(ended.stderr.contains("over already"), "{}", ended.stderr);
}

#[test]
fn a_task_manager_that_is_killed_and_started_again_leaves_no_trace_in_the_result() {
    let folder = Folder::new();
    folder.write("sameriver.toml", format!("{TWO}{RESTARTS}"));
    let (mut master, at) = job_master(&folder, LONG);
    let survivor = task_manager(&folder, LONG, 0, &at);
    let victim = task_manager(&folder, LONG, 1, &at);
    master.line_with("checkpoint published");
    victim.kill();
    master.line_with("to=restarting");
    let successor = task_manager(&folder, LONG, 1, &at);
    master.line_with("restore attempt=a1.2");
    for node in [master, survivor, successor] {
        well(&node.end());
    }
    well(&folder.run(ALONE));
    let (totals, alone) = (rows(&folder, "totals"), rows(&folder, "alone"));
    assert!(totals == alone, "{} and {} rows", totals.len(), alone.len());
}

#[test]
fn a_job_master_that_is_killed_and_started_again_leaves_no_trace_in_the_result() {
    let folder = Folder::new();
    folder.write("sameriver.toml", format!("{TWO}{RESTARTS}"));
    let (mut master, at) = job_master(&folder, LONG);
    let managers = [0, 1].map(|index| task_manager(&folder, LONG, index, &at));
    master.line_with("checkpoint published");
    master.kill();
    let words = format!("jobmaster {LONG} --listen {at}");
    well(&folder.start(&words, LOGS).end());
    for manager in managers {
        well(&manager.end());
    }
    well(&folder.run(ALONE));
    let (totals, alone) = (rows(&folder, "totals"), rows(&folder, "alone"));
    assert!(totals == alone, "{} and {} rows", totals.len(), alone.len());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a port that is really in use")]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let at = taken.local_addr().expect("it has an address").to_string();
    let words = format!("jobmaster word_count --output counts --listen {at}");
    wrong(
        &Folder::new().run(&words),
        69,
        &[&at, "choose another address"],
    );
}

#[test]
fn a_job_master_that_is_not_there_is_named_with_the_time_it_was_looked_for() {
    let words = "taskmanager word_count --output counts --index 0 --master 127.0.0.1:1 \
                 --set registration_timeout=20ms";
    let parts = [
        "127.0.0.1:1",
        "20ms",
        "start it, or raise registration_timeout",
    ];
    wrong(&Folder::new().run(words), 69, &parts);
}

#[test]
fn settings_and_words_that_cannot_work_on_several_processes_are_refused() {
    let folder = Folder::new();
    let master = "jobmaster word_count --output counts --listen";
    let manager = "taskmanager word_count --output counts";
    let check = |words: String, parts: &[&str]| wrong(&folder.run(&words), 64, parts);
    check(format!("{master} 6123"), &["6123", "HOST:PORT"]);
    let restart = format!("{master} 127.0.0.1:0 --set restart=fixed-delay");
    check(restart, &["restart", "checkpoints"]);
    let memory = format!("{master} 127.0.0.1:0 --set checkpoints=memory:kept");
    check(memory, &["memory:kept", "folder that every node reaches"]);
    let index = format!("{manager} --index 1 --master 127.0.0.1:1");
    check(index, &["task manager 1", "task_managers = 1"]);
    let address = format!("{manager} --index 0 --master 127.0.0.1:1,other");
    check(address, &["other", "HOST:PORT"]);
}

#[test]
fn a_job_that_only_collects_is_told_that_no_process_could_show_it() {
    let folder = Folder::new();
    folder.write("licence", "a b a");
    let job = "word_count --input licence";
    let (master, at) = job_master(&folder, job);
    let manager = task_manager(&folder, job, 0, &at);
    wrong(&master.end(), 1, &["totals", "write to a sink"]);
    well(&manager.end());
}
