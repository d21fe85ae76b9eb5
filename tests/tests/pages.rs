//! Holds the pages to the tree: what they name is there.
//!
//! Invariant: each rule lists every offender at once.

use std::collections::BTreeSet;

use sameriver_tests::repository::{exists, files, text};
use sameriver_tests::walkthrough::{Step, steps};

const GUIDE: &str = "docs/guide/from-a-red-test-to-the-cause.md";

/// The pages that readers are led through.
fn pages() -> Vec<String> {
    let pages = files(".md").into_iter();
    pages
        .filter(|page| page.starts_with("docs/") || !page.contains('/'))
        .collect()
}

/// The folder of a page, with its slash.
fn folder(page: &str) -> &str {
    page.rfind('/').map_or("", |end| &page[..=end])
}

/// A path without its `..` parts.
fn plain(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The files that a page lets its reader write.
fn written_by(page: &str) -> BTreeSet<String> {
    let steps = steps(page).unwrap_or_default().into_iter();
    let path = |step| match step {
        Step::File(path, _) => Some(path),
        Step::Change(..) | Step::Commands(_) | Step::Output(_) => None,
    };
    steps.filter_map(path).collect()
}

#[test]
fn every_path_that_a_page_names_exists() {
    let mut missing = Vec::new();
    for page in pages() {
        let text = text(&page);
        let quoted = text.split('`').skip(1).step_by(2);
        let rooms = [
            "engine/",
            "sim/",
            "scenarios/",
            "tests/",
            "benches/",
            "docs/",
        ];
        let paths = quoted.filter(|word| rooms.iter().any(|room| word.starts_with(room)));
        let plain_paths = paths.filter(|path| !path.contains(['*', ' ', '<', '{']));
        let written = written_by(&text);
        let gone = plain_paths.filter(|path| !exists(path) && !written.contains(*path));
        missing.extend(gone.map(|path| format!("{page}: {path}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    let mut missing = Vec::new();
    for page in pages() {
        let text = text(&page);
        let targets = text.split("](").skip(1);
        let targets = targets.filter_map(|rest| rest.split([')', '#']).next());
        let inside = targets.filter(|target| !target.is_empty() && !target.contains("://"));
        let gone = inside.filter(|target| !exists(&plain(&format!("{}{target}", folder(&page)))));
        missing.extend(gone.map(|target| format!("{page}: {target}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_guide_is_walked_by_the_gate_and_linked_from_the_readme() {
    let (gate, readme) = (text(".ci/user-crate"), text("README.md"));
    let guides: Vec<String> = pages()
        .into_iter()
        .filter(|page| page.starts_with("docs/guide/"))
        .collect();
    assert!(guides.contains(&GUIDE.to_owned()), "{guides:?}");
    for guide in guides {
        assert!(gate.contains(&guide), "{guide} is walked");
        assert!(readme.contains(&format!("]({guide})")), "{guide} is linked");
        let steps = steps(&text(&guide)).unwrap_or_else(|error| panic!("{guide}: {error}"));
        let empty = |step: &&Step| matches!(step, Step::Output(lines) if lines.is_empty());
        assert_eq!(steps.iter().find(empty), None, "{guide}");
    }
}

#[test]
fn the_test_of_the_guide_has_ten_lines() {
    let steps = steps(&text(GUIDE)).expect("it is a walk");
    let test = steps.iter().find_map(|step| match step {
        Step::File(path, lines) if path == "tests/sim.rs" => Some(lines),
        Step::File(..) | Step::Change(..) | Step::Commands(_) | Step::Output(_) => None,
    });
    let lines = test.expect("it has a test").iter();
    let heads = ["//", "#!", "use "];
    let count =
        lines.filter(|line| !line.is_empty() && !heads.iter().any(|head| line.starts_with(head)));
    assert_eq!(count.count(), 10);
}

#[test]
fn the_walk_of_a_record_names_a_file_at_every_step() {
    let page = text("docs/architecture.md");
    let walk = page.split("## A record, from birth to sink").nth(1);
    let walk = walk.and_then(|rest| rest.split("\n## ").next());
    let walk = walk.expect("the walk is there");
    let mut steps: Vec<String> = Vec::new();
    for line in walk.lines() {
        let is_step = line.split_once(". **").is_some_and(|(number, _)| {
            !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit())
        });
        if is_step {
            steps.push(String::new());
        }
        if let Some(step) = steps.last_mut() {
            step.push_str(line);
        }
    }
    assert_eq!(steps.len(), 10);
    let bare = steps.iter().enumerate();
    let bare = bare.filter(|(_, step)| !step.contains(".rs`"));
    let bare: Vec<_> = bare.map(|(at, _)| at + 1).collect();
    assert!(bare.is_empty(), "steps {bare:?} name no file");
}

#[test]
fn the_page_of_formats_has_the_versions_of_the_code() {
    let page = text("docs/formats.md");
    let formats = [
        (
            "## Data exchange frames",
            "engine/task/src/exchange/hello.rs",
            "PROTOCOL: u32 = ",
        ),
        (
            "## Control protocol",
            "engine/cluster/src/rpc/hello.rs",
            "PROTOCOL_VERSION: u32 = ",
        ),
        (
            "### Snapshot of a subtask",
            "engine/storage/src/snapshot_file.rs",
            "    version: ",
        ),
        (
            "### Metadata of a checkpoint",
            "engine/storage/src/metadata.rs",
            "    version: ",
        ),
        (
            "### Job log",
            "engine/storage/src/job_log/record.rs",
            "    version: ",
        ),
    ];
    for (heading, file, constant) in formats {
        let told = number_behind(&page, &format!("\n{heading}\n\nVersion "));
        let spoken = number_behind(&text(file), constant);
        assert!(spoken.is_some(), "{file} has no `{constant}`");
        assert_eq!(told, spoken, "{heading} of docs/formats.md and {file}");
    }
    let sections = page
        .split("\n##")
        .filter(|section| section.contains("\n\nVersion "));
    assert_eq!(sections.count(), formats.len(), "each version is compared");
}

/// The whole number that stands behind these words.
fn number_behind(text: &str, words: &str) -> Option<u32> {
    let (_, rest) = text.split_once(words)?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

#[test]
fn every_type_of_the_front_door_has_an_example() {
    let doors = ["engine/src/lib.rs", "engine/src/prelude.rs"].map(text);
    let uses = doors
        .iter()
        .flat_map(|text| text.split("\npub use ").skip(1));
    let names: BTreeSet<&str> = uses
        .filter_map(|rest| rest.split(';').next())
        .flat_map(|list| list.split(|c: char| !c.is_alphanumeric()))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect();
    assert!(names.len() > 50, "{names:?}");
    let engine = files(".rs").into_iter();
    let engine = engine.filter(|path| path.starts_with("engine/") && path.contains("/src/"));
    let code: String = engine.map(|path| text(&path)).collect();
    let bare: Vec<&&str> = names.iter().filter(|name| !is_shown(&code, name)).collect();
    assert!(bare.is_empty(), "{bare:?} have no example");
}

/// Whether a type of that name has an example, or none is defined but by a macro.
fn is_shown(code: &str, name: &str) -> bool {
    let kinds = ["struct", "enum", "trait"];
    let mut defined = kinds.iter().flat_map(|kind| {
        let head = format!("\npub {kind} {name}");
        let places: Vec<usize> = code.match_indices(&head).map(|(at, _)| at).collect();
        places.into_iter().filter(move |at| {
            let next = code[at + head.len()..].chars().next();
            !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    });
    let Some(first) = defined.next() else {
        return true;
    };
    let shown = |at: usize| {
        let above = code[..at].rsplit("\n\n").next().unwrap_or_default();
        above.contains("/// ```")
    };
    shown(first) || defined.any(shown)
}

#[test]
fn every_type_of_the_glossary_is_in_the_code() {
    let code: String = files(".rs").iter().map(|path| text(path)).collect();
    let is_there = |name: &str| {
        let kinds = ["struct", "enum", "trait", "type", "mod"];
        let ends = ["<", "(", " ", ";", ":"];
        let mut heads = kinds.iter().flat_map(|kind| {
            let head = format!("{kind} {name}");
            ends.map(|end| format!("{head}{end}"))
        });
        heads.any(|head| code.contains(&head)) || code.contains(&format!("\n    {name},\n    \""))
    };
    let page = text("docs/glossary.md");
    let rows = page.lines().filter(|line| line.starts_with("| **"));
    let mut missing = Vec::new();
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next();
        let names = last.unwrap_or_default().split('`').skip(1).step_by(2);
        let words =
            names.filter_map(|name| name.split([' ', ':', '<']).find(|word| *word != "trait"));
        let types = words.filter(|word| !word.contains('/'));
        missing.extend(types.filter(|word| !is_there(word)).map(str::to_owned));
    }
    assert!(missing.is_empty(), "{missing:?} are not in the code");
}
