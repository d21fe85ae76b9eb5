//! Reads the manifests and holds them against the table of rooms in `docs/architecture.md`.
//!
//! Invariant: only the arrows of the table exist, directly and transitively; development
//! dependencies are free.

use std::collections::{BTreeMap, BTreeSet};

use sameriver_tests::repository::{files, manifests, text};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Package → packages of ours that it may name: the table under "## Rooms and arrows".
fn table() -> Arrows {
    let page = text("docs/architecture.md");
    let section = page
        .split("## Rooms and arrows")
        .nth(1)
        .expect("the section is there");
    let section = section
        .split("\n## ")
        .next()
        .expect("a split has a first part");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (
            names(cells[1])
                .into_iter()
                .nth(1)
                .expect("room, then package"),
            names(cells[3]),
        )
    })
    .map(|(package, may_use)| (package, may_use.into_iter().collect()))
    .collect()
}

/// The words in back-quotes.
fn names(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Package → packages that its manifest names, development dependencies left out.
fn arrows() -> Arrows {
    let read = |(_, manifest): (String, toml::Table)| {
        let name = manifest["package"]["name"]
            .as_str()
            .expect("a package has a name")
            .to_owned();
        let mut needs = BTreeSet::new();
        for part in ["dependencies", "build-dependencies"] {
            let part = manifest.get(part).and_then(toml::Value::as_table);
            needs.extend(part.into_iter().flat_map(|part| part.keys().cloned()));
        }
        (name, needs)
    };
    manifests().into_iter().map(read).collect()
}

fn ours(name: &str) -> bool {
    name == "sameriver" || name.starts_with("sameriver-")
}

/// All packages that `from` reaches, ours by manifest, others by the lock file.
fn closure(from: &str, arrows: &Arrows) -> BTreeSet<String> {
    let lock: toml::Table = text("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let mut others = Arrows::new();
    for package in lock["package"]
        .as_array()
        .expect("a lock file lists packages")
    {
        let name = package["name"]
            .as_str()
            .expect("a package has a name")
            .to_owned();
        let needs = package.get("dependencies").and_then(toml::Value::as_array);
        let needs = needs.into_iter().flatten().filter_map(toml::Value::as_str);
        let needs = needs.map(|need| need.split(' ').next().unwrap_or(need).to_owned());
        others.entry(name).or_default().extend(needs);
    }
    let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(name) = open.pop() {
        let needs = if ours(&name) {
            arrows.get(&name)
        } else {
            others.get(&name)
        };
        for need in needs.into_iter().flatten() {
            if seen.insert(need.clone()) {
                open.push(need.clone());
            }
        }
    }
    seen
}

#[test]
fn every_arrow_between_rooms_is_in_the_table() {
    let table = table();
    for (package, needs) in arrows() {
        let Some(may_use) = table.get(&package) else {
            panic!("{package} has no row in the table of docs/architecture.md");
        };
        for need in needs.iter().filter(|need| ours(need)) {
            assert!(
                may_use.contains(need),
                "{package} -> {need} is not in the table"
            );
        }
    }
}

#[test]
fn every_row_of_the_table_is_a_room() {
    let rooms = arrows();
    for (package, may_use) in table() {
        assert!(
            rooms.contains_key(&package),
            "{package} is in the table, but is no package"
        );
        for name in may_use {
            assert!(
                rooms.contains_key(&name),
                "{package} may use {name}, which is no package"
            );
        }
    }
}

#[test]
fn arrows_point_downwards_only() {
    let arrows = arrows();
    for package in arrows.keys() {
        assert!(
            !closure(package, &arrows).contains(package),
            "{package} reaches itself"
        );
    }
}

#[test]
fn the_control_plane_cannot_await() {
    let reached = closure("sameriver-control", &arrows());
    for asynchronous in [
        "tokio",
        "futures-util",
        "futures-core",
        "madsim",
        "sameriver-runtime",
    ] {
        assert!(
            !reached.contains(asynchronous),
            "control reaches {asynchronous}"
        );
    }
}

#[test]
fn state_cannot_see_the_runtime() {
    let reached = closure("sameriver-state", &arrows());
    assert!(!reached.contains("sameriver-runtime") && !reached.contains("tokio"));
}

#[test]
fn only_the_simulator_reaches_its_executor() {
    let arrows = arrows();
    for package in arrows.keys().filter(|name| ours(name)) {
        let reaches = closure(package, &arrows).contains("madsim");
        let may = ["sameriver-sim", "sameriver-scenarios", "sameriver-tests"];
        assert!(
            !reaches || may.contains(&package.as_str()),
            "{package} reaches madsim"
        );
    }
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    let sources = files(".rs");
    for (folder, manifest) in manifests() {
        let inside = format!("{folder}/");
        let others: Vec<String> = manifests().into_iter().map(|(other, _)| other).collect();
        let deeper = |path: &str| {
            others.iter().any(|other| {
                other.len() > folder.len()
                    && other.starts_with(&inside)
                    && path.starts_with(&format!("{other}/"))
            })
        };
        let own = sources
            .iter()
            .filter(|path| path.starts_with(&inside) && !deeper(path));
        let code: String = own.map(|path| text(path)).collect();
        for part in ["dependencies", "dev-dependencies"] {
            let part = manifest.get(part).and_then(toml::Value::as_table);
            for name in part.into_iter().flat_map(toml::Table::keys) {
                let word = name.replace('-', "_");
                if ![
                    format!("{word}::"),
                    format!("use {word}"),
                    format!("{word};"),
                ]
                .iter()
                .any(|use_of| code.contains(use_of))
                {
                    unused.push(format!("{folder}: {name}"));
                }
            }
        }
    }
    assert!(
        unused.is_empty(),
        "dependencies that nothing names:\n{}",
        unused.join("\n")
    );
}
