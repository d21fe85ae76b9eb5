//! `checkpoints`: a store that is whole, damaged, empty or shared, as a shell sees it.

use crate::program::{Ended, Folder, text};

/// A folder with the store `kept`, in which a finished job has left a checkpoint.
fn kept() -> Folder {
    let folder = Folder::new();
    folder.write("licence", text("LICENSE-APACHE"));
    run(&folder, "word_count --input licence --output counts");
    folder
}

fn run(folder: &Folder, words: &str) {
    let words = format!("run {words} --parallelism 2 --set checkpoints=kept");
    let ended = folder.run(&words);
    assert_eq!(ended.code, Some(0), "{words}: {}", ended.stderr);
}

fn one_line(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn a_store_that_is_whole_is_told_so_with_what_it_keeps() {
    let folder = kept();
    for words in [
        "checkpoints kept",
        "checkpoints file:kept",
        "checkpoints kept --job word_count",
    ] {
        let ended = folder.run(words);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{words}"
        );
        let head = "word_count in file:kept: the job is finished; 1 checkpoint, whole";
        assert_eq!(ended.stdout.lines().next(), Some(head), "{words}");
    }
}

#[test]
fn a_damaged_snapshot_is_named_and_ends_with_an_exit_code_of_its_own() {
    let folder = kept();
    let snapshots = "kept/word_count/snap/1/1/c1";
    let names = folder.names(snapshots);
    let file = format!("{snapshots}/{}", names[0]);
    folder.damage(&file);
    let ended = folder.run("checkpoints kept");
    one_line(&ended, 65, &["word_count", "kept", "damaged"]);
    assert!(ended.stdout.contains("NOT whole"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&names[0]), "{}", ended.stdout);
}

#[test]
fn a_job_that_starts_from_a_damaged_store_says_which_file_and_what_to_do() {
    let folder = kept();
    let remove_end = |folder: &Folder| {
        let newest = folder.names("kept/word_count/log").pop();
        let newest = newest.expect("the job has a log");
        folder.remove(&format!("kept/word_count/log/{newest}"));
    };
    // Without the record of its end the job goes on from its last checkpoint.
    remove_end(&folder);
    let words = "run word_count --input licence --output counts --parallelism 2 \
                 --set checkpoints=kept";
    let snapshots = "kept/word_count/snap/1/1/c1";
    for name in folder.names(snapshots) {
        folder.damage(&format!("{snapshots}/{name}"));
    }
    let ended = folder.run(words);
    assert_eq!(ended.code, Some(65), "{ended:?}");
    for part in ["snap/1/1/c1/v", "is damaged", "put a whole copy back"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    remove_end(&folder);
    folder.remove("kept/word_count/meta/1-1-c1");
    let ended = folder.run(words);
    assert_eq!(ended.code, Some(66), "{ended:?}");
    for part in ["has no word_count/meta/1-1-c1", "or put the file back"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn metadata_that_is_gone_is_damage_too() {
    let folder = kept();
    for name in folder.names("kept/word_count/meta") {
        folder.remove(&format!("kept/word_count/meta/{name}"));
    }
    let ended = folder.run("checkpoints kept");
    one_line(&ended, 65, &["word_count", "damaged"]);
}

#[test]
fn a_folder_without_checkpoints_is_an_error_that_tells_where_to_look() {
    let folder = Folder::new();
    folder.make("empty");
    folder.make("foreign");
    folder.write("foreign/notes.txt", "mine");
    for name in ["empty", "foreign", "missing"] {
        let ended = folder.run(&format!("checkpoints {name}"));
        one_line(&ended, 66, &[name, "no checkpoints", "`checkpoints`"]);
        let ended = folder.run(&format!("checkpoints {name} --job word_count"));
        one_line(&ended, 66, &[name, "word_count", "`checkpoints`"]);
    }
    assert!(!folder.path("missing").exists());
    let ended = folder.run("checkpoints file://host/kept");
    one_line(&ended, 64, &["file://host/kept", "is no folder"]);
}

#[test]
fn several_jobs_in_a_store_are_listed_and_each_is_shown_by_name() {
    let folder = kept();
    run(&folder, "windowed_totals --records 2000 --output totals");
    let ended = folder.run("checkpoints kept");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "windowed_totals\nword_count\n");
    assert!(ended.stderr.contains("--job"), "{}", ended.stderr);
    let ended = folder.run("checkpoints kept --job windowed_totals");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("windowed_totals in "), "{ended:?}");
    let ended = folder.run("checkpoints kept --job word_cuont");
    one_line(&ended, 66, &["word_cuont", "windowed_totals, word_count"]);
}
