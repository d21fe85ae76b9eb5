//! Rows of evidence: they repeat, and a figure that is not what the seeds give is seen.

use crate::program::{Ended, Folder};

const FILE: &str = "docs/evidence/campaigns.csv";
const ROW: &str = "sim evidence --repeat 1";

/// A folder with the row of a few seeds.
fn with_a_row() -> Folder {
    let folder = Folder::new();
    folder.make("docs/evidence");
    let ended = folder.run("sim all --seeds 0..20 --evidence");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    folder
}

/// The cells of the only row: commit, scenario, range, fold, faults, restores, seconds.
fn cells(folder: &Folder) -> Vec<String> {
    let file = folder.read(FILE);
    let rows: Vec<&str> = file.lines().collect();
    assert_eq!(rows.len(), 2, "{file}");
    rows[1].split(',').map(str::to_owned).collect()
}

/// Repeats the row with one cell changed.
fn repeated_with(folder: &Folder, at: usize, cell: &str) -> Ended {
    let file = folder.read(FILE);
    let mut changed = cells(folder);
    assert_ne!(changed[at], cell);
    cell.clone_into(&mut changed[at]);
    let head = file.lines().next().expect("it has a head");
    folder.write(FILE, format!("{head}\n{}\n", changed.join(",")));
    let ended = folder.run(ROW);
    folder.write(FILE, file);
    ended
}

#[test]
fn a_row_of_evidence_repeats_and_another_figure_is_seen() {
    let folder = with_a_row();
    let row = cells(&folder);
    assert_eq!(row[1..3], ["all", "0..20"]);
    let again = folder.run(ROW);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let fixed = row[3..6].join(",");
    assert_eq!(again.stdout, format!("row 1 again: {fixed}\n"));
    for at in 3..6 {
        let changed = repeated_with(&folder, at, "1234567");
        assert_eq!(changed.code, Some(3), "{}", changed.stderr);
        let says = format!("says {fixed}");
        assert!(changed.stderr.contains(&says), "{}", changed.stderr);
        assert_eq!(changed.stdout, "");
    }
    // How long it took is no figure that a seed fixes.
    assert_eq!(repeated_with(&folder, 6, "1234567").code, Some(0));
}

#[test]
fn a_row_of_evidence_that_is_not_there_or_no_row_says_what_to_do() {
    let folder = with_a_row();
    let refused = |ended: Ended, code: i32, says: &str| {
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    };
    for row in ["0", "2", "99999"] {
        let ended = folder.run(&format!("sim evidence --repeat {row}"));
        refused(ended, 64, &format!("has no row {row}: choose 1 to 1"));
    }
    refused(folder.run("sim evidence"), 64, "--repeat 1");
    for (at, cell) in [(1, "sorting"), (2, "9..3"), (2, "many"), (5, "1,2")] {
        let says = "row 1 of docs/evidence/campaigns.csv: ";
        refused(repeated_with(&folder, at, cell), 65, says);
    }
    folder.write(FILE, "commit,scenario,range,fold,faults,restores,seconds\n");
    refused(folder.run(ROW), 64, "--evidence` appends one");
    folder.remove(FILE);
    refused(folder.run(ROW), 66, "run in the top folder");
}
