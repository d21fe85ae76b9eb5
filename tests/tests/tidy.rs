//! Lints the repository: headers, sizes, names, decisions that are listed.
//!
//! Invariant: each rule lists every offender at once, with the file and the line.

use sameriver_tests::repository::{files, text};

/// Every Rust file of ours; snapshots of compile errors are wrong on purpose.
fn sources() -> Vec<(String, String)> {
    let ours = files(".rs")
        .into_iter()
        .filter(|path| !path.contains("/tests/ui/"));
    ours.map(|path| (path.clone(), text(&path))).collect()
}

fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n{}", offenders.join("\n"));
}

fn lines_where(rule: &str, is_bad: impl Fn(&str, &str) -> bool) {
    let mut bad = Vec::new();
    for (path, text) in sources() {
        for (number, line) in (1..).zip(text.lines()) {
            if is_bad(&path, line) {
                bad.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    none(rule, &bad);
}

/// Code without what follows `//`.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn every_file_starts_with_its_header() {
    let bare = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"));
    none(
        "a file starts with `//!`",
        &bare.map(|(path, _)| path).collect::<Vec<_>>(),
    );
}

#[test]
fn files_stay_below_600_lines() {
    let long = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 600);
    none(
        "at most 600 lines a file",
        &long.map(|(path, _)| path).collect::<Vec<_>>(),
    );
}

#[test]
fn lines_stay_within_100_characters() {
    lines_where("at most 100 characters a line", |_, line| {
        line.chars().count() > 100 && !line.contains("https://") && !line.contains('"')
    });
}

#[test]
fn functions_stay_below_70_lines() {
    let mut long = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let Some(indent) = function_indent(line) else {
                continue;
            };
            let end = format!("{}}}", " ".repeat(indent));
            let body = lines[start..].iter().position(|line| **line == end);
            if let Some(length) = body.filter(|length| *length >= 70) {
                long.push(format!("{path}:{}: {} lines", start + 1, length + 1));
            }
        }
    }
    none("at most 70 lines a function", &long);
}

/// The indent of a line that starts a function with a body of several lines.
fn function_indent(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    let mut rest = trimmed;
    while let Some((word, tail)) = rest.split_once(' ') {
        if words.contains(&word) {
            rest = tail;
        } else {
            break;
        }
    }
    let starts = rest.starts_with("fn ") && !line.ends_with('}') && !line.ends_with(';');
    starts.then_some(line.len() - trimmed.len())
}

#[test]
fn names_say_what_a_thing_is() {
    let modules = ["utils", "common", "helpers", "types", "util", "misc"];
    let bad: Vec<String> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            let mut parts = path.trim_end_matches(".rs").split('/');
            parts.any(|part| modules.contains(&part))
        })
        .collect();
    none("no module named utils, common, helpers, types", &bad);
    lines_where(
        "no type named ..Manager, ..Impl, ..Data, ..Info",
        |_, line| {
            let words = code(line).split_whitespace().collect::<Vec<_>>();
            words.windows(2).any(|pair| {
                let name: String = pair[1]
                    .chars()
                    .take_while(|c| c.is_alphanumeric())
                    .collect();
                let is_type = ["struct", "enum", "trait"].contains(&pair[0]);
                let vague = ["Manager", "Impl", "Data", "Info"];
                is_type
                    && name != "TaskManager"
                    && vague.iter().any(|end| name.ends_with(end) && name != *end)
            })
        },
    );
}

#[test]
fn nothing_is_left_for_later_without_an_issue() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    lines_where("a note for later names its issue", |_, line| {
        words
            .iter()
            .any(|word| line.contains(word) && !line.contains(&format!("{word}(#")))
    });
    let stubs = [concat!("todo", "!("), concat!("unimplemented", "!(")];
    lines_where("no stubs", |_, line| {
        stubs.iter().any(|stub| code(line).contains(stub))
    });
}

#[test]
fn lints_are_silenced_with_a_reason_only() {
    let silent = concat!("#[", "allow(");
    let silent_file = concat!("#![", "allow(");
    lines_where(
        "`#[expect(.., reason = ..)]` instead of allow",
        |_, line| code(line).contains(silent) || code(line).contains(silent_file),
    );
}

#[test]
fn bincode_is_named_in_one_file() {
    lines_where("only codec/wire.rs names bincode", |path, line| {
        code(line).contains("bincode::")
            && path != "engine/model/src/codec/wire.rs"
            && !path.starts_with("tests/")
    });
}

#[test]
fn only_the_seam_names_the_select_of_tokio() {
    let name = concat!("tokio::", "select");
    lines_where(
        "`sameriver_runtime::select!`, which is biased",
        |path, line| code(line).contains(name) && path != "engine/runtime/src/lib.rs",
    );
}

#[test]
fn only_the_simulator_names_its_executor() {
    let name = concat!("mad", "sim::");
    lines_where("only sim names madsim", |path, line| {
        code(line).contains(name) && !path.starts_with("sim/")
    });
}

#[test]
fn operators_see_the_world_only_at_the_edges() {
    lines_where(
        "operator names the runtime only in source, sink, async_io",
        |path, line| {
            let edges = ["source", "sink", "async_io"];
            let inside = path.strip_prefix("engine/operator/src/");
            inside.is_some_and(|path| !edges.iter().any(|edge| path.starts_with(edge)))
                && code(line).contains("sameriver_runtime::")
        },
    );
}

#[test]
fn every_decision_is_listed() {
    let list = text("docs/architecture.md");
    let decisions = files(".md")
        .into_iter()
        .filter(|path| path.starts_with("docs/adr/"));
    let missing = decisions.filter(|path| !list.contains(path.trim_start_matches("docs/")));
    none(
        "docs/architecture.md lists every ADR",
        &missing.collect::<Vec<_>>(),
    );
}

#[test]
fn the_tree_names_no_machine_and_no_author_tool() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("crates.io", "/api"),
        concat!("cla", "ude"),
        concat!("language ", "model"),
    ];
    let texts = [".rs", ".md", ".toml", ".snap", ".stderr"]
        .into_iter()
        .flat_map(files);
    let mut bad = Vec::new();
    for path in texts.filter(|path| path != "Cargo.lock") {
        let text = text(&path).to_lowercase();
        bad.extend(
            words
                .iter()
                .filter(|word| text.contains(**word))
                .map(|w| format!("{path}: {w}")),
        );
    }
    none("no machine path, registry host or author tool", &bad);
}
