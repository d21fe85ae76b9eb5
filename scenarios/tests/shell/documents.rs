//! README, `docs/command-line.md` and `docs/operations.md` say what the binary does: their commands
//! are run, their tables compared.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_cli::Exit;
use sameriver_sim::FindingKind;

use crate::command_line::{squeezed, top_words};
use crate::nodes::{rows, word_rows};
use crate::program::{Folder, text};

/// The lines of the blocks of a page that start with this fence.
fn blocks(page: &str, fence: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == fence {
            let block = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(block.collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

const RUN: &str = "cargo run --release -- ";

#[test]
fn the_readme_has_the_commands_that_are_run_here_and_in_the_gate() {
    assert_eq!(
        blocks(&text("README.md"), "```sh"),
        [
            "cargo run --release -- run word_count --input LICENSE-APACHE",
            "cargo test",
            "cargo run --release -- sim all --seeds 0..1000",
        ]
    );
    let gate = text(".ci/run");
    for part in ["cargo test", "-- sim all --seeds 0.."] {
        assert!(gate.contains(part), "the gate runs `{part}`");
    }
}

#[test]
fn the_first_command_of_the_readme_counts_the_words_of_the_licence() {
    let (folder, licence) = (Folder::new(), text("LICENSE-APACHE"));
    folder.write("LICENSE-APACHE", &licence);
    let first = &blocks(&text("README.md"), "```sh")[0];
    let words = first.strip_prefix(RUN).expect("it runs the binary");
    let ended = folder.run(words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(squeezed(&ended.stdout)[1..], top_words(&licence));
}

#[test]
fn the_last_command_of_the_readme_passes_with_fewer_seeds() {
    let page = text("README.md");
    let last = blocks(&page, "```sh").pop().expect("there are commands");
    let words = last.strip_prefix(RUN).expect("it runs the binary");
    let ended = Folder::new().run(&words.replace("0..1000", "0..40"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report = &ended.stdout;
    assert!(report.contains(" of 40 seeds passed"), "{report}");
    assert!(report.contains(", 0 failed, "), "{report}");
}

#[test]
fn every_example_of_the_command_line_page_works() {
    let folder = Folder::new();
    folder.write("LICENSE-APACHE", text("LICENSE-APACHE"));
    folder.write("events.csv", "1700000000000,1,5\n1700000000250,2,7\n");
    let examples = blocks(&text("docs/command-line.md"), "```sh").join("\n");
    let commands: Vec<&str> = examples.lines().collect();
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        let (words, file) = match command.split_once(" > ") {
            Some((words, file)) => (words, Some(file)),
            None => (command, None),
        };
        let words = words
            .strip_prefix("sameriver ")
            .expect("it runs the binary");
        let ended = folder.run(words);
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.stderr);
        assert_ne!(ended.stdout, "", "{command}");
        if let Some(file) = file {
            folder.write(file, ended.stdout);
        }
    }
}

#[test]
fn the_processes_of_the_operations_page_run_a_job_and_its_store_is_whole() {
    let (folder, page) = (Folder::new(), text("docs/operations.md"));
    let licence = text("LICENSE-APACHE");
    folder.write("LICENSE-APACHE", &licence);
    folder.write("sameriver.toml", &blocks(&page, "```toml")[0]);
    let examples = blocks(&page, "```sh");
    let [start, look] = examples.as_slice() else {
        panic!("{examples:?}");
    };
    let mut address = "127.0.0.1:0".to_owned();
    let mut nodes = Vec::new();
    for command in start.lines() {
        // The port of the page may be in use here.
        let words = command.replace("127.0.0.1:6123", &address);
        let words = words.strip_prefix("sameriver ");
        let mut node = folder.start(words.expect("it runs the binary"), &[]);
        if nodes.is_empty() {
            let line = node.line_with(" listens on ");
            let told = line
                .split_whitespace()
                .find(|word| word.starts_with("127."));
            told.expect("it tells its address").clone_into(&mut address);
        }
        nodes.push(node);
    }
    for node in nodes {
        let ended = node.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert_eq!(rows(&folder, "counts"), word_rows(&licence));
    let words = look.strip_prefix("sameriver ").expect("it runs the binary");
    assert_eq!(folder.run(words).code, Some(0));
}

/// The rows of the table whose first cell is a number: code, of `run`, of `sim`.
fn exit_codes() -> BTreeMap<u8, (String, String)> {
    let page = text("docs/command-line.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let code = cells[1].parse().ok()?;
        Some((code, (cells[2].to_owned(), cells[3].to_owned())))
    };
    rows.filter_map(row).collect()
}

#[test]
fn the_table_of_exit_codes_is_that_of_the_code() {
    let codes = exit_codes();
    let named = |column: fn(&(String, String)) -> &String| -> BTreeSet<u8> {
        let told = codes.iter().filter(|(_, row)| !column(row).is_empty());
        told.map(|(code, _)| *code).collect()
    };
    let of_run: BTreeSet<u8> = Exit::ALL.map(Exit::code).into();
    assert_eq!(named(|row| &row.0), of_run);
    let findings = [
        FindingKind::Safety,
        FindingKind::Liveness,
        FindingKind::Nondeterminism,
        FindingKind::Panic,
        FindingKind::Vacuous,
        FindingKind::Harness,
    ];
    for finding in findings {
        let told = &codes[&finding.exit_code()].1;
        assert!(told.starts_with(&finding.to_string()), "{finding}: {told}");
    }
    let ends = ends_of_sim().into_iter();
    let of_sim = findings.map(FindingKind::exit_code).into_iter().chain(ends);
    assert_eq!(named(|row| &row.1), of_sim.collect());
}

/// What `sim` ends with where there is no finding, each seen at a command.
fn ends_of_sim() -> BTreeSet<u8> {
    let folder = Folder::new();
    folder.write("table.toml", "[package]\n");
    folder.write("events.csv", [0xff, 0xfe]);
    let commands = [
        ("sim word_count --seeds 0..3", Exit::Success),
        ("sim all --seeds 3..1", Exit::Usage),
        ("sim replay", Exit::Usage),
        ("sim replay table.toml", Exit::BadInput),
        ("sim replay events.csv", Exit::BadInput),
        ("sim replay missing.toml", Exit::NoInput),
        ("sim replay .", Exit::NoInput),
        ("sim evidence", Exit::Usage),
        ("sim evidence --repeat 1", Exit::NoInput),
        ("sim all --seeds 0..1 --trace .", Exit::CannotCreate),
        (
            "sim word_count --seeds 0..3 --findings .",
            Exit::CannotCreate,
        ),
        ("sim word_count --seeds 0..3 --evidence", Exit::CannotCreate),
    ];
    for (words, exit) in commands {
        let ended = folder.run(words);
        let code = Some(i32::from(exit.code()));
        assert_eq!(ended.code, code, "{words}: {}", ended.stderr);
    }
    commands.map(|(_, exit)| exit.code()).into()
}

/// The options in a text: words that start with two dashes.
fn options(text: &str) -> BTreeSet<String> {
    let edge = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let words = text
        .split(edge)
        .filter(|word| word.len() > 2 && word.starts_with("--"));
    words.map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_option_of_every_command_and_no_other() {
    let (folder, page) = (Folder::new(), text("docs/command-line.md"));
    for command in [
        "list",
        "run",
        "graph",
        "settings",
        "checkpoints",
        "jobmaster",
        "taskmanager",
        "sim",
    ] {
        let heading = format!("\n## `{command}");
        let section = page.split(&heading).nth(1);
        let section = section.unwrap_or_else(|| panic!("no section for {command}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with("| `--"));
        let first_cells = rows.filter_map(|row| row.split('|').nth(1));
        let told: BTreeSet<String> = first_cells.flat_map(options).collect();
        let help = folder.run(&format!("{command} --help")).stdout;
        let usual = BTreeSet::from(["--help".to_owned()]);
        let known: BTreeSet<String> = options(&help).difference(&usual).cloned().collect();
        assert_eq!(told, known, "{command}");
    }
}
