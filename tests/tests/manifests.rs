//! Holds the rules of manifests, features and fences: what a build of ours is made of.
//!
//! Invariant: each rule lists every offender at once.

use std::process::Command;

use sameriver_tests::repository::{manifests, text, top};

/// The rows of a table of `docs/architecture.md`: its cells without back-quotes.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = text("docs/architecture.md");
    let section = page.split(&format!("## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.trim_matches('|').split('|'));
    cells
        .map(|cells| cells.map(|cell| cell.replace('`', "").trim().to_owned()))
        .map(Iterator::collect)
        .collect()
}

fn root() -> toml::Table {
    text("Cargo.toml").parse().expect("a manifest is TOML")
}

#[test]
fn every_feature_is_listed_with_its_default() {
    let mut features = Vec::new();
    for (_, manifest) in manifests() {
        let package = manifest["package"]["name"].as_str().expect("it has a name");
        let Some(table) = manifest.get("features").and_then(toml::Value::as_table) else {
            continue;
        };
        let on = |feature: &String| {
            let default = table.get("default").and_then(toml::Value::as_array);
            default.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(feature)))
        };
        for feature in table.keys().filter(|feature| *feature != "default") {
            let state = if on(feature) { "on" } else { "off" };
            features.push([package, feature, state].map(str::to_owned).to_vec());
        }
    }
    let mut listed = table("Features");
    for row in &mut listed {
        row.truncate(3);
    }
    features.sort();
    listed.sort();
    assert_eq!(listed, features);
}

#[test]
fn every_crate_takes_its_lints_and_licences_from_the_workspace() {
    for (folder, manifest) in manifests() {
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        assert_eq!(lints, Some(&true.into()), "lints of {folder}");
        for field in [
            "version",
            "license",
            "rust-version",
            "edition",
            "repository",
            "readme",
            "keywords",
            "categories",
        ] {
            let workspace = manifest["package"][field].get("workspace");
            assert_eq!(workspace, Some(&true.into()), "{field} of {folder}");
        }
        assert!(
            manifest["package"].get("description").is_some(),
            "{folder} says what it is"
        );
        let source = text(&format!("{folder}/src/lib.rs"));
        assert!(
            source.contains("#![forbid(unsafe_code)]"),
            "{folder} forbids unsafe code"
        );
    }
}

#[test]
fn every_dependency_stands_in_the_workspace_with_its_reason() {
    let manifest = text("Cargo.toml");
    let part = manifest.split("[workspace.dependencies]\n").nth(1);
    let part = part
        .and_then(|part| part.split("\n[").next())
        .expect("it is there");
    let lines: Vec<&str> = part.lines().collect();
    let bare = lines.windows(2).filter(|pair| {
        let is_dependency = pair[1].contains(" = ") && !pair[1].starts_with('#');
        is_dependency && !pair[1].starts_with("sameriver") && !pair[0].starts_with('#')
    });
    assert_eq!(bare.map(|pair| pair[1]).collect::<Vec<_>>(), [""; 0]);
    for (folder, manifest) in manifests() {
        for part in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let needs = manifest.get(part).and_then(toml::Value::as_table);
            for (name, need) in needs.into_iter().flatten() {
                let workspace = need.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(workspace, Some(true), "{name} of {folder}");
            }
        }
    }
}

#[test]
fn what_decides_bytes_or_seeds_is_pinned() {
    let root = root();
    let version = |name: &str| {
        let dependency = &root["workspace"]["dependencies"][name];
        let version = dependency.get("version").unwrap_or(dependency);
        version.as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(version("bincode"), "=1.3.3");
    assert_eq!(version("madsim"), "=0.2.34");
}

#[test]
fn every_ban_of_the_fence_names_its_replacement() {
    let fence: toml::Table = text(".clippy.toml").parse().expect("it is TOML");
    for part in [
        "disallowed-methods",
        "disallowed-types",
        "disallowed-macros",
    ] {
        let bans = fence[part].as_array().expect("a list of bans");
        assert!(!bans.is_empty(), "{part} bans something");
        for ban in bans {
            let reason = ban.get("reason").and_then(toml::Value::as_str);
            assert!(reason.is_some_and(|reason| reason.contains('`')), "{ban}");
        }
    }
}

#[test]
fn the_fence_has_no_hole_to_files_processes_clocks_and_endless_queues() {
    let fence: toml::Table = text(".clippy.toml").parse().expect("it is TOML");
    let bans = fence["disallowed-methods"].as_array().expect("a list");
    let banned: Vec<&str> = bans.iter().filter_map(|ban| ban["path"].as_str()).collect();
    let ways = [
        "std::fs::OpenOptions::open",
        "std::fs::copy",
        "std::fs::hard_link",
        "std::fs::create_dir",
        "std::fs::remove_dir_all",
        "std::fs::canonicalize",
        "std::net::UdpSocket::bind",
        "std::process::Command::new",
        "tokio::time::sleep_until",
        "tokio::time::timeout_at",
        "tokio::time::interval_at",
        "tokio::sync::mpsc::unbounded_channel",
    ];
    let open: Vec<_> = ways.iter().filter(|way| !banned.contains(way)).collect();
    assert!(open.is_empty(), "{open:?} are not banned");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the compiler is a process, outside of any world"
)]
fn the_simulator_refuses_to_compile_without_its_flags_and_says_the_remedy() {
    let compile = |flags: &[&str]| {
        let output = Command::new("rustc")
            .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
            .args(flags)
            .args(["--out-dir", env!("CARGO_TARGET_TMPDIR"), "sim/src/lib.rs"])
            .current_dir(top())
            .output();
        let output = output.expect("a compiler is there");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let remedy = "unset RUSTFLAGS";
    assert!(compile(&[]).contains(remedy));
    assert!(!compile(&["--cfg", "madsim"]).contains(remedy));
}

#[test]
fn the_house_is_complete() {
    // What a fresh clone needs: both licences, the words about it, the fences, the gate.
    for path in [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "CHANGELOG.md",
        ".clippy.toml",
        ".rustfmt.toml",
        ".cargo/config.toml",
        ".cargo/deny.toml",
        ".ci/run",
        "docs/architecture.md",
        "docs/glossary.md",
        "docs/formats.md",
        "docs/promises.toml",
        "Cargo.lock",
    ] {
        assert!(top().join(path).exists(), "{path} is missing");
    }
    assert_eq!(
        root()["workspace"]["package"]["license"].as_str(),
        Some("MIT OR Apache-2.0")
    );
}
