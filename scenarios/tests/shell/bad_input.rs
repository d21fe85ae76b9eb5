//! Whatever is wrong with what a user gives: an exit code, and a message that names thing, value
//! and remedy. Never a panic, never a result that looks right.

use crate::program::{Ended, Folder};

/// The command ends with `code` and says each of the words; nothing is printed as a result.
fn refused(folder: &Folder, words: &str, code: i32, says: &[&str]) {
    refused_with(&folder.run(words), words, code, says);
}

fn refused_with(ended: &Ended, words: &str, code: i32, says: &[&str]) {
    let told = &ended.stderr;
    assert_eq!(ended.code, Some(code), "{words}: {told}");
    assert!(told.starts_with("error: "), "{words}: {told}");
    assert!(
        !told.contains("panicked") && !told.contains("backtrace"),
        "{words}: {told}"
    );
    for part in says {
        assert!(
            told.contains(part),
            "{words}: `{part}` is missing in: {told}"
        );
    }
    assert_eq!(ended.stdout, "", "{words}");
}

/// A folder with a small text.
fn with_text() -> Folder {
    let folder = Folder::new();
    folder.write("text", "some words of a text\n");
    folder
}

#[test]
fn a_missing_input_is_named_with_what_to_check() {
    let says = ["cannot read missing", "No such file", "check the path"];
    refused(&Folder::new(), "run word_count --input missing", 66, &says);
}

#[test]
fn a_default_input_that_is_not_there_is_an_error_too() {
    refused(
        &Folder::new(),
        "run word_count",
        66,
        &["cannot read LICENSE-APACHE"],
    );
}

#[test]
fn one_missing_input_of_several_is_named() {
    let words = "run word_count --input text --input missing";
    refused(&with_text(), words, 66, &["cannot read missing"]);
}

#[test]
fn an_input_below_a_file_is_unreadable() {
    let says = ["cannot read text/below", "is a file, not a folder"];
    refused(&with_text(), "run word_count --input text/below", 66, &says);
}

#[test]
fn a_folder_as_input_is_refused() {
    let says = ["cannot read .", "it is a directory", "name the files in it"];
    refused(&Folder::new(), "run word_count --input .", 66, &says);
}

#[test]
fn an_input_without_permission_says_who_needs_it() {
    let folder = Folder::of_everybody();
    folder.write("text", "some words of a text\n");
    folder.permit("text", 0o000);
    let words = "run word_count --input text";
    let says = ["cannot read text", "ermission denied", "let the user"];
    refused_with(&folder.run_unprivileged(words), words, 66, &says);
}

#[cfg(unix)]
#[test]
fn a_device_as_input_is_not_taken_for_an_empty_file() {
    let says = [
        "cannot read /dev/null",
        "a pipe or a device",
        "to a file first",
    ];
    refused(
        &Folder::new(),
        "run word_count --input /dev/null",
        66,
        &says,
    );
}

#[test]
fn an_output_that_is_a_file_is_refused_and_kept() {
    let folder = with_text();
    let says = ["cannot write text", "a file has this name", "name a folder"];
    refused(
        &folder,
        "run word_count --input text --output text",
        73,
        &says,
    );
    assert_eq!(folder.read("text"), "some words of a text\n");
}

