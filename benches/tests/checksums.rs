//! Engine and loops give the same rows, as specified; small sizes, so that it is quick unoptimised.

use sameriver_benches::plain::{self, Rows};
use sameriver_benches::rounds::PARALLELISMS;
use sameriver_benches::{check, jobs, table, text_file};

#[test]
fn the_keyed_counter_gives_the_specified_rows_at_every_parallelism() {
    let (records, expected) = check::KEYED_COUNTER[0];
    for parallelism in PARALLELISMS {
        let found = jobs::keyed_counter(records, parallelism, Rows::Hashed);
        let found = found.expect("the job runs").to_string();
        assert_eq!(found, expected, "parallelism {parallelism}");
    }
}

#[test]
fn every_word_count_gives_the_rows_of_the_loop_at_every_parallelism() {
    let text = text_file::path(20_000).expect("there is room for a small text");
    let reader = text_file::reader(&text).expect("the text was just written");
    let expected = plain::word_count(reader, Rows::Hashed).expect("the text can be read");
    assert_eq!(expected.rows, 200_000);
    for (name, job) in table::WORD_COUNTS {
        for parallelism in PARALLELISMS {
            let found = job(&text, parallelism, Rows::Hashed).expect("the job runs");
            assert_eq!(found, expected, "{name} at parallelism {parallelism}");
        }
    }
}

#[test]
fn the_specification_names_the_checksums_that_are_verified() {
    let specification = include_str!("../SPECIFICATION.md");
    let mut expected = check::KEYED_COUNTER.map(|(_, rows)| rows).to_vec();
    expected.push(check::WORD_COUNT.1);
    for rows in expected {
        let cells = rows.replace(" / ", " | ");
        assert!(
            specification.contains(&cells),
            "{cells} is not in the table"
        );
    }
}
