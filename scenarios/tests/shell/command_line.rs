//! What the commands print, and where: results on standard output, all else on stderr.

use std::collections::BTreeMap;

use crate::program::{Ended, Folder, text};

/// A run that ended well.
fn done(words: &str, folder: &Folder) -> Ended {
    let ended = folder.run(words);
    assert_eq!(ended.code, Some(0), "{words}: {}", ended.stderr);
    ended
}

/// The words of a text and how often each stands there, by a loop that shares nothing with the job.
pub(crate) fn counted(text: &str) -> BTreeMap<String, usize> {
    let lower = text.to_ascii_lowercase();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut counts = BTreeMap::new();
    for found in lower.split(|c| !word(c)).filter(|found| !found.is_empty()) {
        *counts.entry(found.to_owned()).or_default() += 1;
    }
    counts
}

/// The ten most frequent words, as `word count`, and the line above them.
pub(crate) fn top_words(text: &str) -> Vec<String> {
    let counts = counted(text);
    let mut order: Vec<_> = counts.iter().collect();
    order.sort_by_key(|(word, count)| (usize::MAX - **count, (*word).clone()));
    let rows = order
        .iter()
        .take(10)
        .map(|(word, count)| format!("{word} {count}"));
    rows.collect()
}

/// Lines with single spaces.
pub(crate) fn squeezed(text: &str) -> Vec<String> {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(squeeze).collect()
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = Folder::new();
    for words in [
        "--help",
        "-h",
        "help",
        "run --help",
        "sim --help",
        "graph --help",
        "settings --help",
        "list --help",
    ] {
        let ended = done(words, &folder);
        assert!(ended.stdout.contains("Usage: sameriver"), "{words}");
        assert_eq!(ended.stderr, "", "{words}");
    }
    let version = format!("sameriver {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(done("--version", &folder).stdout, version);
}

#[test]
fn list_names_every_scenario_with_a_sentence() {
    let list = done("list", &Folder::new()).stdout;
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let all = [
        "bank_transfer",
        "poison_pill",
        "session_cart",
        "windowed_totals",
        "word_count",
    ];
    assert_eq!(names, all);
    assert!(list.lines().all(|line| line.split_whitespace().count() > 4));
}

#[test]
fn the_top_words_equal_an_independent_count_at_every_parallelism() {
    let (folder, licence) = (Folder::new(), text("LICENSE-APACHE"));
    folder.write("licence", &licence);
    for parallelism in [1, 2, 4] {
        let words = format!("run word_count --input licence --parallelism {parallelism}");
        let shown = squeezed(&done(&words, &folder).stdout);
        assert_eq!(shown[1..], top_words(&licence), "{words}");
    }
}

#[test]
fn the_input_may_be_several_files_cut_anywhere() {
    let folder = Folder::new();
    folder.write("a", "one two\r\ntwo\n");
    folder.write("b", "three three three");
    let shown = done(
        "run word_count --input a --input b --split-bytes 1 --parallelism 2",
        &folder,
    );
    assert_eq!(squeezed(&shown.stdout)[1..], ["three 3", "two 2", "one 1"]);
}

#[test]
fn an_output_folder_gets_one_finished_file_a_subtask() {
    let (folder, licence) = (Folder::new(), text("LICENSE-APACHE"));
    folder.write("licence", &licence);
    let ended = done(
        "run word_count --input licence --output new/totals --parallelism 3",
        &folder,
    );
    assert_eq!(ended.stdout, "written to new/totals\n");
    let names = folder.names("new/totals");
    assert_eq!(names, ["part-0.txt", "part-1.txt", "part-2.txt"]);
    let files = names
        .iter()
        .map(|name| folder.read(&format!("new/totals/{name}")));
    let mut rows: Vec<String> = files.flat_map(|file| squeezed(&file)).collect();
    rows.sort();
    let right = counted(&licence);
    let mut right: Vec<String> = right
        .iter()
        .map(|(word, n)| format!("{word} {n}"))
        .collect();
    right.sort();
    assert_eq!(rows, right);
}

#[test]
fn events_of_a_file_are_added_up_per_key_and_second() {
    let folder = Folder::new();
    folder.write("events", "100,1,5\n999,1,6\n900,2,1\n1000,1,7\n");
    let ended = done(
        "run windowed_totals --input events --output totals",
        &folder,
    );
    assert_eq!(ended.stdout, "written to totals\n");
    let mut rows = squeezed(&folder.read("totals/part-0.txt"));
    rows.sort();
    assert_eq!(rows, ["0 1 11", "0 2 1", "1000 1 7"]);
}

#[test]
fn the_same_seed_generates_the_same_events() {
    let folder = Folder::new();
    let shown = |seed| {
        let words = format!("run windowed_totals --records 5000 --seed {seed}");
        done(&words, &folder).stdout
    };
    assert_eq!(shown(7), shown(7));
    assert_ne!(shown(7), shown(8));
}

#[test]
fn an_empty_input_gives_an_empty_result() {
    let folder = Folder::new();
    folder.write("empty", "");
    let shown = done("run word_count --input empty", &folder).stdout;
    assert_eq!(shown, "no words\n");
    let shown = done("run windowed_totals --records 0", &folder).stdout;
    assert_eq!(shown, "no totals\n");
}

#[test]
fn the_summary_says_how_much_ran_through_each_vertex() {
    let folder = Folder::new();
    folder.write("text", "a b\nc a\n".repeat(600));
    let summary = done("run word_count --input text --parallelism 2", &folder).stderr;
    let lines = squeezed(&summary);
    assert!(
        lines[0].starts_with("word_count finished: 1,200 records in "),
        "{summary}"
    );
    assert_eq!(
        lines[1..],
        [
            "subtasks records in sent on",
            "text -> words 2 1,200 2,400",
            "totals -> totals 2 2,400 -"
        ]
    );
    let widths: Vec<usize> = summary.lines().skip(1).map(str::len).collect();
    assert!(
        widths.windows(2).all(|pair| pair[0] == pair[1]),
        "{summary}"
    );
}

#[test]
fn a_pipe_gets_no_colours_and_no_progress() {
    let folder = Folder::new();
    for (words, logs) in [
        ("run windowed_totals --records 300000", "info"),
        ("sim all --seeds 0..4 --hashes", "warn"),
        ("run nothing", "info"),
        ("--help", "info"),
    ] {
        let ended = folder.run_with(words, &[("RUST_LOG", logs)]);
        for text in [ended.stdout, ended.stderr] {
            let control = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(control, None, "{words}: {text:?}");
            assert!(!text.contains("at parallelism"), "{words}: {text}");
        }
    }
}

#[test]
fn logs_are_asked_for_and_tell_the_states_of_the_job() {
    let folder = Folder::new();
    let run = "run windowed_totals --records 10";
    let silent = folder.run(run).stderr;
    assert!(
        !silent.contains("INFO") && !silent.contains("WARN"),
        "{silent}"
    );
    let told = folder.run_with(run, &[("RUST_LOG", "info")]).stderr;
    let states = [
        "to=waiting for task managers",
        "to=deploying",
        "to=running",
        "to=finishing",
        "to=finished",
    ];
    let mut rest = told.as_str();
    for state in states {
        let at = rest.find(state);
        rest = &rest[at.unwrap_or_else(|| panic!("{state} is missing in order: {told}"))..];
    }
}

#[test]
fn logs_that_cannot_be_asked_for_are_told_and_do_not_stop_the_command() {
    let ended = Folder::new().run_with("list", &[("RUST_LOG", "!!=x")]);
    assert_eq!(ended.code, Some(0));
    assert!(
        ended
            .stderr
            .starts_with("warning: RUST_LOG `!!=x` is ignored")
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    for words in [
        "list",
        "settings --print",
        "graph word_count",
        "run windowed_totals --records 1000",
        "sim all --seeds 0..8 --hashes",
        "--help",
    ] {
        let ended = folder.run_for_short_reader(words);
        assert!(
            !ended.stderr.contains("panicked"),
            "{words}: {}",
            ended.stderr
        );
        assert_eq!(ended.code, Some(0), "{words}: {}", ended.stderr);
    }
}

#[test]
fn printed_settings_can_be_read_back() {
    let folder = Folder::new();
    let printed = done(
        "settings --print --set batch_timeout=0ms --parallelism 3",
        &folder,
    );
    assert!(printed.stdout.contains("batch_timeout = \"0ms\""));
    folder.write("mine.toml", &printed.stdout);
    let again = done("settings --print --settings mine.toml", &folder).stdout;
    let values = |text: &str| -> Vec<String> {
        let value = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
        text.lines().map(value).collect()
    };
    assert_eq!(values(&again), values(&printed.stdout));
    assert!(again.contains("mine.toml line 1"), "{again}");
}

#[test]
fn sameriver_toml_of_the_folder_is_read_and_the_command_line_wins() {
    let folder = Folder::new();
    folder.write("sameriver.toml", "parallelism = 3\nbatch_records = 7\n");
    let settings = squeezed(&done("settings --print --parallelism 2", &folder).stdout);
    let row = |name: &str| settings.iter().find(|row| row.starts_with(name)).cloned();
    let (parallelism, records) = (row("parallelism"), row("batch_records"));
    assert!(parallelism.is_some_and(|row| row.starts_with("parallelism = 2 # command line")));
    assert!(records.is_some_and(|row| row.contains("= 7 # sameriver.toml line 2")));
}

#[test]
fn a_graph_is_text_or_graphviz() {
    let folder = Folder::new();
    let graph = done("graph windowed_totals --parallelism 3", &folder).stdout;
    assert!(
        graph.starts_with("job windowed_totals: 2 vertices"),
        "{graph}"
    );
    assert!(graph.contains("v0 x3"), "{graph}");
    let dot = done("graph windowed_totals --dot", &folder).stdout;
    assert!(dot.starts_with("digraph \"windowed_totals\" {"), "{dot}");
    assert!(dot.contains("v0 -> v1 [label=\"hash\"]"), "{dot}");
    assert!(dot.ends_with("}\n"), "{dot}");
}

#[test]
fn sim_tells_its_speed_and_the_fold_of_its_hashes() {
    let folder = Folder::new();
    let report = |words: &str| done(words, &folder).stdout;
    let text = report("sim all --seeds 0..10 --jobs 2");
    assert!(text.starts_with("10 of 10 seeds passed"), "{text}");
    assert!(
        text.contains("seeds a second") && text.contains("times real time"),
        "{text}"
    );
    let fold = |text: &str| text.lines().last().map(str::to_owned);
    assert!(fold(&text).is_some_and(|line| line.starts_with("fold of trace hashes: ")));
    assert_eq!(fold(&report("sim all --seeds 0..10 --jobs 1")), fold(&text));
    let hashes = report("sim all --seeds 3..6 --hashes");
    let seeds: Vec<_> = hashes.lines().take(3).map(|line| &line[..2]).collect();
    assert_eq!(seeds, ["3 ", "4 ", "5 "]);
}

#[test]
fn a_trace_has_every_event_of_its_seed() {
    let folder = Folder::new();
    let report = done("sim word_count --seeds 3..4 --trace events", &folder).stdout;
    let events = folder.read("events").lines().count();
    let told = report.replace(',', "");
    assert!(told.contains(&format!(" {events} events")), "{report}");
}

#[test]
fn a_run_on_a_terminal_shows_how_far_it_is() {
    let folder = Folder::new();
    let words = "run windowed_totals --records 2000 --rate 2000 --set checkpoints=kept --set \
                 checkpoint_interval=100ms";
    let ended = folder.run_on_terminal(words);
    let shown = &ended.stderr;
    assert_eq!(ended.code, Some(0), "{shown}");
    for part in [
        "windowed_totals at parallelism 1: running, ",
        " checkpoints",
    ] {
        assert!(shown.contains(part), "`{part}` is missing in {shown}");
    }
    let piped = folder.run("run windowed_totals --records 20");
    assert!(!piped.stderr.contains("at parallelism"), "{}", piped.stderr);
}

#[test]
fn a_simulation_on_a_terminal_shows_how_far_it_is() {
    let folder = Folder::new();
    let ended = folder.run_on_terminal("sim word_count --seeds 0..40");
    let shown = &ended.stderr;
    assert_eq!(ended.code, Some(0), "{shown}");
    for part in ["/40 seeds, ", " a second, "] {
        assert!(shown.contains(part), "`{part}` is missing in {shown}");
    }
    let piped = folder.run("sim word_count --seeds 0..4").stderr;
    assert!(!piped.contains("seeds, "), "{piped}");
}