#[test]
fn an_output_below_a_file_is_refused() {
    let says = ["cannot write text/out", "name a folder"];
    let words = "run word_count --input text --output text/out";
    refused(&with_text(), words, 73, &says);
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_made_is_refused() {
    let says = ["cannot write /proc/totals", "name a folder"];
    let words = "run word_count --input text --output /proc/totals";
    refused(&with_text(), words, 73, &says);
}

#[test]
fn an_output_without_permission_says_what_to_check() {
    let folder = Folder::of_everybody();
    folder.write("text", "some words of a text\n");
    folder.make("totals");
    folder.permit("totals", 0o555);
    folder.permit("text", 0o444);
    let words = "run word_count --input text --output totals";
    let says = ["cannot write totals/", "ermission denied", "permissions"];
    refused_with(&folder.run_unprivileged(words), words, 73, &says);
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_is_full_is_an_error() {
    let folder = with_text();
    let full = std::path::Path::new("/dev/full");
    for words in [
        "list",
        "graph word_count",
        "settings --print",
        "run word_count --input text",
        "sim all --seeds 0..4",
        "sim all --seeds 0..4 --hashes",
    ] {
        let says = ["cannot write standard output", "No space left", "check the"];
        refused_with(&folder.run_into(words, full), words, 73, &says);
    }
}

#[test]
fn the_result_of_an_earlier_run_is_never_overwritten() {
    let folder = with_text();
    let words = "run word_count --input text --output totals";
    assert_eq!(folder.run(words).code, Some(0));
    let before = folder.read("totals/part-0.txt");
    let says = ["totals/part-0.txt", "exists already", "name another output"];
    refused(&folder, words, 73, &says);
    assert_eq!(folder.read("totals/part-0.txt"), before);
    assert_eq!(folder.names("totals"), ["part-0.txt"]);
}

#[test]
fn a_folder_with_the_name_of_a_part_is_refused() {
    let folder = with_text();
    folder.make("totals/part-0.txt");
    let says = ["totals/part-0.txt", "a folder has this name"];
    refused(
        &folder,
        "run word_count --input text --output totals",
        73,
        &says,
    );
}

#[test]
fn a_line_that_is_not_utf_8_is_named_by_number_and_byte() {
    let folder = Folder::new();
    folder.write("text", b"first\nsecond\nthi\xffrd\n");
    for parallelism in [1, 3] {
        let words = format!("run word_count --input text --parallelism {parallelism}");
        let says = ["text at line 3", "byte 13", "not UTF-8", "convert"];
        refused(&folder, &words, 65, &says);
    }
}

#[test]
fn a_line_that_is_no_event_is_named_with_what_is_expected() {
    let folder = Folder::new();
    for (line, says) in [
        ("hello", "`hello` is not `time,key,amount`"),
        ("1,2", "`1,2` is not `time,key,amount`"),
        ("1,2,3,4", "`1,2,3,4` is not `time,key,amount`"),
        ("", "`` is not `time,key,amount`"),
        ("x,2,3", "time `x` of `x,2,3`"),
        ("1,-2,3", "key `-2` of `1,-2,3`"),
        ("1,2,99999999999999999999", "amount `99999999999999999999`"),
    ] {
        folder.write("events", format!("1,2,3\n{line}\n4,5,6\n"));
        let says = ["events at line 2", says, "mend the line"];
        refused(&folder, "run windowed_totals --input events", 65, &says);
    }
}

#[test]
fn a_job_that_fails_leaves_no_finished_file() {
    let folder = Folder::new();
    folder.write("events", "1,2,3\n".repeat(20_000) + "broken\n");
    for parallelism in [1, 3] {
        let words = format!(
            "run windowed_totals --input events --output totals --parallelism {parallelism}"
        );
        refused(&folder, &words, 65, &["events at line 20001"]);
        let names = folder.names("totals");
        let growing = |name: &String| name.ends_with(".inprogress");
        assert!(names.iter().all(growing), "{names:?}");
    }
}

#[test]
fn unknown_scenarios_are_answered_with_the_known_ones() {
    let folder = Folder::new();
    for words in ["run wordcount", "graph wordcount", "sim wordcount"] {
        let says = ["unknown scenario `wordcount`", "word_count", "list"];
        refused(&folder, words, 64, &says);
    }
}

#[test]
fn unknown_commands_and_options_name_the_nearest() {
    let folder = Folder::new();
    refused(&folder, "rum", 64, &["'rum'", "run"]);
    refused(
        &folder,
        "run word_count --inptu x",
        64,
        &["'--inptu'", "'--input'"],
    );
    refused(
        &folder,
        "sim all --seed 0..1",
        64,
        &["'--seed'", "'--seeds'"],
    );
    refused(&folder, "run word_count text", 64, &["'text'"]);
}

#[test]
fn what_is_left_out_is_asked_for() {
    let folder = Folder::new();
    for words in ["run", "graph", "sim"] {
        refused(&folder, words, 64, &["<SCENARIO>", "--help"]);
    }
    refused(&folder, "settings", 64, &["--print"]);
    refused(&folder, "run word_count --input", 64, &["--input <FILE>"]);
    let nothing = folder.run("");
    assert_eq!(nothing.code, Some(64));
    assert!(
        nothing.stderr.contains("Usage: sameriver <COMMAND>"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn an_option_that_the_scenario_does_not_use_is_not_passed_over() {
    let folder = with_text();
    let says = ["--records 5", "word_count reads files"];
    refused(
        &folder,
        "run word_count --input text --records 5",
        64,
        &says,
    );
    refused(
        &folder,
        "run word_count --seed 5",
        64,
        &["--seed 5", "leave it out"],
    );
    let says = ["--seed 1", "leave it or --input out"];
    refused(
        &folder,
        "run windowed_totals --input text --seed 1",
        64,
        &says,
    );
    let says = ["--split-bytes 9", "name one with --input"];
    refused(&folder, "run windowed_totals --split-bytes 9", 64, &says);
}

#[test]
fn a_parallelism_that_cannot_be_is_refused_by_every_command() {
    let folder = with_text();
    for (value, says) in [
        ("0", "parallelism = 0 is refused: choose 1 to 32768"),
        ("129", "it is above max_parallelism = 128"),
        (
            "-1",
            "parallelism = -1 cannot be read: write a whole number",
        ),
        (
            "two",
            "parallelism = two cannot be read: write a whole number",
        ),
        (
            "4294967296",
            "cannot be read: write a whole number from 0 to 4294967295",
        ),
    ] {
        for command in [
            "run word_count --input text",
            "graph word_count",
            "settings --print",
        ] {
            let words = format!("{command} --parallelism {value}");
            refused(&folder, &words, 64, &[says]);
        }
    }
}

#[test]
fn a_setting_on_the_command_line_is_checked() {
    let folder = with_text();
    for (pair, says) in [
        (
            "batch_records",
            "--set batch_records has no value: write --set batch_records=VALUE",
        ),
        (
            "batch_record=1",
            "unknown setting batch_record: did you mean batch_records?",
        ),
        (
            "colour=red",
            "unknown setting colour: `sameriver settings --print` lists",
        ),
        ("=1", "unknown setting"),
        (
            "batch_records=0",
            "batch_records = 0 is refused: choose at least 1",
        ),
        (
            "batch_timeout=5",
            "batch_timeout = 5 cannot be read: write a number with a unit",
        ),
        (
            "chaining=maybe",
            "chaining = maybe cannot be read: write true or false",
        ),
        (
            "max_parallelism=40000",
            "max_parallelism = 40000 is refused",
        ),
        (
            "task_managers=4294967295",
            "task_managers = 4294967295 is refused: choose 1 to 1024",
        ),
        ("slots=4294967295", "slots = 4294967295 is refused"),
    ] {
        let words = format!("run word_count --input text --set {pair}");
        refused(&folder, &words, 64, &[says]);
    }
}

#[test]
fn a_settings_file_is_checked_line_by_line() {
    let folder = with_text();
    for (file, says) in [
        (
            "parallelism = 2\nbatch_record = 1\n",
            "sameriver.toml line 2: unknown setting batch_record: did you mean batch_records?",
        ),
        (
            "\nslots = \"two\"\n",
            "sameriver.toml line 2: slots = \"two\" cannot be read",
        ),
        (
            "parallelism = \n",
            "settings file sameriver.toml: TOML parse error at line 1",
        ),
        ("parallelism = 500\n", "parallelism = 500 is refused"),
    ] {
        folder.write("sameriver.toml", file);
        refused(&folder, "run word_count --input text", 64, &[says]);
        refused(&folder, "settings --print", 64, &[says]);
    }
    folder.write("sameriver.toml", [0xff, 0xfe]);
    refused(
        &folder,
        "run word_count --input text",
        64,
        &["sameriver.toml", "UTF-8"],
    );
    let says = ["cannot read settings file missing.toml", "check the path"];
    refused(&folder, "run word_count --settings missing.toml", 64, &says);
    refused(
        &folder,
        "run word_count --settings .",
        64,
        &["settings file ."],
    );
}

#[test]
fn a_range_of_seeds_that_cannot_be_says_what_to_write() {
    let folder = Folder::new();
    for (range, says) in [
        ("5..5", "write 5..6"),
        ("9..3", "`9..3` is reversed: write 3..9"),
        ("7", "write FIRST..END, such as 0..100"),
        ("x..3", "`x` in `x..3` is no seed"),
        ("1..", "is no seed"),
        ("-1..3", "`-1` in `-1..3` is no seed"),
        ("0..18446744073709551616", "write a whole number below 2^64"),
        ("0..18446744073709551615", "write 0..10000000"),
    ] {
        let words = format!("sim all --seeds {range}");
        refused(&folder, &words, 64, &["--seeds", says]);
    }
    refused(&folder, "sim all --jobs 0", 64, &["'0'", "--jobs"]);
}

#[test]
fn a_trace_is_of_one_seed_and_needs_a_place() {
    let folder = with_text();
    let says = ["--seeds 0..5 has 5", "write --seeds 0..1"];
    refused(&folder, "sim all --seeds 0..5 --trace trace", 64, &says);
    for place in ["text/trace", "."] {
        let words = format!("sim all --seeds 0..1 --trace {place}");
        let says = [
            &*format!("cannot write the trace to {place}"),
            "name a file",
        ];
        refused(&folder, &words, 73, &says);
    }
}

#[test]
fn a_plan_that_is_missing_or_none_says_what_to_do() {
    let folder = with_text();
    let says = ["cannot read the plan missing.toml", "name a file that"];
    refused(&folder, "sim replay missing.toml", 66, &says);
    let stranger = "name = \"a table\"\n";
    let other = "schema = 999\n";
    let drawn = "schema = 1\nscenario = \"all\"\n";
    for (plan, says) in [
        (stranger, "table.toml is no plan"),
        (stranger, "correct it, or name a file that"),
        (other, "table.toml has schema 999"),
        (other, "use the tool that wrote it"),
        (drawn, "table.toml is no plan"),
        ("=", "table.toml is no plan"),
    ] {
        folder.write("table.toml", plan);
        refused(&folder, "sim replay table.toml", 65, &[says]);
    }
}

#[test]
fn a_plan_of_an_unknown_scenario_is_bad_data() {
    let folder = Folder::new();
    let plan = crate::program::text("tests/seeds/word_count-storm.toml");
    for (scenario, says) in [
        ("word_count_of_old", "unknown scenario `word_count_of_old`"),
        ("all", "a plan is of one scenario"),
    ] {
        let changed = plan.replace("\"word_count\"", &format!("\"{scenario}\""));
        assert_ne!(changed, plan);
        folder.write("plan.toml", changed);
        refused(&folder, "sim replay plan.toml", 65, &["plan.toml", says]);
    }
}

#[test]
fn logs_do_not_hide_the_error() {
    let folder = Folder::new();
    let words = "run word_count --input missing";
    let ended = folder.run_with(words, &[("RUST_LOG", "info")]);
    assert_eq!(ended.code, Some(66));
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("error: word_count: the job failed"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_batch_that_showed_nothing_is_vacuous_and_not_passed() {
    // In the only seed of the range nobody felt a fault, or the text was empty.
    let folder = Folder::new();
    let run = |seed: u64| folder.run(&format!("sim word_count --seeds {seed}..{}", seed + 1));
    let ended = (0..200).map(|seed| (seed, run(seed)));
    let (seed, ended) = ended
        .into_iter()
        .find(|(_, ended)| ended.code != Some(0))
        .expect("one in eighty seeds shows nothing");
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let says = format!("error: seed {seed}: V");
    assert!(ended.stderr.starts_with(&says), "{}", ended.stderr);
    for part in [
        "vacuous: no ",
        "1 of 1 seeds showed nothing",
        &format!("repeat: cargo run --release -- sim word_count --seeds {seed}"),
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}
